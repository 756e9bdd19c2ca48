"""Embedding texts as OpenAI's clients ask for it."""

import struct
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.minilm import MODEL, WIDTH
from tenfold.serve.embeddings import PIECE_TOKENS, pieces

TEXTS = ["A cat sleeps.", "A kitten naps on the sofa, as it does all day.", "Interest rates rose by half a point."]


@given(st.lists(st.integers(1, 255), max_size=60))
def test_pieces_hold_every_text_once_and_few_tokens_each(tokens):
    found = list(pieces(tokens))
    assert sorted(place for piece in found for place in piece) == list(range(len(tokens)))
    assert all(len(piece) == 1 or len(piece) * max(tokens[place] for place in piece) <= PIECE_TOKENS for piece in found)


def test_texts_become_vectors_that_tell_what_is_alike(running, client: openai.OpenAI):
    running.wait_until(lambda: running.resident.counters().in_flight == 0)
    before = running.resident.counters()
    answer = client.embeddings.create(model=MODEL, input=TEXTS, encoding_format="float")
    vectors = np.array([each.embedding for each in answer.data])
    assert [each.index for each in answer.data] == [0, 1, 2] and vectors.shape == (3, WIDTH)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alike = vectors @ vectors.T
    assert alike[0, 1] > alike[0, 2] + 0.2
    assert answer.model == MODEL and answer.usage.prompt_tokens == answer.usage.total_tokens > 20
    running.wait_until(lambda: running.resident.counters().in_flight == 0)
    after = running.resident.counters()
    assert after.facts["embedded_tokens"] - before.facts["embedded_tokens"] == answer.usage.prompt_tokens
    assert after.requests == before.requests + 1 and after.units > before.units


def test_base64_holds_the_same_numbers_and_one_text_may_stand_alone(client: openai.OpenAI):
    floats = client.embeddings.create(model=MODEL, input=TEXTS[0], encoding_format="float").data[0].embedding
    raw = client.embeddings.with_raw_response.create(model=MODEL, input=[TEXTS[0]], encoding_format="base64")
    told = raw.http_response.json()["data"][0]["embedding"]
    assert list(struct.unpack(f"<{WIDTH}f", b64decode(told))) == pytest.approx(floats, abs=1e-6)


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"dimensions": 64}, "dimensions", "vectors of this model have 384 dimensions"),
        ({"input": []}, "input", "at least 1 item"),
        ({"input": ""}, "input", "an empty text has no embedding"),
        ({"input": ["a", ""]}, "input", "an empty text has no embedding"),
        ({"input": [1, 2]}, "input", "not tokens"),
        ({"input": ["a"] * 2049}, "input", "at most 2048 items"),
        ({"input": ["a", "word " * 300]}, "input", "text 1 has 256 tokens or more"),
        ({"extra": 1}, "extra", "unknown or unsupported field"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_name(client: openai.OpenAI, fields, param, words):
    body = {"model": MODEL, "input": "a"} | fields
    with pytest.raises(openai.BadRequestError, match=words) as caught:
        client.post("/embeddings", body=body, cast_to=object)
    assert caught.value.param == param


def test_another_model_is_not_found(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.embeddings.create(model="text-embedding-3-small", input="a")


def test_a_long_request_is_handed_back_when_the_slot_is_given_away(running, client: openai.OpenAI):
    texts = [f"{number} " + "word " * 200 for number in range(200)]
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(client.embeddings.create, model=MODEL, input=texts)
        running.wait_until(lambda: running.resident.counters().in_flight == 1)
        with running.asleep(1.0), pytest.raises(openai.InternalServerError, match="given to other work"):
            asking.result()
    assert running.resident.counters().in_flight == 0
