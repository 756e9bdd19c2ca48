"""What products say that workloads earned them: recorded once in the ledger, and made into prices.

A product keeps its sums until the controller has said that they are recorded, and tells them again after any failure.
So each report has a number that only grows, per incarnation of the product's database, and the ledger takes a number
once.
"""

import logging
import time
from collections.abc import Callable, Iterable

from pydantic import Field, ValidationError

from tenfold.core.frozen import Frozen
from tenfold.ledger.recorder import Recorder
from tenfold.policy.price import Evidence, price
from tenfold.pool.demand import WorkloadPlan
from tenfold.pool.metering.used import NANO
from tenfold.pool.state import PriceView, configured_price

log = logging.getLogger(__name__)

EARNED = "earned"

RESUMED_EVENTS = 20_000
RESUMED_MEMORIES = 5.0
"""Beyond five memories, evidence counts for less than 1%."""


class Earned(Frozen):
    """What one workload's work earned a product since the report before."""

    workload: str = Field(max_length=64)
    nano_usd: int = Field(description="with the workload's work, less what the fallback would have earned", ge=-(2**62))
    units: float = Field(ge=0, allow_inf_nan=False, description="units of the workload's work that this took")
    what: str = Field(max_length=200, description="what it was earned with, e.g. watched minutes")


class EarningsReport(Frozen):
    """Sums of one product; ``number`` grows by each report of an ``incarnation`` of the product's database."""

    product: str = Field(max_length=64)
    incarnation: str = Field(max_length=64)
    number: int = Field(ge=1)
    earned: tuple[Earned, ...]


class Earnings:
    """Keeps each workload's evidence, and the prices that follow.

    Args:
        ledger: where reports are recorded, and read from at the start.
        plans: of all workloads.
        memory_s: seconds in which evidence fades to 37%.
        clock: gives Unix seconds.
    """

    def __init__(
        self,
        ledger: Recorder,
        plans: Iterable[WorkloadPlan],
        memory_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._memory_s = memory_s
        self._clock = clock
        self._plans = {plan.workload: plan for plan in plans}
        self._evidence: dict[str, Evidence] = {}
        self._by_product: dict[tuple[str, str], Evidence] = {}
        self._unsure: set[tuple[str, int]] = set()

    def resume(self) -> None:
        """Take up the evidence that is in the ledger, and no other."""
        # What was told before this is in the ledger, too.
        self._evidence, self._by_product = {}, {}
        self._unsure = set()
        since = self._clock() - RESUMED_MEMORIES * self._memory_s
        for event in reversed(self._ledger.latest(EARNED, RESUMED_EVENTS)):
            if event.at < since:
                continue
            try:
                self._learn(EarningsReport.model_validate(event.body), event.at)
            except ValidationError as error:
                # Another version wrote it. The money is in the ledger; only the price does without it.
                log.warning("event %d of the ledger is no report of earnings here: %s", event.id, error)

    async def take(self, report: EarningsReport) -> bool:
        """Record a report, unless it is recorded already; false if the ledger cannot be written now."""
        subject = f"{report.product}/{report.incarnation}"
        is_new = await self._ledger.record_once(EARNED, subject, report.number, report.model_dump())
        if is_new is None:
            # It may be written all the same, only too late to say so: then it is not new when it is told again.
            self._unsure.add((subject, report.number))
            return False
        if is_new or (subject, report.number) in self._unsure:
            self._learn(report, self._clock())
        self._unsure.discard((subject, report.number))
        return True

    def price_of(self, workload: str) -> PriceView:
        """What a unit of a workload's work is worth now, and where that is from."""
        plan = self._plans[workload]
        evidence = self._evidence.get(workload)
        if evidence is None:
            return configured_price(plan.value_per_unit_usd, is_fixed=plan.price_is_fixed)
        now = self._clock()
        found = price(plan.value_per_unit_usd, evidence.after(now, self._memory_s))
        parts = {
            product: part.after(now, self._memory_s)
            for (of, product), part in sorted(self._by_product.items())
            if of == workload
        }
        return PriceView(
            usd=plan.value_per_unit_usd if plan.price_is_fixed else found.usd,
            source="fixed" if plan.price_is_fixed else "measured",
            configured_usd=plan.value_per_unit_usd,
            low_usd=found.low_usd,
            high_usd=found.high_usd,
            earned_usd=found.earned_usd,
            units=found.units,
            by_product={product: part.usd + part.open_usd for product, part in parts.items()},
        )

    def _learn(self, report: EarningsReport, at: float) -> None:
        for row in report.earned:
            # A product may earn by a workload that this pool does not have now; the ledger has it all the same.
            if row.workload in self._plans:
                usd = row.nano_usd / NANO
                before = self._evidence.get(row.workload, Evidence())
                self._evidence[row.workload] = before.plus(at, row.units, usd, self._memory_s)
                key = row.workload, report.product
                part = self._by_product.get(key, Evidence())
                self._by_product[key] = part.plus(at, row.units, usd, self._memory_s)
