"""A product's transactions, in threads, so that its event loop never waits for a disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection

from tenfold.core.store import Store

Made = TypeVar("Made")

READERS = 2


class Transactions:
    """Runs what reads beside each other, and what writes one after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # One thread for all that writes: those who wait for their turn hold no connection that a reader could use.
        self._writer = ThreadPoolExecutor(1, "writes")
        self._readers = ThreadPoolExecutor(READERS, "reads")

    async def read(self, work: Callable[[Connection], Made]) -> Made:
        """Run something in a transaction that reads."""

        def reading() -> Made:
            with self._store.reading() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._readers, reading)

    async def write(self, work: Callable[[Connection], Made]) -> Made:
        """Run something in a transaction that may write; it is on disk when this returns."""

        def writing() -> Made:
            with self._store.writing() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._writer, writing)

    def close(self) -> None:
        """Wait for all that was asked for and not given up."""
        for executor in (self._writer, self._readers):
            executor.shutdown()
