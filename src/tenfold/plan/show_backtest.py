"""How a backtest is printed for people."""

from rich.table import Table

from tenfold.core.show import grid, out
from tenfold.page.figures import percent, usd
from tenfold.plan.backtest import BUFFER, Backtest, FanScore, ReadingScore, Way

WAY = {"policy": "policy", "rolling": f"rolling +{BUFFER:.0%}", "static": "static"}


def backtest(score: Backtest) -> None:
    """Print the fan against the actual, then each reading: triggers, and what each way spent and was short of."""
    out.print(f"\n[bold]{score.study}[/bold], scored on what happened")
    out.print(_fan(score.fan))
    for capex in score.fan:
        out.print(f"  {capex.year} ({capex.kind}): {capex.source}", style="dim", markup=False, soft_wrap=True)
    for fact in score.facts:
        out.print(f"  fact: {fact}", style="dim", markup=False, soft_wrap=True)
    for name, reading in score.readings.items():
        _reading(name, reading)


def _fan(fan: tuple[FanScore, ...]) -> Table:
    headings = ("", "p10", "p50", "p90", "actual", "among the futures")
    table = grid(*headings, title="Capex: the plan's fan and the actual", words=1)
    for score in fan:
        planned = score.planned_usd
        table.add_row(
            str(score.year),
            usd(planned.p10),
            usd(planned.p50),
            usd(planned.p90),
            _span(usd(score.actual_low_usd), usd(score.actual_high_usd)),
            _span(_place(score.percentile_low), _place(score.percentile_high)),
        )
    return table


def _place(share: float) -> str:
    return {0.0: "below all", 1.0: "above all"}.get(round(share, 9), percent(share))


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} - {high}"


def _reading(name: str, reading: ReadingScore) -> None:
    out.print(f"\n[bold]Reading '{name}'[/bold]")
    out.print(f"  {reading.basis}", style="dim", markup=False)
    table = grid("", "first met", "trigger", title="Triggers")
    for trigger in reading.triggers:
        table.add_row(trigger.state, trigger.first_met or "", trigger.text)
    out.print(table)
    out.print(_ways(reading))
    out.print("cost: mean over a tree of what may follow, which claims too little; it compares the ways", style="dim")


def _ways(reading: ReadingScore) -> Table:
    periods = list(next(iter(reading.ways.values())).capex_usd)
    title = "Capex, the share of demand not served, and the study's cost"
    table = grid("", "", *periods, "cost", title=title, words=2)
    for name, way in reading.ways.items():
        more = way.cost_usd / reading.ways["policy"].cost_usd - 1
        cost = f"{usd(way.cost_usd)} ({more:+.1%})" if name != "policy" else usd(way.cost_usd)
        table.add_row(WAY[name], "capex", *(usd(way.capex_usd[period]) for period in periods), cost)
        for workload in _short(way):
            table.add_row("", f"{workload} short", *(percent(share) for share in way.unserved_share[workload].values()))
    return table


def _short(way: Way) -> list[str]:
    """Workloads that are noticeably short at some time."""
    return [name for name, shares in way.unserved_share.items() if max(shares.values()) > 1e-3]
