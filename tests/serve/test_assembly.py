"""A whole answer put together from a stream is the answer a client without ``stream`` would have had."""

import json

import pytest

from tenfold.serve.assembly import assemble
from tenfold.serve.rejection import Rejection


def stream(*events: dict[str, object]) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def chunk(index: int, finish: str | None = None, **delta: object) -> dict[str, object]:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def test_text_and_usage_are_joined_for_each_choice() -> None:
    usage = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [],
        "usage": {"n": 5},
    }
    answer = json.loads(
        assemble(
            stream(
                chunk(0, role="assistant", content=None),
                chunk(1, role="assistant", content=None),
                chunk(0, content="Hel"),
                chunk(1, content="By"),
                chunk(0, content="lo"),
                chunk(1, "length", content="e"),
                chunk(0, "stop"),
                usage,
            )
        )
    )
    assert answer["object"] == "chat.completion"
    assert answer["usage"] == {"n": 5}
    assert answer["choices"] == [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}},
        {"index": 1, "finish_reason": "length", "message": {"role": "assistant", "content": "Bye"}},
    ]


def test_a_tool_call_keeps_its_arguments_whole() -> None:
    first = {"index": 0, "id": "t", "type": "function", "function": {"name": "look_up", "arguments": '{"a"'}}
    rest = {"index": 0, "function": {"arguments": ": 1}"}}
    answer = json.loads(assemble(stream(chunk(0, tool_calls=[first]), chunk(0, "tool_calls", tool_calls=[rest]))))
    assert answer["choices"][0]["message"]["tool_calls"] == [
        {"id": "t", "type": "function", "function": {"name": "look_up", "arguments": '{"a": 1}'}}
    ]


def test_log_probabilities_are_appended() -> None:
    pieces = []
    for token in "ab":
        piece = chunk(0, content=token)
        piece["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": -1.0}]}  # type: ignore[index]
        pieces.append(piece)
    answer = json.loads(assemble(stream(*pieces)))
    assert [entry["token"] for entry in answer["choices"][0]["logprobs"]["content"]] == ["a", "b"]


def test_an_error_in_the_stream_is_the_answer() -> None:
    error = {"error": {"message": "out of memory", "type": "server_error", "code": 500}}
    with pytest.raises(Rejection, match="out of memory") as caught:
        assemble(stream(chunk(0, content="a"), error))
    assert caught.value.status == 500


def test_an_empty_stream_is_an_engine_failure() -> None:
    with pytest.raises(Rejection) as caught:
        assemble(b"")
    assert caught.value.status == 502
