"""What a serve resident has in work and has done: tokens, requests, busy time."""

import asyncio
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tenfold.pool.work_clock import WorkClock

_EVENT = b"data: {"
_DONE = b"\ndata: [DONE]"
# The role, the end with finish_reason, the usage: events that carry no token. They are held back from the live
# count, so that it never exceeds the engine's own, which comes last.
_TOKENLESS_EVENTS = 3
_TAIL_BYTES = 4096
_GENERATED = re.compile(rb'"(?:completion_tokens|predicted_n)":\s*(\d+)')
_PROMPT = re.compile(rb'"(?:prompt_tokens|prompt_n)":\s*(\d+)')

EMBEDDED_PER_GENERATED = 64
"""Tokens that are embedded in the time that one is generated: 4,400 a CPU-second against 41 alone and 78 by eight."""


@dataclass(slots=True)
class Work:
    """Requests in work, and totals that only grow."""

    requests: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    embedded_tokens: int = 0
    cut: int = 0
    disconnected: int = 0
    clock: WorkClock = field(default_factory=WorkClock)
    _jobs: set["Job"] = field(default_factory=set)

    @property
    def units(self) -> float:
        """All that was done, in generated tokens."""
        return self.tokens + self.embedded_tokens / EMBEDDED_PER_GENERATED

    @contextmanager
    def begin(self) -> Generator["Job"]:
        """Count a request as in work for the length of the block."""
        job = Job(self)
        with self.clock.one_request():
            self._jobs.add(job)
            try:
                yield job
            finally:
                self._jobs.remove(job)

    def cut_all(self) -> None:
        """Tell every request in work to end now."""
        for job in self._jobs:
            job.cut.set()


class Job:
    """One request in work: counts its tokens as they pass.

    ``events``: the number of events so far. ``finished``: the engine has said all that there was to say.
    """

    def __init__(self, work: Work) -> None:
        self.cut = asyncio.Event()
        self._work = work
        self.events = 0
        self.finished = False
        self._counted = 0
        self._seam = b""
        self._tail = b""

    def pass_events(self, chunk: bytes) -> None:
        """Count the server-sent events in ``chunk``, one token each, without parsing them."""
        window = self._seam + chunk
        self.events += window.count(_EVENT)
        self._seam = window[-(len(_EVENT) - 1) :]
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        self._count_up_to(self.events - _TOKENLESS_EVENTS)
        if _DONE in self._tail:
            # At once: many clients close the connection on this word, before the engine does.
            self.finish()

    def finish(self) -> None:
        """Settle the count by the numbers in the last event (usage, or llama.cpp's timings) if it has any; once."""
        if self.finished:
            return
        self.finished = True
        last = self._tail[self._tail.rfind(_EVENT) :]
        generated, prompt = _GENERATED.search(last), _PROMPT.search(last)
        self._count_up_to(int(generated[1]) if generated else self.events)
        self._work.prompt_tokens += int(prompt[1]) if prompt else 0
        self._work.requests += 1

    def _count_up_to(self, tokens: int) -> None:
        if tokens > self._counted:
            self._work.tokens += tokens - self._counted
            self._counted = tokens
