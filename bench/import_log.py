"""How much memory and time `tenfold replay import` takes of a log of requests, by its length.

A log in the form of Azure's LLM traces (`TIMESTAMP,ContextTokens,GeneratedTokens`) of so many requests over a week is
made, by day busier than by night, and imported in a process of its own, as a user would.

    python bench/import_log.py [--rows 10000000]

The default takes about 2 minutes of one core. The last line is one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WEEK_S = 7 * 86400
BATCH = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "week.csv"
        write_log(log, args.rows)
        print(json.dumps(import_log(log, Path(folder) / "week") | {"rows": args.rows}))


def write_log(path: Path, rows: int) -> None:
    """Write a week of requests, in the order of time."""
    rng = np.random.default_rng(1)
    begin = np.datetime64("2024-05-12T00:00:00", "us")
    with path.open("w") as file:
        file.write("TIMESTAMP,ContextTokens,GeneratedTokens\n")
        for first in range(0, rows, BATCH):
            share = (first + np.arange(min(BATCH, rows - first))) / rows
            # What has come of a day by each hour of it: half as much again at noon, half as much at night.
            at_s = WEEK_S * (share - np.sin(14 * np.pi * share) / (28 * np.pi))
            moments = np.datetime_as_string(begin + (1e6 * at_s).astype("timedelta64[us]"))
            prompts, answers = rng.lognormal(7, 1, len(share)), rng.lognormal(4, 1, len(share))
            file.writelines(
                f"{moment.replace('T', ' ')}+00:00,{prompt:.0f},{answer:.0f}\n"
                for moment, prompt, answer in zip(moments.tolist(), prompts, answers, strict=True)
            )


def import_log(log: Path, output: Path) -> dict[str, float]:
    """Import it; tells seconds, CPU seconds and the most memory that the process had."""
    command = [
        str(Path(sys.executable).with_name("tenfold")),
        "replay",
        "import",
        str(log),
        "-o",
        str(output),
        "--json",
    ]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the import ended with {process.returncode}")
    return {
        "csv_mb": round(log.stat().st_size / 1e6),
        "wall_s": round(time.monotonic() - began, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "peak_rss_mb": round(used.ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
