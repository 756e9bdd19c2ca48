"""How what an engine says is told to a client: as it is, for chats and completions."""

from typing import Protocol

from tenfold.serve.assembly import assemble
from tenfold.serve.rejection import Rejection


class Dialect(Protocol):
    """One way to tell an answer. Engines stream in that of chat completions or completions."""

    def events(self, chunk: bytes) -> bytes:
        """The events that tell what ``chunk``, the engine's next bytes, says."""

    def end(self) -> bytes:
        """What is left to be told once the engine has ended."""

    def whole(self, stream: bytes) -> bytes:
        """The whole answer in one body, of all that the engine streamed.

        Raises:
            Rejection: the engine ended the stream with an error, or sent nothing.
        """

    def failure(self, error: bytes) -> bytes:
        """The last event of an answer that broke off, of an error in OpenAI's shape."""

    def terms(self, rejection: Rejection) -> Rejection:
        """A refusal of the engine's, in terms of what the client sent."""


class Plain:
    """The engine's own words."""

    def events(self, chunk: bytes) -> bytes:
        """Pass them on."""
        return chunk

    def end(self) -> bytes:
        """All is said."""
        return b""

    def whole(self, stream: bytes) -> bytes:
        """Join the events."""
        return assemble(stream)

    def failure(self, error: bytes) -> bytes:
        """Tell it as OpenAI's streams do."""
        return b"data: " + error + b"\n\n"

    def terms(self, rejection: Rejection) -> Rejection:
        """The client sent what the engine got."""
        return rejection


PLAIN = Plain()
