"""The week that comes with the package."""

from importlib import resources
from pathlib import Path

from tenfold.core.errors import UsageError

EXAMPLES = "tenfold.replay.examples"
FILES = ("week.toml", "rates.csv", "jobs.csv")


def write_example(folder: Path) -> tuple[Path, ...]:
    """Write the example's files into a folder, which is made if there is none.

    Raises:
        UsageError: one of them is there already, or the folder cannot be written.
    """
    paths = tuple(folder / name for name in FILES)
    for path in paths:
        if path.exists():
            raise UsageError(f"{path} is there already", next_step="give another folder, or remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            path.write_text(resources.files(EXAMPLES).joinpath(path.name).read_text())
    except OSError as error:
        raise UsageError(
            f"cannot write to {str(folder)!r}: {error.strerror}", next_step="give another folder"
        ) from error
    return paths
