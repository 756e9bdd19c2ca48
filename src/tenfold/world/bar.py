"""Play a day with a progress bar in the terminal."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tenfold.world import client
from tenfold.world.day import Day
from tenfold.world.report import DayReport


async def run(url: str, day: Day, console: Console) -> DayReport:
    """Play ``day`` against the pool at ``url``, showing how far it is.

    Raises:
        NotRunning: nothing answers there.
    """
    with Progress(TextColumn("  {task.description}"), BarColumn(40), console=console) as bar:
        task = bar.add_task("", total=day.duration_s)

        def progress(now: client.Progress) -> None:
            text = f"{now.hour:04.1f} h  {now.answered} answered  {now.shed} shed  {now.failed} failed"
            bar.update(task, completed=now.elapsed_s, description=text)

        return await client.run_day(url, day, progress)
