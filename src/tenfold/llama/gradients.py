"""Where the gradients of one machine's workers meet: vectors in memory that their processes share.

The memory has no name, so nothing is left behind when the last process that uses it is gone, however it went. Others of
the same user find it through the process that made it.

Letter: P parameters of the model.
"""

import errno
import mmap
import os
import weakref
from pathlib import Path
from threading import Condition
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tenfold.core.errors import ResidentFailed
from tenfold.core.frozen import Frozen
from tenfold.llama.tree import Addition

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
FloatVector = NDArray[np.float32]


class Memory(Frozen):
    """Where a flat float32 vector lies that another process of this machine may map."""

    path: str
    start: int = Field(description="bytes before it")
    inode: int = Field(description="of its file: a descriptor's number is soon another's")

    def map(self, size: int, *, writable: bool = False) -> FloatVector:
        """Map it; the file is not replaced or cut while it is mapped.

        Raises:
            FileNotFoundError: who made it has let it go, or is gone.
            ResidentFailed: it cannot be reached from here.
        """
        mode = "r+" if writable else "r"
        try:
            with Path(self.path).open(f"{mode}b") as file:
                if os.fstat(file.fileno()).st_ino != self.inode:
                    raise FileNotFoundError(errno.ENOENT, "other memory is there by now", self.path)
                return np.memmap(file, np.float32, mode, self.start, (size,))
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self.path.startswith("/proc/"):
                raise
            raise ResidentFailed(
                f"cannot map {self.path}, where this machine's training workers meet: {error.strerror}",
                next_step="run the training processes of a machine as one user",
            ) from error


class GradientBuffers:
    """Vectors of P floats in shared memory, each taken by one holder at a time. Not locked.

    Memory is used from the first write to a vector on, and kept for the next holder.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        # A mapping starts at a whole page.
        self._stride_bytes = -(-4 * size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        self._descriptor: int | None = None
        self._vectors: list[FloatVector] = []
        self._free: list[int] = []

    def take(self) -> int:
        """Get the number of a free vector; what it holds is left over."""
        if not self._free:
            self._free.append(self._grow())
        return self._free.pop()

    def give_back(self, number: int) -> None:
        """Let another have it; nobody writes to it any more."""
        self._free.append(number)

    def vector_P(self, number: int) -> FloatVector:
        """The vector of this number."""
        return self._vectors[number]

    def memory(self, number: int) -> Memory:
        """Where other processes find it."""
        assert self._descriptor is not None, "there is a vector"
        path, inode = f"/proc/{os.getpid()}/fd/{self._descriptor}", os.fstat(self._descriptor).st_ino
        return Memory(path=path, start=number * self._stride_bytes, inode=inode)

    def _grow(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.memfd_create("tenfold-gradients")
            weakref.finalize(self, os.close, self._descriptor)
        number = len(self._vectors)
        os.ftruncate(self._descriptor, (number + 1) * self._stride_bytes)
        self._vectors.append(self.memory(number).map(self._size, writable=True))
        return number


class Adding(Protocol):
    """Books of sums: says what is to be added to what."""

    def next_addition(self) -> Addition[int] | None:
        """Two buffers to be added into the left one, which nobody else adds."""

    def added(self, addition: Addition[int]) -> None:
        """The sum is in the left one."""


def add_neighbours(books: Adding, buffers: GradientBuffers, changed: Condition) -> None:
    """Add what the books say, outside their lock, until nothing is left to be added now; then notify."""
    while True:
        with changed:
            addition = books.next_addition()
            if addition is None:
                changed.notify_all()
                return
        left_P = buffers.vector_P(addition.left)
        np.add(left_P, buffers.vector_P(addition.right), out=left_P)
        with changed:
            books.added(addition)
            buffers.give_back(addition.right)


def machine() -> str:
    """Identify what shares memory and network: processes that give the same answer can map each other's memory."""
    spaces = [str(Path(f"/proc/self/ns/{kind}").stat().st_ino) for kind in ("net", "pid")]
    return "/".join([BOOT_ID.read_text().strip(), *spaces, str(os.getuid())])
