"""All that the front has of models: the door to them, the backends, the meter, and what others ask of these."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tenfold.pool.backends.backends import Backends, make_backends
from tenfold.pool.gateway import Gateway
from tenfold.pool.keys import Keyring
from tenfold.pool.metering.meter import Meter
from tenfold.pool.model_door import ModelDoor
from tenfold.pool.model_plan import ModelPlan
from tenfold.pool.product_route import covers
from tenfold.pool.state import PoolState

MODEL_ROLES = ("developer",)
"""Roles of keys that may ask models, beside operators."""

MODELS_PATH = "/v1/models"


class Models:
    """The models that a front answers for.

    Args:
        gateway: asks residents.
        plan: what models there are.
        workload: the one whose residents serve this pool's own.
        keyring: knows the budgets of keys.
        store_url: of the meter's database.
        state: the pool's state, for the price of the workload's work.
        body_limit_bytes: largest request body.
        usd_per_unit: price of a unit of its work while the pool tells none.

    ``asked_at``: the paths at which a body names the model that it asks.
    """

    def __init__(
        self,
        gateway: Gateway,
        plan: ModelPlan,
        workload: str,
        keyring: Keyring,
        store_url: str,
        *,
        state: Callable[[], PoolState | None],
        body_limit_bytes: int,
        usd_per_unit: float,
    ) -> None:
        self.plan = plan
        self.backends: Backends = make_backends(plan.backends)
        self.meter = Meter(plan.budgets, keyring.budget_of)
        self._workload = workload
        self._store_url = store_url
        self._state = state
        self._usd_per_unit = usd_per_unit
        self.door = ModelDoor(
            gateway,
            plan,
            self.backends,
            self.meter,
            usd_per_unit=self._price,
            body_limit_bytes=body_limit_bytes,
        )
        self.asked_at = gateway.paths_of(workload)

    def has(self, path: str) -> bool:
        """Whether a path is about models: asks one, or tells of them."""
        return path in self.asked_at or covers(MODELS_PATH, path)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold connections to backends, and keep the meter's database up to date, for as long as the context lasts."""
        async with self.backends.running():
            writing = asyncio.create_task(self.meter.write_for_ever(self._store_url))
            try:
                yield
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    def trouble(self) -> str:
        """Which backends are left alone; empty if none is."""
        left = [view.name for view in self.backends.views() if view.state == "open"]
        return f"backends that failed again and again are left alone: {', '.join(left)}" if left else ""

    def _price(self) -> float:
        state = self._state()
        views = state.workloads if state is not None else ()
        price = next((view.price for view in views if view.workload == self._workload), None)
        return self._usd_per_unit if price is None else price.usd
