"""How workers, status readers and the coordinator talk: small JSON messages and flat float32 vectors over TCP.

A connection begins with a proof of each side that it knows the pool's token, then carries JSON messages in the framing
of ``multiprocessing.connection``; nothing is unpickled. Vectors lie in memory that a worker on the coordinator's
machine maps; to and from another machine they follow a message as raw bytes on the same socket, straight into their
buffer.

A proof is an HMAC over the random numbers of both sides and over who proves, so that none can be played again, neither
later nor to the one who made it. What follows is neither encrypted nor signed: whoever can change packets on their way
can pass a proof on and then speak. Between machines the network must be private, or a tunnel.
"""

import hmac
import secrets
import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError

from tenfold.core.errors import TenfoldError
from tenfold.core.frozen import Frozen
from tenfold.core.links import notice_lost_link
from tenfold.llama.gradients import FloatVector, Memory
from tenfold.llama.progress import LossSample, Record
from tenfold.llama.recipe import Recipe
from tenfold.llama.tree import Branch

CONNECT_TIMEOUT_S = 2.0
HANDSHAKE_S = 10.0
"""How long the other side may say nothing before it has proved that it knows the token."""

NONCE_BYTES = PROOF_BYTES = 32
CALLER, CALLED = b"calls", b"is called"
"""Who proves: the side that connects, and the side that listens."""

MESSAGE_LIMIT_BYTES = 1 << 20


class WireError(TenfoldError):
    """The other side is not Tenfold's, has another token, or speaks another version."""


class Hello(Frozen):
    """A worker joins, and says which parameters it still holds."""

    says: Literal["hello"] = "hello"
    worker: str
    machine: str = Field(description="gradients.machine of its process")
    text: str = Field(description="sha256 of its text")
    run: str = Field(description="run whose parameters it holds; empty if none")
    step: int = Field(description="step of the parameters it holds; -1 if none")
    numerics: str = Field("", description="what decides the bits of its gradients; empty: it does not say")
    outpost: int | None = Field(None, description="number of the outpost that speaks for it; none: it speaks itself")


class Next(Frozen):
    """A worker with the parameters of ``step`` asks for a microbatch; answered when there is one."""

    says: Literal["next"] = "next"
    step: int


class Offer(Record):
    """A worker has one microbatch's gradient; answered by where it goes, or that it is not wanted."""

    says: Literal["offer"] = "offer"
    run: str
    step: int
    microbatch: int
    loss: float = Field(allow_inf_nan=True)


class HandedIn(Frozen):
    """The gradient that was offered is where it was to go; without shared memory it follows as a vector."""

    says: Literal["handed_in"] = "handed_in"


class StatusQuery(Frozen):
    """Anyone asks how training goes."""

    says: Literal["status"] = "status"


class Parameters(Frozen):
    """Says that parameters are to be fetched: from memory, or without that as the vector that follows."""

    memory: Memory | None


class Welcome(Frozen):
    """The coordinator lets a worker in; with parameters if the worker's are not those of ``step``."""

    says: Literal["welcome"] = "welcome"
    run: str
    recipe: Recipe = Field(description="what the run trains, and how")
    step: int
    parameters: Parameters | None


class Refused(Frozen):
    """The coordinator turns a worker away that has other data; it may come again with those that are named here."""

    says: Literal["refused"] = "refused"
    message: str
    next_step: str
    recipe: Recipe = Field(description="of the run")
    data: str = Field("", description="folder of the run's data, the same on all machines; empty: nobody says")


class Work(Frozen):
    """One microbatch to compute; with parameters if the worker's are not those of ``step``."""

    says: Literal["work"] = "work"
    step: int
    microbatch: int
    parameters: Parameters | None


class Take(Frozen):
    """Where the offered gradient is to be written; without memory it is to be sent."""

    says: Literal["take"] = "take"
    memory: Memory | None


class Acknowledged(Frozen):
    """What became of an offer; ``loss`` is that of the last finished step, none before the first."""

    says: Literal["acknowledged"] = "acknowledged"
    accepted: bool
    step: int
    loss: float | None


