"""What a bench with a pool needs before its clock starts: models, data and ranker, made as `tenfold up` makes them."""

import sys

from rich.console import Console

from tenfold.cli import prepare
from tenfold.core.errors import AssetError
from tenfold.core.paths import cache_dir


def ready() -> None:
    """Fetch and make what is missing in the cache; ends the bench with the cause and the cure where that fails."""
    try:
        prepare.ensure(cache_dir(), Console(stderr=True))
    except AssetError as error:
        sys.exit(f"error: {error}\nnext:  {error.next_step}")
