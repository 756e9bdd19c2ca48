"""What came of a day: per workload, who was answered, how soon, and what training got meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field
from rich.table import Table

from tenfold.core.frozen import Frozen

Outcome = Literal["answered", "shed", "failed"]

CHAT, RANK = "serve", "rank"
"""The workloads that take requests, by their names in the pool."""


@dataclass(frozen=True, slots=True)
class Record:
    """One request.

    ``at_s``: when it was due, seconds from the day's start. ``latency_s``: from due to the first token of a chat, or to
    the ranked list. ``total_s``: from due to the end of the answer. ``status``: HTTP status, 0 if there was none.
    """

    workload: str
    at_s: float
    outcome: Outcome
    status: int
    latency_s: float
    total_s: float
    tokens: int


class WorkloadReport(Frozen):
    """One workload's day."""

    workload: str
    requests: int = Field(description="requests due; each is answered, shed or failed")
    answered: int
    shed: int = Field(description="refused with 429")
    failed: int = Field(description="any other status, a broken connection, a timeout, or not sent: too many in flight")
    latency_p50_s: float | None = Field(description="of the answered: seconds from due to first token or ranked list")
    latency_p95_s: float | None
    latency_p99_s: float | None
    total_p95_s: float | None = Field(description="of the answered: seconds from due to the end of the answer")
    latency_target_s: float | None
    attainment: float | None = Field(description="share of requests answered within the target, 0 to 1")
    tokens: int = Field(description="tokens received")


class PeopleReport(Frozen):
    """What people did with the feed, as only the world knows."""

    people: int
    visits: int
    pages: int = Field(description="feeds opened and answered")
    ranked: int = Field(description="of these, chosen by the ranking model")
    failed: int = Field(description="feeds asked for that did not come")
    watched_minutes: float = Field(description="of the world's time")
    lost_events: int = Field(description="events that the feed never acknowledged")
    feed_p50_s: float | None = Field(description="seconds to a feed")
    feed_p95_s: float | None


class AdsReport(Frozen):
    """What people did with ads, as only the world knows."""

    seen: int
    clicked: int = Field(description="by people who were interested")
    expected_clicks: float = Field(description="sum of the true chances of all ads that such people saw")
    cheated: int = Field(description="ads that were clicked by who clicks everything")
    bought: int = Field(description="after a click")
    needed: int = Field(description="bought from an advertiser without a click")
    lost: int = Field(description="messages to ads that were never taken")


class DayReport(Frozen):
    """A day's result."""

    duration_s: float
    wall_s: float = Field(description="seconds to the last answer")
    seed: int
    workloads: tuple[WorkloadReport, ...]
    attainment: float | None = Field(description="over all requests")
    training_tokens: float = Field(description="tokens trained on during the day")
    training_tokens_per_s: float
    sender_cpu_s: float = Field(description="CPU seconds that sending took")
    people: PeopleReport | None = Field(None, description="none where nobody came to the feed")
    ads: AdsReport | None = Field(None, description="none where nobody advertised")


def workload_report(workload: str, records: Sequence[Record], target_s: float | None) -> WorkloadReport:
    """Sum up one workload's records; a shed or failed request has missed its target."""
    mine = [record for record in records if record.workload == workload]
    answered = [record for record in mine if record.outcome == "answered"]
    p50, p95, p99 = percentiles([record.latency_s for record in answered], (50, 95, 99))
    (total_p95,) = percentiles([record.total_s for record in answered], (95,))
    return WorkloadReport(
        workload=workload,
        requests=len(mine),
        answered=len(answered),
        shed=sum(record.outcome == "shed" for record in mine),
        failed=sum(record.outcome == "failed" for record in mine),
        latency_p50_s=p50,
        latency_p95_s=p95,
        latency_p99_s=p99,
        total_p95_s=total_p95,
        latency_target_s=target_s,
        attainment=attained_count(answered, target_s) / len(mine) if mine else None,
        tokens=sum(record.tokens for record in mine),
    )


def attained_count(answered: Sequence[Record], target_s: float | None) -> int:
    """Count the answered requests that met the target; without a target, all did."""
    return sum(target_s is None or record.latency_s <= target_s for record in answered)


def overall_attainment(workloads: Sequence[WorkloadReport]) -> float | None:
    """Give the share of all requests that were answered in time; None without requests."""
    asked = sum(each.requests for each in workloads)
    return sum((each.attainment or 0.0) * each.requests for each in workloads) / asked if asked else None


def in_words(people: PeopleReport) -> str:
    """Say in a line what people did."""
    pages = f"{people.pages:,} pages ({people.ranked:,} ranked, {people.failed:,} failed)"
    return (
        f"{people.people:,} people: {people.visits:,} visits, {pages}, {people.watched_minutes:,.0f} minutes watched; "
        f"a feed took {_duration(people.feed_p50_s)}, p95 {_duration(people.feed_p95_s)}"
    )


def ads_in_words(ads: AdsReport) -> str:
    """Say in a line what people did with ads."""
    clicks = f"{ads.clicked:,} clicks ({ads.expected_clicks:.1f} expected by the truth), {ads.cheated:,} by cheats"
    return (
        f"ads: {ads.seen:,} seen, {clicks}; {ads.bought:,} sales after a click, {ads.needed:,} without; "
        f"{ads.lost:,} messages lost"
    )


def table(report: DayReport) -> Table:
    """Give the report as a table for a terminal, training as its last row."""
    title = f"A day in {report.duration_s:g} s (seed {report.seed}); {report.wall_s:.1f} s to the last answer"
    # Nine narrow columns, so that a terminal of 80 shows them whole.
    view = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    view.add_column("workload")
    for heading in ("requests", "shed", "failed", "p50", "p95", "p99", "in time", "tokens"):
        view.add_column(heading, justify="right", no_wrap=True)
    for each in report.workloads:
        view.add_row(
            each.workload,
            f"{each.requests:,}",
            f"{each.shed:,}",
            f"{each.failed:,}",
            _duration(each.latency_p50_s),
            _duration(each.latency_p95_s),
            _duration(each.latency_p99_s),
            "-" if each.attainment is None else f"{each.attainment:.1%}",
            f"{each.tokens:,}" if each.tokens else "-",
        )
    view.add_row("train", *["-"] * 7, f"{report.training_tokens:,.0f}")
    return view


def percentiles(values: Sequence[float], percents: Sequence[int]) -> list[float | None]:
    """Give percentiles to six digits; none of no values."""
    if not values:
        return [None] * len(percents)
    return [round(float(value), 6) for value in np.percentile(values, percents)]


def _duration(value_s: float | None) -> str:
    if value_s is None:
        return "-"
    return f"{value_s * 1e3:.0f} ms" if value_s < 1 else f"{value_s:.2f} s"
