"""``tenfold load``: play a day against a running pool, with a progress bar."""

import asyncio

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tenfold.load import client
from tenfold.load.day import Day, parse_duration_s
from tenfold.load.report import DayReport


def play_day(
    url: str, duration: str, rank_peak_per_s: float | None, chat_burst_per_s: float | None, seed: int, console: Console
) -> DayReport:
    """Play one day and report on it; ``duration`` as in ``5m``.

    Raises:
        UsageError: the duration is not one. NotRunning: nothing answers at ``url``.
    """
    duration_s = parse_duration_s(duration)

    async def play() -> DayReport:
        day = client.day_for(
            await client.fetch_state(url),
            duration_s,
            rank_peak_per_s=rank_peak_per_s,
            chat_burst_per_s=chat_burst_per_s,
            seed=seed,
        )
        console.print(_describe(day), style="dim", markup=False)
        return await run(url, day, console)

    return asyncio.run(play())


async def run(url: str, day: Day, console: Console) -> DayReport:
    """Play ``day`` with a progress bar."""
    with Progress(TextColumn("  {task.description}"), BarColumn(40), console=console) as bar:
        task = bar.add_task("", total=day.duration_s)

        def progress(now: client.Progress) -> None:
            text = f"{now.hour:04.1f} h  {now.answered} answered  {now.shed} shed  {now.failed} failed"
            bar.update(task, completed=now.elapsed_s, description=text)

        return await client.run_day(url, day, progress)


def _describe(day: Day) -> str:
    return f"  a day in {day.duration_s:g} s: {len(day.rank_at_s)} ranking and {len(day.chat_at_s)} chat requests"
