"""The pages that runs of a command leave in the pool's home for the console: of each subject the last one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from tenfold.core.errors import UsageError
from tenfold.core.paths import home_dir, replace_file
from tenfold.core.show import talk
from tenfold.page.sheet import inset

MOST = 30
"""Pages kept on a shelf; the oldest go."""


@dataclass(frozen=True, slots=True)
class Left:
    """A page that was left: its name in addresses, and when it was made, Unix seconds."""

    name: str
    at: float
    path: Path

    @property
    def when(self) -> str:
        """When it was made, for people."""
        return datetime.fromtimestamp(self.at).astimezone().strftime("%d %b %Y, %H:%M")


def leave(name: str, subject: str, document: str) -> None:
    """Put a page on a shelf of the pool's home, in place of the last one of its subject.

    A home that cannot be written costs the console a page, and the command nothing: it is told, and goes on.
    """
    shelf = home_dir() / name
    try:
        replace_file(shelf / f"{_name(subject)}.html", document.encode(), mode=0o600)
        for old in left(shelf)[MOST:]:
            old.path.unlink(missing_ok=True)
    except OSError as error:
        talk.print(f"note: the console will not show this: {error}", markup=False, soft_wrap=True)


def write_page(path: Path, document: str, option: str) -> None:
    """Write a page where an option of a command says.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        path.write_text(document, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write the page {str(path)!r}: {error.strerror}", next_step=f"give another {option}"
        ) from error


def left(shelf: Path) -> list[Left]:
    """List what is on a shelf, the newest first."""
    found = [Left(path.stem, path.stat().st_mtime, path) for path in shelf.glob("*.html")]
    return sorted(found, key=lambda each: each.at, reverse=True)


def show(shelf: Path, query: Mapping[str, str], nothing: str) -> str:
    """Make a page of a shelf: links to all that is on it, and what the address asks for, or the newest.

    Args:
        shelf: the folder.
        query: of the address; ``show`` names a page.
        nothing: what to show where the shelf is empty.
    """
    found = left(shelf)
    if not found:
        return nothing
    shown = next((each for each in found if each.name == query.get("show")), found[0])
    links = "".join(
        f'<li><a href="?show={each.name}"{" aria-current=true" if each is shown else ""}>{escape(each.name)}'
        f"<small>{each.when}</small></a></li>"
        for each in found
    )
    return f'<ul class="chips">{links}</ul>{inset(shown.path.read_text())}'


def _name(subject: str) -> str:
    """A name for a file and an address: letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")[:80] or "untitled"