class Attach(Frozen):
    """An outpost says that it is there: workers of its machine will come through it."""

    says: Literal["attach"] = "attach"
    outpost: str = Field(description="its name, for the log")


class Attached(Frozen):
    """The coordinator takes an outpost on."""

    says: Literal["attached"] = "attached"
    outpost: int = Field(description="number by which its workers name it")
    run: str
    params: int
    microbatches: int = Field(description="of a step")


class Await(Frozen):
    """An outpost with the parameters of ``step`` (-1: none) waits for what comes next: Bring, Due or Over."""

    says: Literal["await"] = "await"
    step: int


class Bring(Frozen):
    """The parameters of ``step`` follow as a vector."""

    says: Literal["bring"] = "bring"
    step: int


class Due(Frozen):
    """All gradients of ``step`` are computed: an outpost is to hand up the sums of these microbatches, which it has."""

    says: Literal["due"] = "due"
    step: int
    microbatches: tuple[int, ...]


class Sums(Frozen):
    """An outpost's sums; they follow as vectors, in this order."""

    says: Literal["sums"] = "sums"
    branches: tuple[Branch, ...]


class Over(Frozen):
    """The run's last step is finished."""

    says: Literal["over"] = "over"


class TrainStatus(Frozen):
    """How training goes."""

    says: Literal["train_status"] = "train_status"
    run: str
    step: int = Field(description="steps finished")
    tokens: int
    loss: float | None = Field(description="of the last finished step, nats per token")
    loss_history: tuple[LossSample, ...] = Field(description="oldest first, at most 240")
    workers: int = Field(description="workers connected now")
    params: int
    checkpoint_step: int | None = Field(description="step of the newest durable checkpoint")
    accepted: int = Field(description="microbatches accepted since this coordinator started")
    rejected: int = Field(description="microbatches that came too late or twice since this coordinator started")
    ended: str = Field("", description="that the run is finished, or has diverged; empty while it goes on")
    alarm: str = Field("", description="what is wrong now, e.g. that no checkpoint can be written; empty if nothing is")


Message = Annotated[
    Hello
    | Next
    | Offer
    | HandedIn
    | StatusQuery
    | Welcome
    | Refused
    | Work
    | Take
    | Acknowledged
    | Attach
    | Attached
    | Await
    | Bring
    | Due
    | Sums
    | Over
    | TrainStatus,
    Field(discriminator="says"),
]
_MESSAGES: TypeAdapter[Message] = TypeAdapter(Message)


def out_of_turn(message: Message) -> WireError:
    """What is said of a message that nobody expects where it comes."""
    return WireError(f"a {message.says} message is out of turn", next_step="run the same Tenfold everywhere")


def _proof(token: str, who: bytes, nonces: bytes) -> bytes:
    """Show that one side knows the token. The random numbers of both sides: the caller's first."""
    key = hmac.digest(b"tenfold train", token.encode(), "sha256")
    return hmac.digest(key, who + b"\0" + nonces, "sha256")


def _stranger() -> WireError:
    return WireError(
        "the other side of the training connection does not know this pool's token, or is of another version",
        next_step="check that both processes belong to the same pool, and run the same Tenfold",
    )


