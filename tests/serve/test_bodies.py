"""What a client may send reaches an engine only in bounds: every field by name, every refusal names its field."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.serve.bodies import ChatBody, CompletionBody
from tenfold.serve.json_schema import BadSchema, bounded
from tenfold.serve.openai_api import read_generation
from tenfold.serve.pattern import BadPattern, check_pattern
from tenfold.serve.rejection import Rejection

MODEL = "smollm2-135m"
HELLO = [{"role": "user", "content": "hi"}]


def read(raw: bytes, schema=ChatBody):
    return read_generation(raw, schema, model=MODEL, engine_model="engine", context_tokens=512, parallel=4)


def chat(**fields: object) -> dict[str, object]:
    return orjson.loads(read(orjson.dumps({"model": MODEL, "messages": HELLO} | fields)).body)


def refused(raw: bytes, schema=ChatBody) -> Rejection:
    with pytest.raises(Rejection) as caught:
        read(raw, schema)
    # The client reads it: it must be JSON, and short whatever was sent.
    assert len(caught.value.to_json("x")) < 2000
    return caught.value


def refused_chat(**fields: object) -> Rejection:
    return refused(orjson.dumps({"model": MODEL, "messages": HELLO} | fields))


def schema_format(schema: object) -> dict[str, object]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("repeat_last_n", 200_000_000),
        ("n_predict", 100_000),
        ("grammar", "root ::= " + "(" * 1000 + '"a"' + ")" * 1000),
        ("json_schema", {"type": "object"}),
        ("cache_prompt", False),
        ("id_slot", 3),
        ("samplers", ["top_k"]),
        ("mirostat", 2),
        ("dry_penalty_last_n", 200_000_000),
        ("lora", []),
        ("n_probs", 50_000),
        ("chat_template", "{{ 1 }}"),
        ("chat_template_kwargs", {}),
        ("functions", []),
        ("x" * 5000, 1),
    ],
)
def test_fields_that_are_not_on_the_list_are_refused_by_name(field, value):
    rejection = refused_chat(**{field: value})
    assert (rejection.status, rejection.code) == (400, "unknown_parameter")
    assert rejection.param == field[:80]


@pytest.mark.parametrize(
    ("field", "value", "param"),
    [
        ("n", 5, "n"),
        ("n", 10**6, "n"),
        ("max_tokens", 0, "max_tokens"),
        ("max_tokens", 1.5, "max_tokens"),
        ("temperature", 1e308, "temperature"),
        ("temperature", -1, "temperature"),
        ("top_logprobs", 50_000, "top_logprobs"),
        ("logit_bias", {str(token): 1 for token in range(49_152)}, "logit_bias"),
        ("logit_bias", {"5": 1e308}, "logit_bias.5"),
        ("logit_bias", {"-5": 1}, "logit_bias"),
        ("stop", [f"x{index}" for index in range(50_000)], "stop"),
        ("stop", [""], "stop.0"),
        ("stop", "x" * 100_000, "stop"),
        ("top_k", 2**31, "top_k"),
        ("repeat_penalty", 0, "repeat_penalty"),
        ("presence_penalty", 3, "presence_penalty"),
        ("tools", {}, "tools"),
        ("tools", [5], "tools.0"),
        ("tools", [{"type": "function"}], "tools.0.function"),
        ("tools", [{"type": "function", "function": {"name": '"\n ::='}}], "tools.0.function.name"),
        ("tool_choice", "wizard", "tool_choice"),
        ("response_format", 5, "response_format"),
        ("response_format", {"type": "xml"}, "response_format.type"),
        ("response_format", {"type": "json_schema"}, "response_format"),
        ("messages", HELLO * 10_000, "messages"),
        ("messages", [{"role": "wizard", "content": "x"}], "messages.0.role"),
        ("messages", [{"role": "user"}], "messages.0"),
        ("messages", [{"role": "user", "content": 5}], "messages.0.content"),
        ("messages", [{"role": "assistant", "tool_calls": 5}], "messages.0.tool_calls"),
        ("messages", [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "messages.0.content"),
        ("messages", [{"role": "user", "content": "x" * 100_000}], "messages"),
    ],
)
def test_values_out_of_bounds_are_refused_by_name(field, value, param):
    rejection = refused_chat(**{field: value})
    assert (rejection.status, rejection.param, rejection.kind) == (400, param, "invalid_request_error")


def test_an_image_is_refused_in_words():
    rejection = refused_chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])
    assert "'image_url'; this model reads text only" in rejection.message


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b'{"model": "m", "messages": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"model": "m", "x": NaN}',
        b'{"model": "m", "x": Infinity}',
        b'{"model": "m", "x": "\\ud800"}',
        b"\xff\xfe",
        b"\x00",
        b"",
        b"null",
        b'"' + b"a" * 100_000 + b'"',
        b'{"model": "m", "seed": ' + b"9" * 5000 + b"}",
    ],
)
def test_bodies_that_are_no_request_are_answered_not_died_of(raw):
    assert refused(raw).status == 400
    assert refused(raw, CompletionBody).status == 400


def test_of_two_equal_keys_the_one_that_was_checked_is_the_one_that_the_engine_gets():
    body = b'{"model": "smollm2-135m", "prompt": "x", "max_tokens": 1, "max_tokens": 999999999}'
    assert orjson.loads(read(body, CompletionBody).body)["max_tokens"] == 512


def test_an_engine_gets_what_was_asked_and_nothing_else():
    told = chat(
        messages=[
            {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": "c", "refusal": None, "annotations": []},
        ],
        temperature=0.5,
        stop="x",
        user="someone",
        store=True,
        metadata={"a": "b"},
        max_completion_tokens=7,
    )
    assert told == {
        "model": "engine",
        "messages": [{"role": "system", "content": "a\nb"}, {"role": "assistant", "content": "c"}],
        "temperature": 0.5,
        "stop": "x",
        "max_tokens": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_bound_of_tokens_is_at_most_the_context():
    assert [chat(max_tokens=asked)["max_tokens"] for asked in (3, 512, 10**9)] == [3, 512, 512]
    assert chat()["max_tokens"] == 256


@pytest.mark.parametrize(
    "bound",
    [{"response_format": {"type": "json_object"}}, {"tools": [{"type": "function", "function": {"name": "f"}}]}],
)
def test_an_assistants_last_message_is_not_gone_on_with_under_a_grammar(bound):
    """Found by fuzzing: llama.cpp ends its process where the message does not fit the grammar."""
    messages = [*HELLO, {"role": "assistant", "content": "<|im_end|>"}]
    assert refused_chat(messages=messages, **bound).param == "messages"
    assert chat(messages=messages)["messages"][-1]["role"] == "assistant"


# ---- schemas and patterns


def nested(depth: int) -> dict[str, object]:
    schema: dict[str, object] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (nested(33), "deep"),
        ({"enum": [f"v{index}" for index in range(10_000)]}, "256"),
        ({"anyOf": [{"enum": list(range(200))}, {"enum": list(range(200))}]}, "256 values in all"),
        ({"type": "object", "properties": {f"p{index}": {} for index in range(201)}}, "200 properties"),
        ({"anyOf": [{}] * 513}, "512"),
        ({"type": "array", "minItems": 5, "maxItems": 2}, "minItems is above maxItems"),
        ({"type": "string", "minLength": 10_000}, "0 to 1000"),
        ({"type": "integer", "maximum": 1e30}, "2^53"),
        ({"type": "integer", "minimum": 2, "maximum": 1}, "minimum is above maximum"),
        ({"$ref": "http://127.0.0.1/x"}, "not in the schema"),
        ({"$ref": "#/nowhere"}, "not in the schema"),
        ({"$ref": "#"}, "defined as itself"),
        ({"anyOf": [{"$ref": "#"}, {"type": "string"}]}, "defined as itself"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"oneOf": [{"$ref": "#/$defs/a"}]}}}, "defined as itself"),
        ({"allOf": [{"$ref": "#"}, {}]}, "allOf"),
        ({"enum": []}, "enum"),
        ({"anyOf": []}, "at least one"),
        ({"properties": []}, "object of schemas"),
        ({"properties": {"a": 5}}, "properties.a: a schema should be an object"),
        ({"type": "wizard"}, "one or some of"),
        ({"const": nested(5)}, "values should be"),
        ({"patternProperties": {}}, "not supported"),
        ({"type": "string", "pattern": "^(a?){500}$"}, "optional parts"),
        ({"type": "string", "description": "x" * 5000}, "1024 characters"),
    ],
)
def test_a_schema_over_a_bound_is_refused_with_its_place(schema, words):
    with pytest.raises(BadSchema) as caught:
        bounded(schema)
    assert words in str(caught.value)
    assert refused_chat(response_format=schema_format(schema)).param == "response_format.json_schema.schema"
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    assert refused_chat(tools=[tool]).param == "tools.0.function.parameters"


def test_a_usual_schema_passes_as_it_is():
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "pattern": "^[A-Z][a-z]{1,20}( [A-Z][a-z]+)?$", "maxLength": 40},
            "age": {"type": "integer", "minimum": 0, "maximum": 150},
            "kind": {"anyOf": [{"enum": ["a", "b", None]}, {"type": "null"}]},
            "children": {"type": "array", "items": {"$ref": "#/$defs/person"}, "maxItems": 3},
        },
        "required": ["name"],
        "additionalProperties": False,
        "$defs": {"person": {"type": "object", "properties": {"of": {"$ref": "#/$defs/person"}}}},
    }
    assert bounded(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema", "x-mine": 1}) == schema


@pytest.mark.parametrize("pattern", ["^a{5,2}$", "^((a?){30}){30}$", "^" + "a?" * 100 + "$", "^(((a{9}){9}){9}){9}$"])
@pytest.mark.parametrize("wrap", ["{}", "^({})$"])
def test_a_pattern_that_costs_an_engine_much_is_refused(pattern, wrap):
    with pytest.raises(BadPattern):
        check_pattern(wrap.format(pattern.strip("^$") if "(" in wrap else pattern))


@pytest.mark.parametrize(
    "pattern", ["abc", "^[$", "^($", "^)$", "^*$", "^\\$", "^(?=a)b$", "^a{,5}$", "^\\p{L}$", "$^"]
)
def test_what_is_no_plain_pattern_is_refused(pattern):
    with pytest.raises(BadPattern):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["^[a-z]+$", "^(\\d{3}-)?\\d{4}$", "^(a|b)*$", "^[^@\\s]+@[^@\\s]+\\.[a-z]{2,}$", "^(?:x|y){1,9}$"],
)
def test_usual_patterns_pass(pattern):
    check_pattern(pattern)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)
fields = st.sampled_from(sorted({*ChatBody.model_fields, *CompletionBody.model_fields, "grammar"}))


@pytest.mark.slow
@given(st.dictionaries(fields, any_json, max_size=4), st.sampled_from([ChatBody, CompletionBody]))
def test_whatever_is_sent_is_read_or_refused(table, schema):
    import json

    usual = {"model": MODEL, "messages": HELLO} if schema is ChatBody else {"model": MODEL, "prompt": "x"}
    try:
        told = orjson.loads(read(json.dumps(usual | table).encode(errors="replace"), schema).body)
    except Rejection as rejection:
        assert rejection.status in (400, 404)
        return
    assert told.keys() <= ChatBody.model_fields.keys() | CompletionBody.model_fields.keys()


keywords = st.sampled_from(
    ["type", "properties", "items", "anyOf", "enum", "const", "$ref", "$defs", "pattern", "minLength", "maximum"]
)
any_schema = st.recursive(
    st.sampled_from([{}, {"type": "string"}, {"$ref": "#"}, {"$ref": "#/$defs/a"}, {"enum": [1]}]) | any_json,
    lambda inner: st.dictionaries(
        keywords, inner | st.lists(inner, max_size=3) | st.dictionaries(st.just("a"), inner), max_size=4
    ),
    max_leaves=10,
)


@pytest.mark.slow
@given(st.dictionaries(keywords, any_schema, max_size=4))
def test_whatever_schema_is_bounded_or_refused(schema):
    try:
        kept = bounded(schema)
    except BadSchema:
        return
    assert bounded(kept) == kept
