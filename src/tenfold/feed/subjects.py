"""The feed's experiments: who takes part, what they came to, and by how much the arms differ.

A person takes part from the first moment at which the arms differ for them, whichever arm they are in: where only the
history differs, that is once they have chosen something on a second surface. People for whom nothing differs would only
add noise (as with ghost ads: Johnson, Lewis and Nubbemeyer 2017). What they watched before is their past, by which the
luck of the draw is taken out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection

from tenfold.experiment.compare import Comparison, compare
from tenfold.experiment.draw import arm_of
from tenfold.experiment.moments import Moments
from tenfold.feed.arms import Arm
from tenfold.feed.contract import FeedEvent
from tenfold.feed.settings import HOLDOUT, ArmSettings, ExperimentSettings, FeedSettings
from tenfold.feed.tables import subjects

RANKED, POPULAR = "ranked", "popular"

_OF, _VALUES = sa.bindparam("of"), sa.bindparam("values", expanding=True)
_PARTS_OF = sa.select(subjects.c.experiment, subjects.c.person).where(subjects.c.person.in_(_VALUES))
_MORE = (
    sa.update(subjects)
    .where(subjects.c.person == _OF)
    .values(
        watched_s=subjects.c.watched_s + sa.bindparam("more_s"),
        clips=subjects.c.clips + sa.bindparam("more_clips"),
        clip_squares=subjects.c.clip_squares + sa.bindparam("more_squares"),
        visits=subjects.c.visits + sa.bindparam("more_visits"),
    )
)


@dataclass(frozen=True, slots=True)
class Design:
    """An experiment as people are drawn for it; those drawn for another design are never compared with them."""

    name: str
    settings: ExperimentSettings

    @property
    def text(self) -> str:
        """The design in words, by which its people are told from those of another."""
        arms = self.settings.arms
        return ", ".join(f"{name} {arm.share!r} {arm.by} {arm.history}" for name, arm in arms.items())

    def arm_of(self, person: str) -> str | None:
        """A person's arm; none if the experiment leaves them out."""
        return arm_of(person, self.settings.shares, f"feed: {self.name}")


def designs_of(settings: FeedSettings) -> tuple[Design, ...]:
    """The experiments of a feed's settings."""
    return tuple(Design(name, each) for name, each in settings.experiments.items())


def holdout_text(share: float) -> str:
    """The design of the holdout, in words."""
    return f"{POPULAR} {share!r}"


def ways_for(person: str, designs: Sequence[Design]) -> tuple[dict[str, str], ArmSettings | None]:
    """The arms of a person who is not held out, and how their feed is made; none: as everybody's."""
    arms = {design.name: arm for design in designs if (arm := design.arm_of(person)) is not None}
    plain = ArmSettings(share=1.0)
    for design in designs:
        if design.name in arms:
            way = design.settings.arms[arms[design.name]]
            if (way.by, way.history, way.snapshot) != (plain.by, plain.history, plain.snapshot):
                return arms, way
    return arms, None


def count_in(
    connection: Connection,
    fresh: Sequence[FeedEvent],
    arm_by: Mapping[str, Arm],
    designs: Sequence[Design],
    past_s: Mapping[str, float],
    surfaces: Mapping[str, int],
    more_visits: Counter[str],
    now: float,
) -> None:
    """Add events to their people's figures; people for whom the arms differ from now on take part.

    Args:
        connection: in a transaction that may write.
        fresh: events that were not counted before.
        arm_by: of each person, whether held out.
        designs: experiments that run, beside the holdout.
        past_s: seconds that each person had watched before.
        surfaces: how many surfaces each has chosen something on, these events included.
        more_visits: visits of each that began with these events.
        now: Unix seconds.
    """
    names = sorted(arm_by)
    taking_part = {(row.experiment, row.person) for row in connection.execute(_PARTS_OF, {"values": names})}
    at_once, from_next = [], []
    for person in names:
        share, held_out = arm_by[person]
        if (HOLDOUT, person) not in taking_part:
            arm = POPULAR if held_out else RANKED
            at_once.append(_row(HOLDOUT, person, holdout_text(share), arm, now, past_s[person]))
        for design in designs:
            if held_out or (design.name, person) in taking_part or (arm := design.arm_of(person)) is None:
                continue
            if not design.settings.begins_at_second_surface:
                at_once.append(_row(design.name, person, design.text, arm, now, past_s[person]))
            elif surfaces[person] > 1:
                # These events came from feeds that did not differ yet: they are past.
                watched_s = sum(e.seconds for e in fresh if e.person == person and e.action == "watched")
                from_next.append(_row(design.name, person, design.text, arm, now, past_s[person] + watched_s))
    if at_once:
        connection.execute(sa.insert(subjects), at_once)
    connection.execute(_MORE, _figures(names, fresh, more_visits))
    if from_next:
        # The visit in which it begins counts as one: what is watched in it counts too.
        connection.execute(sa.insert(subjects), [row | {"visits": 1} for row in from_next])


