"""The studies that come with the package, and what has happened since they were written."""

from importlib import resources
from pathlib import Path

from tenfold.core.errors import UsageError
from tenfold.plan.actual import Actual, load_actual, parse_actual
from tenfold.plan.study import Study
from tenfold.plan.study_file import load_study, parse_study

STUDIES = "tenfold.plan.examples"
ACTUALS = "tenfold.plan.actuals"


def names() -> list[str]:
    """The shipped studies."""
    return _names(STUDIES)


def names_with_actuals() -> list[str]:
    """The shipped studies of which it is known what came of them."""
    return _names(ACTUALS)


def text(name: str) -> str:
    """A shipped study's text.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in names():
        raise UsageError(f"there is no example {name!r}", next_step=f"there are: {', '.join(names())}")
    return resources.files(STUDIES).joinpath(f"{name}.yaml").read_text()


def find_study(path_or_name: str) -> Study:
    """A study by its path; or a shipped one by its name, if there is no such file.

    Raises:
        StudyError: there is neither, or the study is wrong.
    """
    if not Path(path_or_name).exists() and path_or_name in names():
        return parse_study(text(path_or_name), f"{path_or_name}.yaml")
    return load_study(Path(path_or_name))


def find_actual(path_or_name: str) -> Actual:
    """Actuals by their path, or a shipped study's by its name.

    Raises:
        ActualError: there are neither, or the actuals are wrong.
    """
    if not Path(path_or_name).exists() and path_or_name in names_with_actuals():
        content = resources.files(ACTUALS).joinpath(f"{path_or_name}.yaml").read_text()
        return parse_actual(content, f"{path_or_name}.yaml")
    return load_actual(Path(path_or_name))


def _names(package: str) -> list[str]:
    found = resources.files(package).iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in found if entry.name.endswith(".yaml"))
