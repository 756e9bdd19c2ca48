"""A port where training's processes meet: whoever knows the pool's token is let in, and has a thread of its own."""

import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tenfold.core.errors import PortTaken
from tenfold.llama.wire import Channel, WireError

MOST_STRANGERS = 64
"""Connections that have not proved yet that they know the token; where there are more, the oldest is dropped."""

RETRY_S = 0.1

log = logging.getLogger(__name__)


class Server:
    """Takes connections; what is said on them is its owner's.

    Args:
        token: the pool's secret.
        converse: answers a connection, given its channel and number, until its other side is gone.
        gone: called with the number of a connection that is over.
    """

    def __init__(self, token: str, converse: Callable[[Channel, int], None], gone: Callable[[int], None]) -> None:
        self._token, self._converse, self._gone = token, converse, gone
        self._lock = threading.Lock()
        self._strangers: dict[int, socket.socket] = {}
        self._channels: dict[int, Channel] = {}
        # Not 0: an outpost that has not heard yet that the coordinator began anew names itself by its old number.
        self._count = secrets.randbits(48)
        self._closed = False
        self._listener: socket.socket | None = None

    def listen(self, host: str, port: int) -> int:
        """Bind and start to answer; return the port.

        Raises:
            PortTaken: another process listens there.
        """
        try:
            self._listener = socket.create_server((host, port), backlog=64)
        except OSError as error:
            raise PortTaken(
                f"cannot listen on {host}:{port} for training: {error.strerror}", next_step="choose another port"
            ) from error
        threading.Thread(target=self._accept, args=(self._listener,), name="train-accept", daemon=True).start()
        return self._listener.getsockname()[1]

    def end_connections(self) -> None:
        """End those that are there; more may come."""
        with self._lock:
            for channel in self._channels.values():
                channel.shutdown()

    def close(self) -> None:
        """Take no more connections, and end those that are there."""
        self._closed = True
        if self._listener is not None:
            # Wakes the thread that is blocked in accept, which close would not.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.end_connections()

    def _accept(self, listener: socket.socket) -> None:
        while not self._closed:
            try:
                raw, _ = listener.accept()
            except OSError as error:
                if not self._closed:
                    # One that was gone before it was taken, or no descriptor is left: that passes.
                    log.warning("cannot take a connection: %s", error)
                    time.sleep(RETRY_S)
                continue
            self._count += 1
            with self._lock:
                self._strangers[self._count] = raw
                if len(self._strangers) > MOST_STRANGERS:
                    oldest = self._strangers.pop(next(iter(self._strangers)))
                    with suppress(OSError):
                        # Wakes its thread, which closes it.
                        oldest.shutdown(socket.SHUT_RDWR)
            name = f"train-{self._count}"
            threading.Thread(target=self._serve, args=(raw, self._count), name=name, daemon=True).start()

    def _serve(self, raw: socket.socket, connection: int) -> None:
        try:
            channel = Channel.accept(raw, self._token)
        except (OSError, WireError) as error:
            log.warning("turned a connection away: %s", error)
            raw.close()
            return
        finally:
            with self._lock:
                self._strangers.pop(connection, None)
        with self._lock:
            self._channels[connection] = channel
        try:
            self._converse(channel, connection)
        except (EOFError, OSError):
            log.debug("connection %d ended", connection)
        except WireError as error:
            log.warning("ended connection %d: %s", connection, error)
        finally:
            self._gone(connection)
            with self._lock:
                del self._channels[connection]
            channel.close()
