"""How long the controller waits for its ledger while old days leave it, and what that leaves of the file.

    .venv/bin/python bench/ledger_retention.py [--days 21] [--keep 14]

Makes an SQLite ledger like a pool's (an event of 2 kB every 10 s), lets the process of ``ledger/retention.py`` move to
files what is over ``--keep`` days, and meanwhile records an event every 50 ms as the controller does. The last line is
JSON.
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from tenfold.core.config import StoreSettings
from tenfold.core.store import store_url
from tenfold.ledger import retention
from tenfold.ledger.ledger import LEDGER, Event, Ledger
from tenfold.ledger.recorder import Recorder

A_DAY, EVERY_S, BYTES = 8640, 0.05, 2000
DAY_S = 86400.0


def fill(url: str, days: int) -> None:
    body = {"workloads": "x" * BYTES}
    today = time.time() // DAY_S * DAY_S
    with closing(Ledger(url)) as ledger:
        for day in range(days, 0, -1):
            at = today - day * DAY_S
            ledger.extend([Event(0, at + 10.0 * number, "standings", "pool", body) for number in range(A_DAY)])


async def record_meanwhile(
    recorder: Recorder, wanted: retention.Retention
) -> tuple[retention.Forgotten, list[float], float]:
    await recorder.opened()
    start = time.perf_counter()
    work = asyncio.create_task(retention._in_a_process(wanted))
    waits = []
    while not work.done():
        began = time.perf_counter()
        recorder.append("move", "n0/cpu0", {"number": len(waits), "reason": "worth more", "seconds": 0.1})
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(EVERY_S)
    return work.result(), waits, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=21)
    parser.add_argument("--keep", type=int, default=14)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        url = store_url(StoreSettings(), home, LEDGER)
        fill(url, chosen.days)
        path = home / "ledger.db"
        before = path.stat().st_size
        recorder = Recorder(lambda: Ledger(url, mends=True), str(path))
        wanted = retention.Retention(url=url, folder=home / "days", keep_days=chosen.keep)
        found, waits, seconds = asyncio.run(record_meanwhile(recorder, wanted))
        assert not recorder.trouble, recorder.trouble
        recorder.close()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(
            json.dumps(
                {
                    "events": found.events,
                    "days": len(found.days),
                    "seconds": round(seconds, 1),
                    "cpu_s": round(used.ru_utime + used.ru_stime, 1),
                    "appends": len(waits),
                    "wait_p50_ms": round(1e3 * float(np.median(waits)), 2),
                    "wait_p99_ms": round(1e3 * float(np.quantile(waits, 0.99)), 2),
                    "wait_max_ms": round(1e3 * max(waits), 1),
                    "file_mb_before": round(before / 1e6, 1),
                    "file_mb_after": round(path.stat().st_size / 1e6, 1),
                    "days_mb": round(sum(file.stat().st_size for file in (home / "days").iterdir()) / 1e6, 2),
                }
            )
        )


if __name__ == "__main__":
    main()
