"""Secrets of channels, encrypted where they lie: who gets the database, or a copy of it, cannot write as the business.

The key is the file ``agents.key`` in the pool's home, readable by its owner only. Who can read the home has both, so
this guards copies of the database and a database on another machine, and no more. Encryption is Fernet's (AES-128 in
CBC mode with HMAC-SHA256): what was changed is noticed.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from tenfold.core.errors import TenfoldError
from tenfold.core.paths import replace_file

KEY_FILE = "agents.key"
CHANNELS = ("whatsapp", "messenger")
SECRETS = ("access_token", "app_secret", "verify_token")
_SEALED = "sealed:"

Json = Mapping[str, object]


class Unreadable(TenfoldError):
    """What was sealed cannot be opened with the key that is there."""


class Seal:
    """Seals and opens the secrets in a business's settings.

    Args:
        home: the pool's folder, where the key is; made when something is first sealed.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / KEY_FILE

    def sealed(self, settings: Json) -> dict[str, object]:
        """Give settings as they are kept; what is sealed stays as it is."""
        return _changed(settings, lambda text: text if text.startswith(_SEALED) else self._seal(text))

    def opened(self, settings: Json) -> dict[str, object]:
        """Give settings as they were told; what was kept by a Tenfold that did not seal is given as it is.

        Raises:
            Unreadable: the key is missing, or another.
        """
        return _changed(settings, lambda text: self._open(text) if text.startswith(_SEALED) else text)

    def _seal(self, text: str) -> str:
        return _SEALED + self._key.encrypt(text.encode()).decode()

    def _open(self, text: str) -> str:
        if not self._path.is_file():
            raise self._unreadable("is missing")
        try:
            return self._key.decrypt(text.removeprefix(_SEALED)).decode()
        except InvalidToken:
            raise self._unreadable("is not the one that it was sealed with") from None

    def _unreadable(self, what: str) -> Unreadable:
        return Unreadable(
            f"a channel's secret cannot be read: the key {self._path} {what}",
            next_step="put the key back from a backup of the pool's home, or enter the channel's secrets again by "
            "'tenfold agents set'",
        )

    @cached_property
    def _key(self) -> Fernet:
        if not self._path.is_file():
            replace_file(self._path, Fernet.generate_key(), mode=0o600)
        try:
            return Fernet(self._path.read_bytes().strip())
        except ValueError as error:
            raise self._unreadable("is damaged") from error


def is_sealed(settings: Json) -> bool:
    """Whether no secret in settings lies there as it is."""
    plain: list[str] = []

    def look(text: str) -> str:
        plain.extend([] if text.startswith(_SEALED) else [text])
        return text

    _changed(settings, look)
    return not plain


def _changed(settings: Json, change: Callable[[str], str]) -> dict[str, object]:
    """The settings with each secret changed."""
    found = dict(settings)
    for name in CHANNELS:
        channel = found.get(name)
        if isinstance(channel, Mapping):
            found[name] = {
                key: change(value) if key in SECRETS and isinstance(value, str) else value
                for key, value in channel.items()
            }
    return found
