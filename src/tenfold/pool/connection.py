"""A bounded HTTP connection: uvicorn's own, which by itself waits for ever and reads heads of any size."""

import asyncio
import logging
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 1024
HEAD_BYTES = 32 << 10
HEAD_FIELDS = 100
URL_BYTES = 8 << 10
HEAD_S = 10.0
"""For a connection to send its first request, and for each request's head once it has begun."""

STALLED_S = 30.0
"""After which a client that does not read what waits for it (64 kB and more) is given up."""

FRAMING_BYTES = 512 << 10
"""What a request may send beside head and body: chunk sizes, trailers. A chunk of one byte takes six."""


_BODIES = frozenset((b"content-length", b"transfer-encoding"))


class Connection(HttpToolsProtocol):
    """One connection with bounds on what it sends, how long it takes, and how many there are.

    Beyond ``MOST_CONNECTIONS`` the one that has been idle longest makes room; if all are at work, the new one is
    closed.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyrefly: ignore[bad-override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._is_refused = False
        self._why: tuple[int, str] | None = None
        self._begin_message()
        self._in_head = False
        self._wait_for_head()
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        self._stop_waiting()
        if self._stall is not None:
            self._stall.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what came, within bounds."""
        if self._is_refused:
            return
        super().data_received(data)
        if self.transport is None or self.transport.is_closing():
            return
        if self.transport.get_protocol() is not self:
            # It has become a websocket, which asks for nothing more.
            self._stop_waiting()
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse(431, f"the request's head is larger than {HEAD_BYTES} bytes")
        else:
            self._framing_bytes += len(data)
            if self._framing_bytes > FRAMING_BYTES:
                self._refuse(431, "the request's trailers, or the sizes of its chunks, are too large")
            elif self._is_idle():
                self._wait_for_head()

    # ---- what the parser finds

    def on_message_begin(self) -> None:
        """Begin to count."""
        super().on_message_begin()
        self._begin_message()
        self._wait_for_head()

    def on_url(self, url: bytes) -> None:
        """Take a part of the address."""
        super().on_url(url)
        if len(self.url) > URL_BYTES:
            self._give_up(414, f"the address is longer than {URL_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head. One of the trailers is counted and left out: it would be taken for a header."""
        self._fields += 1
        self._field_bytes += len(name) + len(value)
        if self._fields > HEAD_FIELDS or self._field_bytes > HEAD_BYTES:
            self._give_up(431, f"the request's head has more than {HEAD_FIELDS} fields or {HEAD_BYTES} bytes")
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: no more waiting for it."""
        if self.parser.should_upgrade() and not self._should_upgrade() and _BODIES.intersection(dict(self.headers)):
            # The parser takes the bytes of such a body for what comes after the upgrade, which is the next request.
            self._give_up(400, "a request with a body cannot ask for another protocol; send it as HTTP/1.1")
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body, which pays for its chunk's size."""
        self._framing_bytes -= 9 * len(body)
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, or what a bound has stopped."""
        self._refuse(*(self._why or (400, msg)))

    # ---- a client that does not read

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        if self._stall is None:
            self._stall = self.loop.call_later(STALLED_S, self._abort, "does not read its answer")

    def resume_writing(self) -> None:
        """The client reads."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def timeout_keep_alive_handler(self) -> None:
        """End an idle connection; one whose last answer was never read would keep a close waiting."""
        if self.transport.get_write_buffer_size():
            self._abort("did not read its answer")
        else:
            super().timeout_keep_alive_handler()

    # ----

    def _begin_message(self) -> None:
        self._in_head = True
        self._head_bytes = self._framing_bytes = self._fields = self._field_bytes = 0

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait_for_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self._abort, "sends no request")

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _abort(self, why: str) -> None:
        log.debug("connection from %s ended: it %s", self.client, why)
        self.transport.abort()

    def _make_room(self) -> None:
        """End the connection that has waited for a request longest; sets keep no order, so by their timers."""
        idle: list[Connection] = [
            other for other in self.connections if isinstance(other, Connection) and other._is_idle() and other != self
        ]
        if idle:
            min(idle, key=lambda other: other._expires_at())._abort("made room for another")
        else:
            self._refuse(503, f"{MOST_CONNECTIONS} connections are at work, and there may be no more")

    def _expires_at(self) -> float:
        timer: Any = self._timer or self.timeout_keep_alive_task
        return timer.when() if timer is not None else 0.0

    def _give_up(self, status: int, text: str) -> None:
        """Stop the parser; uvicorn then asks for a 400, which ``send_400_response`` makes this."""
        self._why = (status, text)
        raise httptools.HttpParserError(text)

    def _refuse(self, status: int, text: str) -> None:
        """Answer, if no other answer is on its way, and end the connection."""
        self._is_refused = True
        if self.cycle is None or self.cycle.response_complete:
            error = {"message": text, "type": "invalid_request_error", "param": None, "code": status}
            body = orjson.dumps({"error": error})
            fields = b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            self.transport.write(STATUS_LINE[status] + fields + body)
        self.transport.close()
