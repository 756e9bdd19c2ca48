"""The published schema of a real pool: schemathesis asks what it allows and what it does not, over a real socket."""

import json

import pytest
import schemathesis
from e2e_pool import get
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tenfold.core.minilm import MODEL
from tenfold.wiring import CONFIG, gateway_routes

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = {
    "/v1/chat/completions": 25,
    "/v1/completions": 25,
    "/v1/responses": 15,
    "/v1/embeddings": 15,
    "/v1/rank": 40,
    "/v1/rank/users": 15,
}
GENERATES = {
    "/v1/chat/completions": "max_tokens",
    "/v1/completions": "max_tokens",
    "/v1/responses": "max_output_tokens",
}
_CHAT = {"model": "smollm2-135m", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4}
RIGHT = {
    "/v1/chat/completions": [_CHAT, _CHAT | {"stream": True}],
    "/v1/completions": [{"model": "smollm2-135m", "prompt": "Once", "max_tokens": 4}],
    "/v1/responses": [{"model": "smollm2-135m", "input": "Say hello.", "max_output_tokens": 4}],
    "/v1/embeddings": [
        {"model": MODEL, "input": ["Hello."]},
        {"model": MODEL, "input": "a", "encoding_format": "base64"},
    ],
    "/v1/rank": [{"user": 196}, {"history": []}],
    "/v1/rank/users": [None],
    "/v1/rank/items": [None],
    "/v1/rank/model": [None],
}
OPERATIONS = (
    *EXAMPLES,
    "/v1/rank/items",
    "/v1/rank/model",
    "/v1/models",
    "/v1/models/{model}",
    "/healthz",
    "/api/state",
    "/api/meter",
    "/api/backends",
    "/metrics",
)


@pytest.fixture(scope="module")
def schema(pool):
    return schemathesis.openapi.from_url(f"{pool.url}/openapi.json")


def test_the_schema_has_every_path_that_the_pool_answers(pool):
    status, body = get(f"{pool.url}/openapi.json")
    assert status == 200
    paths = json.loads(body)["paths"]
    assert set(paths) == set(OPERATIONS)
    assert set(gateway_routes(CONFIG())) <= set(paths)


@pytest.mark.parametrize("path", OPERATIONS)
def test_whatever_is_asked_the_answer_is_in_the_schema_and_no_server_error(schema, path):
    operation = next(iter(schema[path].values()))
    right = operation.as_strategy(generation_mode=schemathesis.GenerationMode.POSITIVE)
    wrong = operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    cases = st.one_of(right, wrong) if path in EXAMPLES else right

    @settings(
        max_examples=EXAMPLES.get(path, 3), deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases, right_model=st.booleans())
    def ask(case, right_model):
        if path in GENERATES and isinstance(case.body, dict):
            # A random request may ask for as many tokens as the context holds, which takes minutes.
            case.body[GENERATES[path]] = 4
            case.body.pop("max_completion_tokens", None)
            if right_model:
                case.body["model"] = "smollm2-135m"
        case.validate_response(case.call(timeout=60), checks=CHECKS)

    ask()


@pytest.mark.parametrize("path", RIGHT)
def test_a_right_request_is_answered_as_the_schema_says(schema, path):
    operation = next(iter(schema[path].values()))
    for body in RIGHT[path]:
        case = operation.Case(body=body) if body else operation.Case()
        response = case.call(timeout=60)
        assert response.status_code == 200, response.text
        case.validate_response(response, checks=CHECKS)