def _row(experiment: str, person: str, design: str, arm: str, since: float, past_s: float) -> dict[str, object]:
    return {
        "experiment": experiment,
        "person": person,
        "design": design,
        "arm": arm,
        "since": since,
        "past_s": past_s,
        "watched_s": 0.0,
        "clips": 0,
        "clip_squares": 0.0,
        "visits": 0,
    }


def _figures(names: Sequence[str], fresh: Sequence[FeedEvent], more_visits: Counter[str]) -> list[dict[str, object]]:
    clips: dict[str, list[float]] = {name: [] for name in names}
    for event in fresh:
        if event.action == "watched":
            clips[event.person].append(event.seconds)
    return [
        {
            "of": name,
            "more_s": sum(clips[name]),
            "more_clips": len(clips[name]),
            "more_squares": sum(each**2 for each in clips[name]),
            "more_visits": more_visits[name],
        }
        for name in names
    ]


def arms_counted(connection: Connection, person: str) -> dict[str, str]:
    """Read the experiments that have counted a person, and the person's arm in each."""
    query = sa.select(subjects.c.experiment, subjects.c.arm).where(subjects.c.person == person)
    return {row.experiment: row.arm for row in connection.execute(query.order_by(subjects.c.experiment))}


# ---- what came of it


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm's people: what they watched per person, per visit, and how often they came, in sums."""

    people: int
    watched_s: float
    visits: float
    since: float
    per_person: Moments
    per_visit: Moments
    visits_per_person: Moments


def read_figures(connection: Connection, experiment: str, design: str) -> dict[str, ArmFigures]:
    """Sum up the people of each arm."""
    w, v, p = subjects.c.watched_s, sa.cast(subjects.c.visits, sa.Float), subjects.c.past_s
    sums = [sa.func.sum(each) for each in (w, v, p, w * w, w * v, w * p, v * v, v * p, p * p)]
    steps = sa.func.sum(subjects.c.clips), sa.func.sum(subjects.c.clip_squares)
    query = (
        sa.select(subjects.c.arm, sa.func.count(), sa.func.min(subjects.c.since), *sums, *steps)
        .where(subjects.c.experiment == experiment, subjects.c.design == design)
        .group_by(subjects.c.arm)
    )
    rows: list[tuple[Any, ...]] = [tuple(row) for row in connection.execute(query)]
    return {arm: _arm_figures(*figures) for arm, *figures in rows}


def _arm_figures(
    people: int,
    since: float,
    w: float,
    v: float,
    p: float,
    ww: float,
    wv: float,
    wp: float,
    vv: float,
    vp: float,
    pp: float,
    clips: int,
    clip_squares: float,
) -> ArmFigures:
    def moments(sum_K: Sequence[float], product_KK: Sequence[Sequence[float]], steps: int, squares: float) -> Moments:
        return Moments(people, np.array(sum_K, float), np.array(product_KK, float), steps, squares)

    return ArmFigures(
        people,
        w,
        v,
        since,
        per_person=moments((w, people, p), ((ww, w, wp), (w, people, p), (wp, p, pp)), clips, clip_squares),
        per_visit=moments((w, v, p), ((ww, wv, wp), (wv, vv, vp), (wp, vp, pp)), clips, clip_squares),
        visits_per_person=moments((v, people, p), ((vv, v, vp), (v, people, p), (vp, p, pp)), round(v), v),
    )


METRICS = {
    "watched seconds per person": lambda arm: arm.per_person,
    "watched seconds per visit": lambda arm: arm.per_visit,
    "visits per person": lambda arm: arm.visits_per_person,
}


def compared(figures: Mapping[str, ArmFigures], treated: str, control: str) -> dict[str, Comparison | None]:
    """Compare two arms by each metric; none where it is too early."""
    if treated not in figures or control not in figures:
        return dict.fromkeys(METRICS)
    return {name: compare(of(figures[treated]), of(figures[control])) for name, of in METRICS.items()}
