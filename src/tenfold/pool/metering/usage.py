"""Reading what an answer says it took, from its bytes as they pass."""

import re
from collections.abc import Iterable

_IN = re.compile(rb'"(?:prompt_tokens|input_tokens)"\s*:\s*(\d+)')
_OUT = re.compile(rb'"(?:completion_tokens|output_tokens)"\s*:\s*(\d+)')
_USAGE = b'"usage"'
_END = b"\n\n"
_EVENT = b"data: {"
TAIL_BYTES = 4096
"""At the end of a whole answer, where its usage is; quotes within a text are escaped, so none there looks like it."""


class WholeAnswer:
    """An answer in one body. ``tokens_in`` and ``tokens_out`` are none until its end has told them."""

    def __init__(self) -> None:
        self._tail = b""
        self.tokens_in: int | None = None
        self.tokens_out: int | None = None

    def take(self, chunk: bytes) -> bytes:
        """Look at the next bytes; gives what goes to the client."""
        self._tail = chunk[-TAIL_BYTES:] if len(chunk) >= TAIL_BYTES else (self._tail + chunk)[-TAIL_BYTES:]
        return chunk

    def end(self) -> bytes:
        """Read the usage; gives what is left for the client."""
        self.tokens_in, self.tokens_out = _read(self._tail)
        return b""


class EventStream:
    """An answer in events, of which only the one with the usage is read; others are counted, a token each.

    Args:
        hides_usage: the client has not asked for the usage, the gateway has: its event stays here.
    """

    def __init__(self, *, hides_usage: bool) -> None:
        self._hides_usage = hides_usage
        self._held = b""
        self._events = 0
        self._usage: tuple[int, int] | None = None

    @property
    def tokens_in(self) -> int | None:
        """Tokens of the prompt; none until told."""
        return self._usage[0] if self._usage else None

    @property
    def tokens_out(self) -> int | None:
        """Tokens of the answer: as told, or as many as there were events so far."""
        return self._usage[1] if self._usage else self._events

    def take(self, chunk: bytes) -> bytes:
        """Look at the next bytes; gives what goes to the client. The beginning of an event waits for its end."""
        data = self._held + chunk if self._held else chunk
        if data.endswith(_END):
            self._held = b""
        else:
            cut = data.rfind(_END) + len(_END)
            if cut < len(_END):
                self._held = data
                return b""
            data, self._held = data[:cut], data[cut:]
        self._events += data.count(_EVENT)
        return data if _USAGE not in data else self._look(data)

    def end(self) -> bytes:
        """Give what is left: an event that was cut."""
        rest, self._held = self._held, b""
        return self._look(rest) if _USAGE in rest else rest

    def _look(self, data: bytes) -> bytes:
        kept = []
        for event in _events(data):
            told_in, told_out = _read(event) if _USAGE in event else (None, None)
            if told_in is None:
                kept.append(event)
                continue
            self._usage = (told_in, told_out or 0)
            if not (self._hides_usage and b'"choices":[]' in event.replace(b" ", b"")):
                kept.append(event)
        return b"".join(kept)


def _events(data: bytes) -> Iterable[bytes]:
    return (event + _END for event in data.removesuffix(_END).split(_END))


def _read(part: bytes) -> tuple[int | None, int | None]:
    """Tokens in and out by the last usage in ``part``; an answer without generated tokens tells those in only."""
    usage = part[part.rfind(_USAGE) :] if _USAGE in part else b""
    told_in, told_out = _IN.search(usage), _OUT.search(usage)
    if told_in is None:
        return None, None
    return int(told_in[1]), int(told_out[1]) if told_out else 0
