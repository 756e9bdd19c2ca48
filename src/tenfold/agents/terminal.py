"""A chat and the inbox in a terminal."""

import contextlib
import secrets
import time
import uuid

from tenfold.agents import show
from tenfold.agents.contract import Businesses, Exchange, MessageOut, ThreadOut, Threads
from tenfold.agents.product import PREFIX
from tenfold.core.errors import UsageError
from tenfold.core.show import out
from tenfold.pool.client import ask

LOOK_EVERY_S = 2.0


def talk(url: str, business: str, thread: str, *, evidence: bool) -> None:
    """Chat until an empty line or the input's end.

    Raises:
        UsageError: there is no such business.
    """
    there = [each.id for each in Businesses.model_validate_json(ask(url, f"{PREFIX}/businesses")).businesses]
    if business not in there:
        has = f"; there are {', '.join(there)}" if there else ", nor any other"
        raise UsageError(
            f"there is no business {business!r}{has}", next_step=f"'tenfold agents add {business}' gives it an agent"
        )
    path = f"{PREFIX}/{business}/threads/{thread or secrets.token_urlsafe(16)}"
    out.print(f"chat with {business}, thread {path.rpartition('/')[2]}; an empty line ends", markup=False)
    seen = 0
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while text := input("> ").strip():
            body: dict[str, object] = {"id": uuid.uuid4().hex, "text": text}
            found = Exchange.model_validate_json(ask(url, f"{path}/messages", body, timeout_s=60.0))
            while found.state == "waiting":
                time.sleep(LOOK_EVERY_S)
                found = Exchange.model_validate_json(ask(url, f"{path}/messages", body, timeout_s=60.0))
            if found.reply is not None:
                show.message(found.reply, evidence=evidence)
            else:
                out.print("a human goes on in this thread; what they write is shown with your next line", markup=False)
            for message in _human_messages(url, path, seen):
                show.message(message, evidence=False)
                seen = message.number


def _human_messages(url: str, path: str, after: int) -> list[MessageOut]:
    thread = ThreadOut.model_validate_json(ask(url, f"{path}?after={after}"))
    return [message for message in thread.messages if message.role == "human"]


class Inbox:
    """The threads of a business in which a human is wanted."""

    def __init__(self, url: str, business: str) -> None:
        self._url = url
        self._path = f"{PREFIX}/{business}"

    def waiting(self) -> Threads:
        """Give the threads that a human holds."""
        return Threads.model_validate_json(ask(self._url, f"{self._path}/threads?held_by=human"))

    def thread(self, thread: str) -> ThreadOut:
        """Give a thread."""
        return ThreadOut.model_validate_json(ask(self._url, f"{self._path}/threads/{thread}"))

    def say(self, thread: str, text: str) -> None:
        """Write to the customer."""
        ask(self._url, f"{self._path}/inbox/{thread}/messages", {"id": uuid.uuid4().hex, "text": text})

    def hand_back(self, thread: str) -> None:
        """Let the agent go on."""
        ask(self._url, f"{self._path}/inbox/{thread}/hand_back", {})
