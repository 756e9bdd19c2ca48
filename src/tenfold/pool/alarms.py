"""What is wrong now, in sentences."""

from tenfold.ledger.ledger import Ledger
from tenfold.ledger.recorder import Recorder


class Alarms:
    """Sentences that hold now, each under a key; when one begins, the ledger is told."""

    def __init__(self, ledger: Ledger | Recorder) -> None:
        self._ledger = ledger
        self._texts: dict[str, str] = {}

    def set(self, key: str, text: str) -> None:
        """Say what is wrong; an empty text ends the alarm."""
        if text and key not in self._texts:
            self._ledger.append("alarm", key, {"text": text})
        if text:
            self._texts[key] = text
        else:
            self._texts.pop(key, None)

    @property
    def texts(self) -> tuple[str, ...]:
        """All that hold now, the oldest first."""
        return tuple(self._texts.values())
