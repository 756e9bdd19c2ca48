"""What changed from one plan to the next: the study, what to do, when, and what it costs.

Numbers count as changed from a relative difference of ``NOTICEABLE`` on, so that the same study solved twice does not
differ by its solver's rounding. How long a solve took, and how near to the bound it ended, is not compared.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from tenfold.plan.result import Item, Plan, Record, Spread, Trigger, Verdict, What, Year
from tenfold.plan.study import Scalar, leaves

NOTICEABLE = 1e-3


class KeyChange(Record):
    """A key of the study; None on the side that does not have it."""

    key: str
    old: Scalar
    new: Scalar


class ItemChange(Record):
    """A thing to do, of which something changed; None where one plan does not have it."""

    what: What
    name: str
    unit: str
    old_verdict: Verdict | None
    new_verdict: Verdict | None
    old_now: float
    new_now: float
    old_probability: float
    new_probability: float
    old_triggers: tuple[str, ...]
    new_triggers: tuple[str, ...]

    @property
    def pending(self) -> bool:
        """Whether someone has something else to do now."""
        return self.old_verdict != self.new_verdict or _differ(self.old_now, self.new_now)


class SpreadChange(Record):
    """A quantity over all scenarios, USD; None where one plan does not have it."""

    name: str
    old: Spread | None
    new: Spread | None


class FigureChange(Record):
    """One figure; None where one plan does not have it."""

    name: str
    measure: Literal["usd", "share"]
    old: float | None
    new: float | None


class PlanDiff(Record):
    """All that changed; empty if nothing did."""

    study: tuple[KeyChange, ...]
    items: tuple[ItemChange, ...]
    capex: tuple[SpreadChange, ...]
    cost: tuple[FigureChange, ...]
    shortages: tuple[FigureChange, ...]
    worth: tuple[FigureChange, ...]

    def __bool__(self) -> bool:
        return bool(self.study or self.items or self.capex or self.cost or self.shortages or self.worth)


def diff(old: Plan, new: Plan) -> PlanDiff:
    """What changed from ``old`` to ``new``."""
    return PlanDiff(
        study=tuple(_study(old, new)),
        items=tuple(_items(old, new)),
        capex=(*_capex(old.capex, new.capex), *_capex(_unseen(old), _unseen(new), ", unseen")),
        cost=tuple(
            _figures(
                "usd",
                _costs(old),
                _costs(new),
            )
        ),
        shortages=tuple(_figures("share", _chances(old), _chances(new))),
        worth=tuple(
            _figures(
                "usd", {worth.name: worth.usd for worth in old.worth}, {worth.name: worth.usd for worth in new.worth}
            )
        ),
    )


def _study(old: Plan, new: Plan) -> Iterator[KeyChange]:
    before, after = dict(leaves(old.study)), dict(leaves(new.study))
    for key in [*before, *(key for key in after if key not in before)]:
        if before.get(key) != after.get(key):
            yield KeyChange(key=key, old=before.get(key), new=after.get(key))


def _items(old: Plan, new: Plan) -> Iterator[ItemChange]:
    before = {(item.what, item.name): item for item in old.items}
    after = {(item.what, item.name): item for item in new.items}
    for key in [*before, *(key for key in after if key not in before)]:
        one, other = before.get(key), after.get(key)
        if one is not None and other is not None and not _item_differs(one, other):
            continue
        known = other or one
        assert known is not None
        yield ItemChange(
            what=known.what,
            name=known.name,
            unit=known.unit,
            old_verdict=one.verdict if one else None,
            new_verdict=other.verdict if other else None,
            old_now=one.now if one else 0.0,
            new_now=other.now if other else 0.0,
            old_probability=one.probability if one else 0.0,
            new_probability=other.probability if other else 0.0,
            old_triggers=tuple(trigger.text for trigger in one.triggers) if one else (),
            new_triggers=tuple(trigger.text for trigger in other.triggers) if other else (),
        )


def _item_differs(one: Item, other: Item) -> bool:
    return (
        one.verdict != other.verdict
        or _differ(one.now, other.now)
        or _differ(one.probability, other.probability)
        or len(one.triggers) != len(other.triggers)
        or any(_trigger_differs(*pair) for pair in zip(one.triggers, other.triggers, strict=True))
    )


def _trigger_differs(one: Trigger, other: Trigger) -> bool:
    same = (one.by, one.workload, one.above) == (other.by, other.workload, other.above)
    return not same or _differ(one.threshold, other.threshold) or _differ(one.amount, other.amount)


def _unseen(plan: Plan) -> Sequence[Year]:
    """Capex on futures that are not in the plan's tree."""
    return plan.unseen.capex if plan.unseen else ()


def _capex(old: Sequence[Year], new: Sequence[Year], where: str = "") -> Iterator[SpreadChange]:
    before = {year.year: year.capex_usd for year in old}
    after = {year.year: year.capex_usd for year in new}
    for year in sorted({*before, *after}):
        one, other = before.get(year), after.get(year)
        if one is None or other is None or _spread_differs(one, other):
            yield SpreadChange(name=f"{year}{where}", old=one, new=other)


def _spread_differs(one: Spread, other: Spread) -> bool:
    pairs = ((one.mean, other.mean), (one.p10, other.p10), (one.p50, other.p50), (one.p90, other.p90))
    return any(_differ(*pair) for pair in pairs)


def _chances(plan: Plan) -> dict[str, float | None]:
    return {outlook.workload: outlook.shortage_probability for outlook in plan.workloads}


def _costs(plan: Plan) -> dict[str, float | None]:
    """What the plan's own tree claims, and what following it costs on futures that it has not seen."""
    found = plan.unseen
    return {
        "mean on unseen futures": found.mean_usd if found else None,
        "mean of the worst of these": found.cvar_usd if found else None,
        "mean, as the tree claims": plan.cost_usd.mean,
        "mean of the worst, as the tree claims": plan.cvar_usd,
    }


def _figures(
    measure: Literal["usd", "share"], before: dict[str, float | None], after: dict[str, float | None]
) -> Iterator[FigureChange]:
    for name in [*before, *(name for name in after if name not in before)]:
        one, other = before.get(name), after.get(name)
        if one is not other if one is None or other is None else _differ(one, other):
            yield FigureChange(name=name, measure=measure, old=one, new=other)


def _differ(one: float, other: float) -> bool:
    return abs(one - other) > NOTICEABLE * max(abs(one), abs(other))
