"""What is wrong now, in sentences."""

from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path

from tenfold.core.sound import damages
from tenfold.ledger.ledger import Ledger
from tenfold.ledger.recorder import Recorder

LOOK_EVERY_S = 5.0
TOLD_FOR_S = 24 * 3600.0


class Alarms:
    """Sentences that hold now, each under a key; when one begins, the ledger is told."""

    def __init__(self, ledger: Ledger | Recorder) -> None:
        self._ledger = ledger
        self._texts: dict[str, str] = {}
        self._replaced: dict[str, Set[str]] = {}

    def set(self, key: str, text: str) -> None:
        """Say what is wrong; an empty text ends the alarm."""
        if text and key not in self._texts:
            self._ledger.append("alarm", key, {"text": text})
        if text:
            self._texts[key] = text
        else:
            self._texts.pop(key, None)

    def replace(self, source: str, texts: Mapping[str, str]) -> None:
        """Say all that is wrong by one source, by key; what the source said before, and does not say now, has ended."""
        for key in self._replaced.get(source, set()) - texts.keys():
            self.set(key, "")
        for key, text in texts.items():
            self.set(key, text)
        self._replaced[source] = texts.keys()

    @property
    def texts(self) -> tuple[str, ...]:
        """All that hold now, the oldest first."""
        return tuple(self._texts.values())


class DamageWatch:
    """Tells of files that were set aside as damaged: for a day, or until somebody has removed their note.

    Args:
        alarms: where it tells.
        folders: below which it looks.
        clock: gives Unix seconds.
    """

    def __init__(self, alarms: Alarms, folders: Sequence[Path], clock: Callable[[], float]) -> None:
        self._alarms, self._folders, self._clock = alarms, folders, clock
        self._looked_at = float("-inf")

    def look(self) -> None:
        """See what was set aside, at most every ``LOOK_EVERY_S`` (0.3 ms for a home and a cache)."""
        now = self._clock()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        found = damages(self._folders, now - TOLD_FOR_S)
        self._alarms.replace("damage", {f"damaged {damage.file} {damage.at}": damage.text for damage in found})
