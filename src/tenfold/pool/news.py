"""Whether a job has anything to do: something came into a folder, or it has not come to its end."""

from pathlib import Path


def has_news(folder: Path, mark: Path) -> bool:
    """Whether a file of ``folder`` is newer than the file ``mark``, or there is one and no mark."""
    try:
        newest_ns = max((path.stat().st_mtime_ns for path in folder.iterdir()), default=0)
    except FileNotFoundError:
        # The folder, or a file that was replaced just now; the next tick sees.
        return False
    try:
        return newest_ns > mark.stat().st_mtime_ns
    except FileNotFoundError:
        return newest_ns > 0


def why_ended(mark: Path) -> str:
    """Why a job has nothing to do any more, in the words of its file ``mark``; empty where there is none."""
    try:
        return mark.read_text(encoding="utf-8").strip() or "ended"
    except FileNotFoundError:
        return ""
