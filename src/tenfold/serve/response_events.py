"""A chat's answer told as OpenAI's Responses API does: as one response, or as the events of its making.

The order of events is that of the API's reference, "Streaming events": created, in progress, the message and its one
part added, their text piece by piece, the same done, and at last the whole response, completed or incomplete.
"""

import re
import time
import uuid
from collections.abc import Iterator, Mapping

import orjson

from tenfold.serve.assembly import Json, assemble
from tenfold.serve.rejection import Rejection

_DATA = b"data: "
_DONE = b"data: [DONE]"
_CHAT_NAMES = {"messages": "input", "response_format.json_schema.schema": "text.format.schema"}
"""Where a chat's fields stand in the body that the client sent."""
_MESSAGE = re.compile(r"^\.(\d+)")
"""Number of a message behind the name of their list."""


class ResponseDialect:
    """Tells one answer.

    Args:
        echo: fields of the request that its answer repeats.
    """

    def __init__(self, echo: Mapping[str, object]) -> None:
        self._echo = echo
        self._id = f"resp_{uuid.uuid4().hex}"
        self._item = f"msg_{uuid.uuid4().hex}"
        self._created_at = int(time.time())
        self._sequence = 0
        self._held = b""
        self._text: list[str] = []
        self._finish: str | None = None
        self._usage: dict[str, Json] | None = None

    def events(self, chunk: bytes) -> bytes:
        """Tell the pieces of text in the engine's next bytes; an event that is not whole yet is held."""
        whole, _, self._held = (self._held + chunk).rpartition(b"\n\n")
        return b"".join(event for line in whole.split(b"\n") for event in self._tell(line))

    def end(self) -> bytes:
        """Tell that all is said."""
        rest = b"".join(self._tell(self._held.strip()))
        text = "".join(self._text)
        closing = (
            self._event("response.output_text.done", {**self._place, "text": text, "logprobs": []}),
            self._event("response.content_part.done", {**self._place, "part": _part(text)}),
            self._event("response.output_item.done", {"output_index": 0, "item": self._message(text)}),
            self._event(f"response.{self._status}", {"response": self._response(self._status, text)}),
        )
        return b"".join((*self._opening(), rest, *closing))

    def whole(self, stream: bytes) -> bytes:
        """Give the response in one body."""
        answer = orjson.loads(assemble(stream))
        choice = answer["choices"][0]
        self._finish, self._usage = choice.get("finish_reason"), answer.get("usage")
        return orjson.dumps(self._response(self._status, choice["message"].get("content") or ""))

    def failure(self, error: bytes) -> bytes:
        """Tell why it broke off; clients look for ``error`` or for the event of that name."""
        told = orjson.loads(error)
        return self._event("error", {**told["error"], **told})

    def terms(self, rejection: Rejection) -> Rejection:
        """Name fields as the client does."""
        return in_response_terms(rejection)

    @property
    def _place(self) -> dict[str, object]:
        return {"item_id": self._item, "output_index": 0, "content_index": 0}

    @property
    def _status(self) -> str:
        return "incomplete" if self._finish in ("length", "content_filter") else "completed"

    def _tell(self, line: bytes) -> Iterator[bytes]:
        if not line.startswith(_DATA) or line.startswith(_DONE):
            return
        table = orjson.loads(line.removeprefix(_DATA))
        if "error" in table:
            yield self.failure(orjson.dumps(table))
            return
        yield from self._opening()
        self._usage = table.get("usage") or self._usage
        for choice in table.get("choices") or ():
            self._finish = choice.get("finish_reason") or self._finish
            if piece := (choice.get("delta") or {}).get("content"):
                self._text.append(piece)
                yield self._event("response.output_text.delta", {**self._place, "delta": piece, "logprobs": []})

    def _opening(self) -> Iterator[bytes]:
        if self._sequence:
            return
        for name in ("response.created", "response.in_progress"):
            yield self._event(name, {"response": self._response("in_progress", None)})
        empty = {"id": self._item, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        yield self._event("response.output_item.added", {"output_index": 0, "item": empty})
        yield self._event("response.content_part.added", {**self._place, "part": _part("")})

    def _event(self, name: str, fields: Mapping[str, object]) -> bytes:
        told = {**fields, "type": name, "sequence_number": self._sequence}
        self._sequence += 1
        return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(told))

    def _message(self, text: str) -> dict[str, object]:
        return {
            "id": self._item,
            "type": "message",
            "role": "assistant",
            "status": self._status,
            "content": [_part(text)],
        }

    def _response(self, status: str, text: str | None) -> dict[str, object]:
        reason = "content_filter" if self._finish == "content_filter" else "max_output_tokens"
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created_at,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if status == "incomplete" else None,
            "output": [] if text is None else [self._message(text)],
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "tool_choice": "none",
            "tools": [],
            "truncation": "disabled",
            **self._echo,
            # Last, where a gateway that meters looks for it, however long the instructions are.
            "usage": _usage(self._usage),
        }


def in_response_terms(rejection: Rejection, led_by: int = 0) -> Rejection:
    """The same, of a chat's field where the client wrote it.

    Args:
        rejection: in terms of the chat.
        led_by: messages of the chat that stand before those of the client's ``input``.
    """
    param, message = rejection.param, rejection.message
    for chats, ours in _CHAT_NAMES.items():
        if param is not None and (param == chats or param.startswith(f"{chats}.")):
            there = ours + _MESSAGE.sub(lambda found: f".{int(found[1]) - led_by}", param.removeprefix(chats))
            there = there.replace(".image_url.url", ".image_url")
            message, param = message.replace(f"'{param}'", f"'{there}'"), there
        message = message.replace(f"'{chats}'", f"'{ours}'")
    return Rejection(rejection.status, message, rejection.kind, param, rejection.code)


def _part(text: str) -> dict[str, object]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(chats: Mapping[str, Json] | None) -> dict[str, object] | None:
    if not chats:
        return None
    details = chats.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return {
        "input_tokens": chats["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": cached or 0, "cache_write_tokens": 0},
        "output_tokens": chats["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": chats["total_tokens"],
    }
