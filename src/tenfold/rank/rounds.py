"""One round of learning: what is new in the feed's files goes into the newest snapshot, and the result is served.

A round ends with a snapshot, renamed into place whole. One that is stopped in the middle is taken up again at the epoch
that it was in, by the same process or another.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from tenfold.core.errors import Damaged, OfAnotherVersion
from tenfold.core.frozen import Frozen
from tenfold.core.minilm import load_minilm
from tenfold.core.sound import read_record, set_aside, write_record
from tenfold.rank.artifact import artifact_folder, describe_at
from tenfold.rank.dataset import load_movielens
from tenfold.rank.features import Embed
from tenfold.rank.following import fresh_folder, stale_folder
from tenfold.rank.learn import Learning
from tenfold.rank.more import learn_more
from tenfold.rank.segments import newest_us, rows_since, segments_folder, stream_with
from tenfold.rank.snapshot import Snapshot, load_snapshot, save_snapshot

log = logging.getLogger(__name__)

KEPT = "round.pt"
LEARNED = "learned.json"


class Learned(Frozen):
    """Up to where the feed's files have been learned."""

    until_us: int = Field(0, description="microseconds of Unix time, as the names of the files tell it")
    rounds: int = Field(0, description="snapshots that were written")
    events: int = Field(0, description="new events that they learned, as the feed counts them")
    loss: float | None = Field(None, description="nats per target, last epoch of the last round")


class Rounds:
    """The rounds of one home.

    Args:
        home: of the pool: the feed's files, and the snapshots.
        cache: has the snapshot that all began with, and its data.
        stale_s: age, in seconds, at which a snapshot that is replaced becomes the stale one.
        clock: gives Unix seconds.
    """

    def __init__(self, home: Path, cache: Path, stale_s: float, clock: Callable[[], float] = time.time) -> None:
        self._home, self._cache, self._stale_s, self._clock = home, cache, stale_s, clock
        self._folder = home / "rank"

    def learned(self) -> Learned:
        """Up to where it has been learned."""
        path = self._folder / LEARNED
        return read_record(path, Learned) if path.exists() else Learned()

    def has_news(self) -> bool:
        """Whether the feed has written since."""
        return newest_us(segments_folder(self._home)) > self.learned().until_us

    def learn(self, beat: Callable[[float], None]) -> int:
        """Do one round; gives how many new events it learned, 0 where nothing in the files can be learned from.

        Args:
            beat: called at every step with the new events learned so far; may wait, or raise to stop it.

        Raises:
            AssetError: the snapshot that all began with, or a file of the feed, is damaged.
            TrainingDiverged: the loss is no number; the snapshot that serves stays.
        """
        learned = self.learned()
        folder = segments_folder(self._home)
        until_us = newest_us(folder)
        before = self._newest()
        stream = stream_with(load_movielens(self._cache).stream(), folder)
        beat(0.0)
        new = rows_since(folder, learned.until_us)
        if not new or not (stream.events.at_E > before.meta.latest_event_at).any():
            write_record(self._folder / LEARNED, learned.model_copy(update={"until_us": until_us}))
            return 0
        name = before.meta.data.name
        how = Learning(before.meta.recipe, before.meta.seed, self._embed(before), name)
        self._folder.mkdir(parents=True, exist_ok=True)
        after = learn_more(before, stream, how, lambda share: beat(share * new), keep=self._folder / KEPT)
        self._publish(before, after)
        told = {
            "until_us": until_us,
            "rounds": learned.rounds + 1,
            "events": learned.events + new,
            "loss": after.meta.epochs[-1].loss if after.meta.epochs else None,
        }
        write_record(self._folder / LEARNED, learned.model_copy(update=told))
        log.info("round %d: %d new events, %d items, loss %.3f", told["rounds"], new, len(after.items), told["loss"])
        return new

    def _newest(self) -> Snapshot:
        """What was learned last; where that cannot be read, what all began with, and all events are new to that."""
        fresh = fresh_folder(self._home)
        if (fresh / "meta.json").exists():
            try:
                return load_snapshot(fresh)
            except OfAnotherVersion as error:
                log.warning("ranking is learned anew from what it began with: %s", error)
            except Damaged as error:
                set_aside(error.path, error.cause, "ranking is learned anew from what it began with")
        return load_snapshot(artifact_folder(self._cache))

    def _embed(self, before: Snapshot) -> Embed | None:
        """What reads texts, where the network does; one that began without goes on without."""
        return load_minilm(self._cache).embed if before.meta.shape.content else None

    def _publish(self, before: Snapshot, after: Snapshot) -> None:
        """Serve ``after``; ``before`` becomes the stale one where there is none, or that one is too old."""
        stale = stale_folder(self._home)
        if not _has_since(stale, self._clock() - self._stale_s):
            save_snapshot(stale, before)
        meta = after.meta.model_copy(update={"model": before.meta.model, "trained_at": self._clock()})
        save_snapshot(fresh_folder(self._home), replace(after, meta=meta))


def _has_since(folder: Path, at: float) -> bool:
    """Whether a folder has a snapshot that was trained at a time or later, and that can be read."""
    try:
        return (folder / "meta.json").exists() and describe_at(folder).trained_at >= at
    except Damaged:
        return False
