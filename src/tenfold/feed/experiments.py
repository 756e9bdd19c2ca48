"""What the feed's experiments have come to, as the API, the command and the page tell it."""

import math

from pydantic import Field
from sqlalchemy import Connection

from tenfold.core.frozen import Frozen
from tenfold.experiment.compare import Comparison, Interval
from tenfold.feed.settings import HOLDOUT, FeedSettings
from tenfold.feed.subjects import (
    POPULAR,
    RANKED,
    ArmFigures,
    compared,
    designs_of,
    holdout_text,
    read_figures,
)


class IntervalView(Frozen):
    """An estimate with an interval that holds however often somebody looks; no ends: nothing is known yet."""

    estimate: float
    low: float | None
    high: float | None

    @property
    def is_sure(self) -> bool:
        """Whether 0 is outside."""
        return (self.low is not None and self.low > 0) or (self.high is not None and self.high < 0)


class MetricView(Frozen):
    """An arm against control, by one metric."""

    metric: str
    treated: float
    control: float
    difference: IntervalView = Field(description="treated less control, what differed before taken out")
    relative: IntervalView | None = Field(description="as a part of control's; none where control has none")
    saved: float = Field(description="part of the variance that the past has taken out")


class ArmView(Frozen):
    """One arm."""

    arm: str
    share: float = Field(description="of all people who are not held out")
    gets: str = Field(description="what its people get, in words")
    people: int
    watched_minutes: float
    visits: int
    against_control: tuple[MetricView, ...] = Field(description="empty for control, and while it is too early")


class ExperimentView(Frozen):
    """One experiment."""

    name: str
    control: str
    counts: str = Field(description="who takes part, and from when on")
    since: float | None = Field(description="Unix seconds of the first person; none while there is nobody")
    arms: tuple[ArmView, ...]


class Experiments(Frozen):
    """All experiments of the feed."""

    experiments: tuple[ExperimentView, ...]


def read_experiments(connection: Connection, settings: FeedSettings) -> Experiments:
    """Compare the arms of the holdout and of each experiment of the settings."""
    figures = read_figures(connection, HOLDOUT, holdout_text(settings.holdout))
    gets = {RANKED: "what ranking chooses", POPULAR: "the popular list"}
    shares = {RANKED: 1.0 - settings.holdout, POPULAR: settings.holdout}
    found = [_view(HOLDOUT, POPULAR, "everybody, from their first event on", shares, gets, figures)]
    for design in designs_of(settings):
        counts = "who is not held out, from "
        counts += (
            "a first choice on a second surface on: before that the arms are the same"
            if design.settings.begins_at_second_surface
            else "their first event on"
        )
        gets = {
            name: ("what ranking chooses" if arm.by == "rank" else "the popular list")
            + (", knowing this surface's history alone" if arm.by == "rank" and arm.history == "surface" else "")
            for name, arm in design.settings.arms.items()
        }
        figures = read_figures(connection, design.name, design.text)
        found.append(_view(design.name, design.settings.control, counts, design.settings.shares, gets, figures))
    return Experiments(experiments=tuple(found))


def _view(
    name: str,
    control: str,
    counts: str,
    shares: dict[str, float],
    gets: dict[str, str],
    figures: dict[str, ArmFigures],
) -> ExperimentView:
    arms = []
    for arm, share in shares.items():
        found = figures.get(arm)
        against = {} if arm == control else compared(figures, arm, control)
        arms.append(
            ArmView(
                arm=arm,
                share=share,
                gets=gets[arm],
                people=0 if found is None else found.people,
                watched_minutes=0.0 if found is None else found.watched_s / 60.0,
                visits=0 if found is None else round(found.visits),
                against_control=tuple(_metric(metric, each) for metric, each in against.items() if each is not None),
            )
        )
    since = min((each.since for each in figures.values()), default=None)
    return ExperimentView(name=name, control=control, counts=counts, since=since, arms=tuple(arms))


def _metric(metric: str, found: Comparison) -> MetricView:
    return MetricView(
        metric=metric,
        treated=found.treated,
        control=found.control,
        difference=_interval(found.difference),
        relative=None if math.isnan(found.relative.estimate) else _interval(found.relative),
        saved=found.saved,
    )


def _interval(found: Interval) -> IntervalView:
    known = math.isfinite(found.low) and math.isfinite(found.high)
    return IntervalView(estimate=found.estimate, low=found.low if known else None, high=found.high if known else None)
