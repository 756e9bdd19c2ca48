import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from minipool import MiniPool

from tenfold.core.config import KindSettings, PoolSettings
from tenfold.pool.demand import WorkloadPlan


@pytest.fixture
def toys_importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])


@pytest.fixture
async def make_pool(tmp_path, toys_importable) -> AsyncIterator:
    pools: list[MiniPool] = []

    async def make(
        *plans: WorkloadPlan,
        slots: int = 4,
        paths=None,
        workload_settings=None,
        at_once=None,
        ledger_url="",
        **settings,
    ) -> MiniPool:
        pool = MiniPool(
            home=tmp_path,
            plans=plans,
            paths=paths or {"/work": "serve", "/stream": "serve"},
            settings=PoolSettings(kinds={"cpu": KindSettings(slots=slots)}, tick_s=0.1, **{"idle_s": 0.5, **settings}),
            workload_settings=workload_settings or {},
            at_once=at_once,
            ledger_url=ledger_url,
        )
        pools.append(pool)
        await pool.start()
        return pool

    yield make
    for pool in pools:
        await pool.close()
