"""The snapshots that a resident answers from: the newest, taken without a restart, and the one of a while ago.

``rank-train`` writes ``HOME/rank/fresh`` and now and then keeps what it replaces as ``HOME/rank/stale``. Without
either, what `tenfold up` trains in the cache is the newest.
"""

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from pathlib import Path

from tenfold.core.errors import AssetError
from tenfold.rank.artifact import Meta, artifact_folder
from tenfold.rank.desk import RankDesk
from tenfold.rank.snapshot import Snapshot, load_snapshot

LOOK_EVERY_S = 2.0

log = logging.getLogger(__name__)

_Mark = tuple[int, int]


def fresh_folder(home: Path) -> Path:
    """Where ``rank-train`` writes what it has learned."""
    return home / "rank" / "fresh"


def stale_folder(home: Path) -> Path:
    """Where it keeps what was served a while ago."""
    return home / "rank" / "stale"


def version_of(meta: Meta) -> str:
    """Name of a snapshot in answers: when it was trained, and what it is."""
    at = dt.datetime.fromtimestamp(meta.trained_at, dt.UTC)
    return f"{at:%Y%m%dT%H%M%S}-{meta.tensor_sha256[:8]}"


class Following:
    """Desks of the newest snapshot and of the stale one.

    Args:
        cache: has the snapshot to begin with.
        home: has those that came since.
        open_desk: makes a desk of a snapshot and its version.
    """

    def __init__(self, cache: Path, home: Path, open_desk: Callable[[Snapshot, str], RankDesk]) -> None:
        self._base = artifact_folder(cache)
        self._folders = {"fresh": fresh_folder(home), "stale": stale_folder(home)}
        self._open_desk = open_desk
        self._marks: dict[str, _Mark | None] = {"fresh": None, "stale": None}
        self._desks: dict[str, RankDesk] = {}

    def load(self) -> None:
        """Load what there is.

        Raises:
            AssetError: the ranker has not been trained, or is corrupt.
        """
        self._look()
        if "fresh" not in self._desks:
            self._desks["fresh"] = self._open(self._base)

    async def follow(self) -> None:
        """Take newer snapshots between two requests, until cancelled; they are loaded beside the old."""
        while True:
            await asyncio.to_thread(self._look)
            await asyncio.sleep(LOOK_EVERY_S)

    def desk(self, stale: bool) -> RankDesk:
        """Who answers now; the newest where there is nothing stale."""
        return self._desks.get("stale", self._desks["fresh"]) if stale else self._desks["fresh"]

    def _look(self) -> None:
        for name, folder in self._folders.items():
            mark = _mark(folder)
            if mark is None or mark == self._marks[name]:
                continue
            try:
                desk = self._open(folder)
            except AssetError as error:
                # Half of it may be of the next one, which is then whole at the next look.
                log.warning("the snapshot in %s is not taken: %s", folder, error)
                if _mark(folder) == mark:
                    self._marks[name] = mark
                continue
            self._desks[name], self._marks[name] = desk, mark
            log.info("answers come from the snapshot %s (%s)", desk.version, name)

    def _open(self, folder: Path) -> RankDesk:
        snapshot = load_snapshot(folder)
        return self._open_desk(snapshot, version_of(snapshot.meta))


def _mark(folder: Path) -> _Mark | None:
    """What changes with the snapshot in a folder; none: there is none."""
    try:
        found = (folder / "meta.json").stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino
