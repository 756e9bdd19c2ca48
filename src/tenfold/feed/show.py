"""Prints a feed, what is remembered of a person, and how experiments stand."""

from tenfold.core.show import grid, machine, out
from tenfold.feed.contract import Feed, Known
from tenfold.feed.experiments import Experiments, ExperimentView, IntervalView


def feed(found: Feed, json: bool) -> None:
    """Print the cards, best first."""
    if json:
        machine(found)
        return
    chosen = "chosen by the ranking model" if found.by == "rank" else f"the popular list: {found.because}"
    out.print(f"{found.person}, {found.surface}: {chosen}", markup=False)
    if not found.cards:
        out.print("nothing is left to show", markup=False)
        return
    table = grid("item", "title", "why", folding={"why"})
    for card in found.cards:
        table.add_row(str(card.item), card.title, card.reason)
    out.print(table, markup=False)


def known(found: Known, json: bool) -> None:
    """Print what a person watched, the latest first."""
    if json:
        machine(found)
        return
    held_out = ", held out: gets the popular list" if found.holdout else ""
    less = f", less like {len(found.less)}" if found.less else ""
    out.print(
        f"{found.person}: {found.events} events, {len(found.blocked)} items blocked{less}{held_out}", markup=False
    )
    table = grid("item", "title", "genres")
    for card in reversed(found.watched):
        table.add_row(str(card.item), card.title, ", ".join(card.genres))
    out.print(table, markup=False)


def experiments(found: Experiments, json: bool) -> None:
    """Print each experiment: its arms, and by how much they differ."""
    if json:
        machine(found)
        return
    for each in found.experiments:
        _experiment(each)
    out.print(
        "\nIntervals hold with 95% at all looks together. Further experiments: [feed.experiments.NAME] in tenfold.toml",
        markup=False,
    )


def _experiment(found: ExperimentView) -> None:
    table = grid("arm", "gets", "people", "watched min", "visits", title=found.name, words=2)
    for arm in found.arms:
        name = f"{arm.arm} (control)" if arm.arm == found.control else arm.arm
        table.add_row(name, arm.gets, f"{arm.people:,}", f"{arm.watched_minutes:,.1f}", f"{arm.visits:,}")
    out.print(table, markup=False)
    metrics = [(arm.arm, metric) for arm in found.arms for metric in arm.against_control]
    if not metrics:
        out.print("too early to compare: each arm needs 30 people", markup=False)
        return
    table = grid("against control", "metric", "its", "control's", "by", "95% interval", "", words=2)
    for arm, metric in metrics:
        by = metric.relative or metric.difference
        in_percent = metric.relative is not None
        table.add_row(
            arm,
            metric.metric,
            f"{metric.treated:.3g}",
            f"{metric.control:.3g}",
            _part(by.estimate, in_percent),
            interval_text(by, in_percent),
            "sure" if by.is_sure else "not sure",
        )
    out.print(table, markup=False)


def interval_text(found: IntervalView, in_percent: bool) -> str:
    """Write the ends of an interval."""
    if found.low is None or found.high is None:
        return "unknown"
    return f"{_part(found.low, in_percent)} to {_part(found.high, in_percent)}"


def _part(value: float, in_percent: bool) -> str:
    return f"{value:+.1%}" if in_percent else f"{value:+.3g}"
