"""The shop that comes with the package, for trying things out and for tests: Larch & Loom, which does not exist."""

from datetime import datetime
from pathlib import Path

from tenfold.catalog.gathered import Gathered
from tenfold.catalog.ingest.source import read_folder

DEMO = "demo"
"""Names this shop where a path is wanted, and nothing is called so."""
DEMO_FOLDER = Path(__file__).parent / "demo"


def is_demo(place: str) -> bool:
    """Whether a path stands for the shop that comes with the package."""
    return place == DEMO and not Path(place).exists()


def demo_shop(now: datetime) -> Gathered:
    """Read its 25 items with 86 variants, and what it writes on shipping, returns, hours and the rest."""
    return read_folder(DEMO_FOLDER, now)
