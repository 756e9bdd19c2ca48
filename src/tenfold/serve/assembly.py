"""A whole answer from a streamed one.

Engines are always asked to stream: llama.cpp's server notices a client that left only while it streams (measured: a
whole answer of 480 tokens ran on for 7 s after its connection was closed, a streamed one for 0.02 s), and tokens are
counted as they come.
"""

from typing import TypeAlias

import orjson

from tenfold.serve.rejection import Rejection, read_engine_error

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_DATA = b"data: "
_GROWING = {"content", "reasoning_content", "refusal", "text", "arguments"}


def assemble(stream: bytes) -> bytes:
    """Join the events of a chat or text completion into the answer that a client without ``stream`` expects.

    Text grows, lists of parts with an ``index`` are joined by it, other lists are appended, and all else is replaced
    (OpenAI API reference, "Chat completion chunk").

    Raises:
        Rejection: the engine ended the stream with an error, or sent nothing.
    """
    answer: dict[str, Json] = {}
    for line in stream.split(b"\n"):
        if not line.startswith(_DATA) or line.startswith(_DATA + b"[DONE]"):
            continue
        event = line.removeprefix(_DATA)
        table = orjson.loads(event)
        if "error" in table:
            raise read_engine_error(500, event)
        _merge(answer, table)
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Rejection(502, "the engine sent no answer", kind="server_error", code="engine_failed")
    for choice in choices:
        if isinstance(choice, dict) and isinstance(message := choice.pop("delta", None), dict):
            choice["message"] = message
            _drop_indexes(message)
    if answer["object"] == "chat.completion.chunk":
        answer["object"] = "chat.completion"
    return orjson.dumps(answer)


def _merge(into: dict[str, Json], piece: dict[str, Json]) -> None:
    for key, value in piece.items():
        held = into.get(key)
        if isinstance(value, str) and isinstance(held, str) and key in _GROWING:
            into[key] = held + value
        elif isinstance(value, dict) and isinstance(held, dict):
            _merge(held, value)
        elif isinstance(value, list):
            parts = into[key] if isinstance(held, list) else []
            assert isinstance(parts, list)
            into[key] = parts
            for part in value:
                _merge_part(parts, part)
        elif value is not None or held is None:
            into[key] = value


def _merge_part(parts: list[Json], part: Json) -> None:
    if isinstance(part, dict) and "index" in part:
        for held in parts:
            if isinstance(held, dict) and held.get("index") == part["index"]:
                _merge(held, part)
                return
    parts.append(part)


def _drop_indexes(message: dict[str, Json]) -> None:
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        if isinstance(call, dict):
            call.pop("index", None)
