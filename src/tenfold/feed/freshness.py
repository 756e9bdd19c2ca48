"""What a fresher ranking model has watched beyond a stale one: the worth of training it."""

from collections.abc import Sequence

from sqlalchemy import Connection

from tenfold.feed.subjects import Design, read_figures
from tenfold.product.holdout import earned_beyond_fallback


class Freshness:
    """Follows the experiments of which one arm gets the stale snapshot and another the newest.

    What was watched while the feed's process was away is not counted.

    Args:
        designs: of all experiments.
    """

    def __init__(self, designs: Sequence[Design]) -> None:
        self._designs = [design for design in designs if {"fresh", "stale"} <= set(_snapshots(design).values())]
        self._before: dict[str, dict[str, float]] = {}

    def watched_beyond_s(self, connection: Connection) -> float | None:
        """Seconds that those with the newest snapshot watched since the last time, beyond those with the stale one.

        None while there is no such experiment, or nobody in one of its arms.
        """
        found: list[float] = []
        for design in self._designs:
            figures = read_figures(connection, design.name, design.text)
            now = {arm: each.watched_s for arm, each in figures.items()}
            before = self._before.get(design.name)
            self._before[design.name] = now
            if before is None:
                continue
            people, watched_s = dict.fromkeys(("fresh", "stale"), 0), dict.fromkeys(("fresh", "stale"), 0.0)
            for arm, snapshot in _snapshots(design).items():
                if arm in figures:
                    people[snapshot] += figures[arm].people
                    watched_s[snapshot] += now[arm] - before.get(arm, 0.0)
            beyond = earned_beyond_fallback(
                watched_s["fresh"],
                watched_s["stale"],
                served_people=people["fresh"],
                held_out_people=people["stale"],
            )
            if beyond is not None and people["fresh"]:
                found.append(beyond)
        return sum(found) if found else None


def _snapshots(design: Design) -> dict[str, str]:
    """Which snapshot each arm asks, of those that ranking chooses for and that are alike otherwise."""
    return {
        name: arm.snapshot for name, arm in design.settings.arms.items() if arm.by == "rank" and arm.history == "all"
    }
