"""A world's log in a table for a terminal."""

from pydantic import Field
from rich.table import Table

from tenfold.core.frozen import Frozen
from tenfold.world.events import Bools, Log


class SurfaceSummary(Frozen):
    """What happened on one surface."""

    surface: str
    items: int = Field(description="there at some time")
    seen: int = Field(description="cards that people saw")
    opened_policy: float | None = Field(description="share of the seen cards of the policy's pages that was opened")
    opened_random: float | None = Field(description="the same of pages drawn at random")
    minutes: float = Field(description="watched, per person and day")


class LogSummary(Frozen):
    """What happened in a world."""

    people: int
    days: int
    correlation: float
    seed: int
    surfaces: tuple[SurfaceSummary, ...]


def summary_of(log: Log, seed: int) -> LogSummary:
    """Sum up a log by surface."""
    terms = log.terms
    person_days = terms.people * terms.days
    found = []
    for index, surface in enumerate(terms.surfaces):
        on_E = log.surface_E == index
        policy, random = (_mean(log.opened_E[on_E & (log.by_policy_E == chosen)]) for chosen in (True, False))
        found.append(
            SurfaceSummary(
                surface=surface.name,
                items=int(((log.stock.surface_I == index) & (log.stock.born_I < terms.days)).sum()),
                seen=int(on_E.sum()),
                opened_policy=policy,
                opened_random=random,
                minutes=round(float(log.watched_s_E[on_E].sum()) / 60 / person_days, 3),
            )
        )
    return LogSummary(
        people=terms.people, days=terms.days, correlation=terms.correlation, seed=seed, surfaces=tuple(found)
    )


def table(summary: LogSummary) -> Table:
    """Give the summary as a table."""
    title = (
        f"{summary.people:,} people over {summary.days} days; their interests on two surfaces correlate by "
        f"{summary.correlation:g} (seed {summary.seed})"
    )
    view = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    view.add_column("surface")
    for heading in ("items", "seen", "opened", "of random", "minutes a day"):
        view.add_column(heading, justify="right", no_wrap=True)
    for each in summary.surfaces:
        view.add_row(
            each.surface,
            f"{each.items:,}",
            f"{each.seen:,}",
            _share(each.opened_policy),
            _share(each.opened_random),
            f"{each.minutes:.2f}",
        )
    return view


def _mean(values: Bools) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