class Channel:
    """One open, authenticated connection."""

    def __init__(self, raw: socket.socket) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        notice_lost_link(raw)
        # Two descriptors of one socket: framed messages through one, vectors without a copy through the other.
        self._socket = raw
        self._messages = Connection(raw.dup().detach())

    @classmethod
    def connect(cls, address: str, token: str) -> Self:
        """Connect to the coordinator at ``host:port``.

        Raises:
            OSError: nobody listens there.
            WireError: the listener is not Tenfold's or has another token.
        """
        host, _, port = address.rpartition(":")
        raw = socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S)
        raw.settimeout(None)
        channel = cls(raw)
        with channel._proving():
            channel._prove_as_caller(token)
        return channel

    @classmethod
    def accept(cls, raw: socket.socket, token: str) -> Self:
        """Authenticate a connection that was just accepted; errors as of ``connect``."""
        channel = cls(raw)
        with channel._proving():
            channel._prove_as_called(token)
        return channel

    def _prove_as_caller(self, token: str) -> None:
        mine = secrets.token_bytes(NONCE_BYTES)
        self._messages.send_bytes(mine)
        answer = self._receive_exactly(NONCE_BYTES + PROOF_BYTES)
        nonces = mine + answer[:NONCE_BYTES]
        if not hmac.compare_digest(answer[NONCE_BYTES:], _proof(token, CALLED, nonces)):
            raise _stranger()
        self._messages.send_bytes(_proof(token, CALLER, nonces))

    def _prove_as_called(self, token: str) -> None:
        mine = secrets.token_bytes(NONCE_BYTES)
        nonces = self._receive_exactly(NONCE_BYTES) + mine
        self._messages.send_bytes(mine + _proof(token, CALLED, nonces))
        if not hmac.compare_digest(self._receive_exactly(PROOF_BYTES), _proof(token, CALLER, nonces)):
            raise _stranger()

    def _receive_exactly(self, size: int) -> bytes:
        data = self._messages.recv_bytes(NONCE_BYTES + PROOF_BYTES)
        if len(data) != size:
            raise _stranger()
        return data

    @contextmanager
    def _proving(self) -> Generator[None]:
        try:
            with self.patience(HANDSHAKE_S):
                yield
        except WireError:
            self.close()
            raise
        except EOFError as error:
            self.close()
            raise ConnectionResetError("the other side closed the connection before it was let in") from error
        except BlockingIOError as error:
            self.close()
            raise TimeoutError(f"the other side said nothing for {HANDSHAKE_S:.0f} s before it was let in") from error
        except OSError:
            self.close()
            raise

    def send(self, message: Message, vector: FloatVector | None = None) -> None:
        """Send a message, and the vector that belongs to it."""
        self._messages.send_bytes(message.model_dump_json().encode())
        if vector is not None:
            self.send_vector(vector)

    def send_vector(self, vector: FloatVector) -> None:
        """Send a vector that belongs to the message before."""
        self._socket.sendall(vector.data.cast("B"))

    def receive(self) -> Message:
        """Wait for a message.

        Raises:
            EOFError: the other side is gone.
            WireError: it said something that is no message of this version.
        """
        data = self._messages.recv_bytes(MESSAGE_LIMIT_BYTES)
        try:
            return _MESSAGES.validate_json(data)
        except ValidationError as error:
            raise WireError(f"no message of this version: {data[:200]!r}", next_step="run the same Tenfold") from error

    def receive_into(self, vector: FloatVector) -> None:
        """Wait for the vector that follows a message.

        Raises:
            EOFError: the other side is gone.
        """
        view = vector.data.cast("B")
        while view:
            count = self._socket.recv_into(view)
            if count == 0:
                raise EOFError("the other side closed the connection inside a vector")
            view = view[count:]

    @contextmanager
    def patience(self, seconds: float) -> Generator[None]:
        """Have a ``receive`` within it raise OSError once nothing has come for so long."""
        self._wait_at_most(seconds)
        yield
        self._wait_at_most(0.0)

    def _wait_at_most(self, seconds: float) -> None:
        # In the kernel, for a timeout of Python's would make the descriptor of the messages non-blocking too.
        parts = struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, parts)

    def readable(self) -> bool:
        """Whether a message, or the end of the connection, is there to be received."""
        return self._messages.poll()

    def fileno(self) -> int:
        """Descriptor that becomes readable when a message comes."""
        return self._messages.fileno()

    def shutdown(self) -> None:
        """End the connection from another thread: a blocked ``receive`` there gets EOFError or OSError."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            # Ended by the other side already; that is what was wanted.
            return

    def close(self) -> None:
        """Close both descriptors."""
        self._messages.close()
        self._socket.close()
