"""Chatting with a serve resident, and taking its slot away: the openai client against the real model."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import openai
import psutil
import pytest

from idle import least_cpu_s
from tenfold.core.errors import ResidentFailed
from tenfold.serve import openai_api
from tenfold.serve.llama_cpp import LlamaCppEngine

if TYPE_CHECKING:
    from tests.serve.conftest import RunningResident

MODEL = "smollm2-135m"
HELLO: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Name three colours."}]
STORY: list[openai.types.chat.ChatCompletionMessageParam] = [
    {"role": "user", "content": "Write a very long story about a fox."}
]
UNENDING = {"ignore_eos": True}
COMPLETION = json.dumps({"model": MODEL, "prompt": "Once", "max_tokens": 1}).encode()


def slots(running: "RunningResident") -> list[dict[str, object]]:
    endpoint = next(iter(running.resident._models.values())).endpoint
    assert endpoint is not None
    request = urllib.request.Request(f"{endpoint.url}/slots", headers=dict(endpoint.headers))
    with urllib.request.urlopen(request) as response:
        return json.loads(response.read())


def test_a_chat_is_answered_and_its_tokens_are_counted(running: "RunningResident", client: openai.OpenAI) -> None:
    before = running.resident.counters()
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0)
    assert "Red" in (answer.choices[0].message.content or "")
    assert answer.usage is not None
    running.wait_until(lambda: running.resident.counters().in_flight == 0)
    after = running.resident.counters()
    assert after.units - before.units == answer.usage.completion_tokens
    assert after.facts["prompt_tokens"] - before.facts["prompt_tokens"] == answer.usage.prompt_tokens
    assert after.requests == before.requests + 1
    assert after.busy_s > before.busy_s


@pytest.mark.parametrize("with_usage", [False, True])
def test_a_streamed_chat_is_the_same_answer_and_count(
    running: "RunningResident", client: openai.OpenAI, with_usage: bool
) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=HELLO, temperature=0, seed=1, max_tokens=24)
    assert whole.usage is not None
    before = running.resident.counters()
    options = {"include_usage": True} if with_usage else openai.omit
    pieces, usages = [], []
    for chunk in client.chat.completions.create(
        model=MODEL, messages=HELLO, temperature=0, seed=1, max_tokens=24, stream=True, stream_options=options
    ):
        pieces += [choice.delta.content or "" for choice in chunk.choices]
        usages += [chunk.usage] if chunk.usage else []
    assert "".join(pieces) == whole.choices[0].message.content
    assert len(usages) == with_usage
    running.wait_until(lambda: running.resident.counters().in_flight == 0)
    assert running.resident.counters().units - before.units == whole.usage.completion_tokens


def test_a_completion_is_answered(client: openai.OpenAI) -> None:
    answer = client.completions.create(model=MODEL, prompt="The capital of France is", max_tokens=5, temperature=0)
    assert "Paris" in answer.choices[0].text


def test_an_answer_is_bounded_when_the_client_sets_no_bound(
    running: "RunningResident", client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_api, "DEFAULT_MAX_TOKENS", 40)
    before = running.resident.counters()
    answer = client.chat.completions.create(model=MODEL, messages=STORY, extra_body=UNENDING)
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (40, "length")
    assert running.resident.counters().units - before.units == 40


def test_both_names_of_the_token_bound_work(client: openai.OpenAI) -> None:
    for bound in ({"max_tokens": 3}, {"max_completion_tokens": 3}):
        answer = client.chat.completions.create(model=MODEL, messages=STORY, **bound)
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 3


def test_another_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(
        openai.NotFoundError, match=r"'gpt-5' does not exist; this pool serves 'smollm2-135m'"
    ) as caught:
        client.chat.completions.create(model="gpt-5", messages=HELLO)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_second_model_answers_by_its_name_within_its_own_bounds(
    running: "RunningResident", client: openai.OpenAI
) -> None:
    before = running.resident.counters()
    answer = client.chat.completions.create(model="twin", messages=HELLO, temperature=0, max_tokens=4)
    assert answer.model == "twin"
    assert answer.usage is not None
    running.wait_until(lambda: running.resident.counters().in_flight == 0)
    assert running.resident.counters().units - before.units == answer.usage.completion_tokens
    # 300 tokens fit into the first model's context of 512, and not into this one's of 256.
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="twin", prompt="fox " * 300, max_tokens=1)
    assert caught.value.code == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError, match="at most 1 answers"):
        client.completions.create(model="twin", prompt="fox", n=2)


def test_a_prompt_longer_than_the_context_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "fox " * 2000}])
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        (b"{", None, "not JSON"),
        (b"[]", None, "the body"),
        (b'{"model": "smollm2-135m"}', "messages", "missing required field 'messages'"),
        (b'{"model": "smollm2-135m", "messages": []}', "messages", "at least 1"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "model", "missing required field 'model'"),
        (b'{"model": "smollm2-135m", "messages": "hello"}', "messages", "list"),
        (b'{"model": "smollm2-135m", "messages": [{"content": "x"}]}', "messages.0.role", "missing"),
        (
            b'{"model": "smollm2-135m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 0}',
            "max_tokens",
            "greater than or equal to 1",
        ),
    ],
)
def test_a_bad_body_is_explained_in_openais_shape(
    running: "RunningResident", body: bytes, param: str | None, words: str
) -> None:
    request = urllib.request.Request(f"{running.url}/v1/chat/completions", data=body)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as response:
        error = json.loads(response.read())["error"]
    assert caught.value.code == 400
    assert sorted(error) == ["code", "message", "param", "type"]
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert words in error["message"]


def test_a_parameter_that_the_engine_refuses_is_explained(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO, extra_body={"grammar": "root ::= ("})
    assert caught.value.body is not None


def test_queries_of_death_are_refused_before_the_engine(running: "RunningResident", client: openai.OpenAI) -> None:
    """Each of these ended the process, took gigabytes of it or kept it busy for minutes."""
    before = running.resident.counters()
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]
    schema = {"type": "array", "items": {"type": "string"}, "minItems": 5, "maxItems": 2}
    for field, value in (
        ("grammar", "root ::= " + "(" * 300_000 + '"a"' + ")" * 300_000),
        ("repeat_last_n", 200_000_000),
        ("n_predict", 10**9),
        ("tools", {}),
        ("messages", [{"role": "user", "content": parts}]),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=MODEL, messages=HELLO, extra_body={field: value})
        assert str(caught.value.param).startswith(field)
    after = running.resident.counters()
    assert (after.units, after.requests) == (before.units, before.requests)


def test_an_answer_fits_the_schema_that_was_asked_for(client: openai.OpenAI) -> None:
    schema: dict[str, object] = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "blue"]}, "code": {"type": "string", "pattern": "^[a-f]{3}$"}},
        "required": ["colour", "code"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "colour", "schema": schema}},
    )
    found = json.loads(answer.choices[0].message.content or "")
    assert found["colour"] in ("red", "blue")
    assert len(found["code"]) == 3


def test_a_chat_with_a_tool_is_answered(client: openai.OpenAI) -> None:
    """Whether the tool is called is the model's affair; this one's template knows none."""
    parameters: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}}
    answer = client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        tools=[{"type": "function", "function": {"name": "weather", "parameters": parameters}}],
        max_tokens=4,
    )
    assert answer.choices[0].finish_reason in ("length", "stop", "tool_calls")


def test_two_people_are_answered_together(running: "RunningResident", client: openai.OpenAI) -> None:
    streams = [
        client.chat.completions.create(model=MODEL, messages=STORY, max_tokens=90, stream=True, extra_body=UNENDING)
        for _ in range(2)
    ]
    seen: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        for index, stream in enumerate(streams):
            pool.submit(lambda stream=stream, index=index: seen.extend(index for _ in stream))
    assert sorted(set(seen)) == [0, 1]
    # Decoded in turn, the second answer would start after the first has ended.
    assert seen.index(1) < len(seen) - seen[::-1].index(0)
    assert seen.index(0) < len(seen) - seen[::-1].index(1)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_frees_its_slot(running: "RunningResident", client: openai.OpenAI, stream: bool) -> None:
    before = running.resident.counters()

    def ask() -> None:
        # Who streams leaves after five events, who does not after a second.
        patience_s = 60.0 if stream else 1.0
        with openai.OpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0, timeout=patience_s) as impatient:
            answer = impatient.chat.completions.create(
                model=MODEL, messages=STORY, max_tokens=480, stream=stream, extra_body=UNENDING
            )
            for _, _ in zip(range(5), answer, strict=False):
                pass

    if stream:
        ask()
    else:
        with pytest.raises(openai.APITimeoutError):
            ask()
    running.wait_until(lambda: running.resident.counters().in_flight == 0)
    running.wait_until(lambda: not any(slot["is_processing"] for slot in slots(running)))
    after = running.resident.counters()
    assert after.facts["disconnected"] == before.facts["disconnected"] + 1
    assert after.requests == before.requests
    assert after.units - before.units < 400


def test_sleep_lets_an_answer_end(running: "RunningResident", client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=STORY, max_tokens=20, stream=True, extra_body=UNENDING
    )
    next(iter(stream))
    with running.asleep(20.0):
        reasons = [chunk.choices[0].finish_reason for chunk in stream if chunk.choices]
        assert reasons[-1] == "length"


def test_sleep_near_its_deadline_ends_a_long_answer_with_an_error_event(
    running: "RunningResident", client: openai.OpenAI
) -> None:
    before = running.resident.counters()
    stream = client.chat.completions.create(
        model=MODEL, messages=STORY, max_tokens=480, stream=True, extra_body=UNENDING
    )
    next(iter(stream))
    with running.asleep(0.4):
        assert not any(slot["is_processing"] for slot in slots(running))
        with pytest.raises(openai.APIError, match="given to other work") as caught:
            list(stream)
        assert caught.value.code == "asleep"
        assert running.resident.counters().facts["cut"] == before.facts["cut"] + 1
    assert client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=2).choices


def test_sleep_hands_back_a_request_that_no_byte_was_sent_of(running: "RunningResident") -> None:
    body = {"model": MODEL, "messages": STORY, "max_tokens": 480, **UNENDING}
    request = urllib.request.Request(f"{running.url}/v1/chat/completions", data=json.dumps(body).encode())
    refused: list[urllib.error.HTTPError] = []

    def ask() -> None:
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            refused.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    running.wait_until(lambda: running.resident.counters().in_flight == 1)
    with running.asleep(0.4):
        asking.join()
        with refused[0] as response:
            assert (response.code, response.headers["x-tenfold-asleep"]) == (503, "1")


def test_a_request_whose_body_comes_after_it_fell_asleep_is_handed_back(running: "RunningResident") -> None:
    body = json.dumps({"model": MODEL, "messages": HELLO}).encode()
    connection = http.client.HTTPConnection(urlsplit(running.url).netloc, timeout=60)
    with closing(connection):
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("content-length", str(len(body)))
        connection.endheaders(body[:10])
        # By the time that a later request is answered, the earlier one's head has been read.
        with urllib.request.urlopen(urllib.request.Request(f"{running.url}/v1/completions", data=COMPLETION)):
            pass
        with running.asleep(1.0):
            connection.send(body[10:])
            response = connection.getresponse()
            assert (response.status, response.headers["x-tenfold-asleep"]) == (503, "1")
    assert running.resident.counters().in_flight == 0


def test_asleep_it_uses_no_cpu(running: "RunningResident", client: openai.OpenAI) -> None:
    client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=2)
    process = psutil.Process()
    with running.asleep(5.0):
        # The test's own threads (uvicorn's ten ticks a second among them) are in this figure too.
        assert least_cpu_s(lambda: sum(process.cpu_times()[:2]), 0.05) <= 0.05


def test_a_model_file_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF, but no more")
    engine = LlamaCppEngine(tmp_path / "model.gguf", model=MODEL, threads=1, parallel=1, context_tokens=128)
    with pytest.raises(ResidentFailed, match=r"does not load .*model\.gguf") as caught:
        engine.start()
    assert "tenfold assets" in caught.value.next_step


def test_sleep_does_not_wait_for_a_long_prompt(running: "RunningResident", client: openai.OpenAI) -> None:
    before = running.resident.counters()
    prompt = " ".join(str(number) for number in range(110))
    message: openai.types.chat.ChatCompletionMessageParam = {"role": "user", "content": prompt}
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.chat.completions.create, model=MODEL, messages=[message], stream=True)
        running.wait_until(lambda: running.resident.counters().in_flight == 1)
        with running.asleep(0.1), pytest.raises(openai.InternalServerError, match="given to other work"):
            asking.result()
    after = running.resident.counters()
    assert (after.in_flight, after.units, after.facts["cut"]) == (0, before.units, before.facts["cut"] + 1)
