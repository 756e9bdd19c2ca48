"""A disk that can be filled and freed again, in two ways: a small tmpfs, and a limit on the size of files."""

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

WAYS = ["a full tmpfs", "a limit on file sizes"]


class Tmpfs:
    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"

    def fill(self) -> None:
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)


class Limit:
    """For this process alone; Python ignores the signal that comes with it, so a write fails as on a full disk."""

    def fill(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextlib.contextmanager
def small_disk(way: str, folder: Path, size: str = "1m") -> Iterator[Tmpfs | Limit]:
    if way == WAYS[0]:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"mounting a tmpfs is not allowed here: {mounted.stderr.strip()}")
        try:
            yield Tmpfs(folder)
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    else:
        found = Limit()
        try:
            yield found
        finally:
            found.free()
