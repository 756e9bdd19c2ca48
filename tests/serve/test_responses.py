"""Responses are asked of the engine as chats, and told in the shape and the events of OpenAI's Responses API."""

import openai
import orjson
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tenfold.serve.rejection import Rejection
from tenfold.serve.response_events import ResponseDialect
from tenfold.serve.responses import read_response

MODEL = "smollm2-135m"
EVENT = TypeAdapter(ResponseStreamEvent)
ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def read(**fields: object):
    body = orjson.dumps({"model": MODEL, "input": "hi"} | fields)
    return read_response(body, model=MODEL, engine_model="engine", context_tokens=512, parallel=4)


def refused(**fields: object) -> Rejection:
    with pytest.raises(Rejection) as caught:
        read(**fields)
    assert caught.value.status in (400, 404)
    return caught.value


def test_instructions_and_input_become_a_chat():
    said = [
        {"role": "user", "content": "One?"},
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Two.", "annotations": []}],
        },
        {"role": "user", "content": [{"type": "input_text", "text": "Three?"}]},
    ]
    generation = read(input=said, instructions="Count.", max_output_tokens=9, stream=True)
    chat = orjson.loads(generation.body)
    assert generation.stream
    assert [(each["role"], each["content"]) for each in chat["messages"]] == [
        ("system", "Count."),
        ("user", "One?"),
        ("assistant", "Two."),
        ("user", "Three?"),
    ]
    assert chat["max_tokens"] == 9 and chat["stream_options"] == {"include_usage": True}


def test_a_format_is_asked_of_the_engine():
    schema = {"type": "object", "properties": {"colour": {"type": "string"}}}
    chat = orjson.loads(read(text={"format": {"type": "json_schema", "name": "x", "schema": schema}}).body)
    assert chat["response_format"]["json_schema"]["schema"]["properties"] == {"colour": {"type": "string"}}


@pytest.mark.parametrize(
    ("field", "value", "param", "words"),
    [
        ("previous_response_id", "resp_1", "previous_response_id", "send the conversation so far in 'input'"),
        ("conversation", "conv_1", "conversation", "send the conversation so far in 'input'"),
        ("tools", [{"type": "web_search"}], "tools", "at most 0 items"),
        ("background", True, "background", "False"),
        ("truncation", "auto", "truncation", "disabled"),
        ("max_output_tokens", 0, "max_output_tokens", "greater than or equal to 1"),
        ("input", [], "input", "at least 1 item"),
        ("input", "x" * 40_000, "input", "do not fit into a context"),
        ("input", [{"role": "user", "content": [{"type": "input_image"}]}], "input.0.content", "reads text only"),
        ("text", {"format": {"type": "json_schema"}}, "text.format", "'name' and 'schema' are given"),
        (
            "text",
            {"format": {"type": "json_schema", "name": "x", "schema": {"pattern": "("}}},
            "text.format.schema",
            "'text.format.schema'",
        ),
        ("messages", [], "messages", "unknown or unsupported field"),
        ("model", "gpt-9", "model", "does not exist"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(field, value, param, words):
    rejection = refused(**{field: value})
    assert rejection.param == param
    assert words in rejection.message


def chunk(**choice: object) -> bytes:
    table = {"object": "chat.completion.chunk", "id": "c", "choices": [{"index": 0, **choice}]}
    return b"data: " + orjson.dumps(table) + b"\n\n"


def test_events_are_whole_and_in_order_wherever_the_engines_bytes_are_cut():
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    stream = (
        chunk(delta={"role": "assistant", "content": None})
        + chunk(delta={"content": "Ré"})
        + chunk(delta={"content": "d."})
        + chunk(delta={}, finish_reason="length")
        + b"data: "
        + orjson.dumps({"object": "chat.completion.chunk", "id": "c", "choices": [], "usage": usage})
        + b"\n\ndata: [DONE]\n\n"
    )
    for size in (1, 7, 64, len(stream)):
        dialect = ResponseDialect({"model": MODEL})
        told = b"".join(dialect.events(stream[at : at + size]) for at in range(0, len(stream), size)) + dialect.end()
        events = [EVENT.validate_json(part.partition(b"\ndata: ")[2]) for part in told.strip().split(b"\n\n")]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert [event.type for event in events] == [*ORDER[:5], ORDER[4], *ORDER[5:8], "response.incomplete"]
        last = events[-1].response
        assert last.output_text == "Réd." and last.incomplete_details.reason == "max_output_tokens"
        assert (last.usage.input_tokens, last.usage.output_tokens) == (3, 2)


def test_a_response_is_answered_whole_and_in_events(running, client: openai.OpenAI):
    asked = {"model": MODEL, "input": "Name three colours.", "instructions": "Be brief.", "temperature": 0}
    before = running.resident.counters()
    whole = client.responses.create(**asked, max_output_tokens=24)
    assert isinstance(whole, Response) and whole.output_text and whole.usage is not None
    running.wait_until(lambda: running.resident.counters().in_flight == 0)
    assert running.resident.counters().units - before.units == whole.usage.output_tokens
    events = list(client.responses.create(**asked, max_output_tokens=24, stream=True))
    kinds = [event.type for event in events]
    assert list(dict.fromkeys(kinds))[:-1] == ORDER[:-1] and kinds[-1] == f"response.{whole.status}"
    assert "".join(event.delta for event in events if event.type == ORDER[4]) == whole.output_text
    with client.responses.stream(**asked, max_output_tokens=24) as stream:
        assert stream.get_final_response().output_text == whole.output_text if whole.status == "completed" else True


def test_errors_raise_the_clients_classes_and_name_the_clients_fields(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=MODEL, input="fox " * 2000)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")
    with pytest.raises(openai.BadRequestError, match="no answers are kept here"):
        client.responses.create(model=MODEL, input="hi", previous_response_id="resp_1")
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="gpt-9", input="hi")


def test_a_response_that_is_cut_ends_with_an_error_that_the_client_raises(running, client: openai.OpenAI):
    stream = client.responses.create(model=MODEL, input="Count to a million.", max_output_tokens=480, stream=True)
    for event in stream:
        if event.type == ORDER[4]:
            break
    with running.asleep(0.2), pytest.raises(openai.APIError, match="given to other work"):
        list(stream)
