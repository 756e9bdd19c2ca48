"""What went wrong goes to a person, and a question about the same matter does not."""

import numpy as np
import pytest
from small_shop import NOW, item_of, small_shop

from tenfold.agents.brain import respond
from tenfold.agents.memory import Memory
from tenfold.agents.reading import grievance
from tenfold.core.assets import fetch
from tenfold.core.minilm import MINILM, MINILM_TOKENIZER, load_minilm
from tenfold.core.paths import cache_dir


@pytest.fixture(scope="module")
def model():
    for asset in (MINILM, MINILM_TOKENIZER):
        fetch(asset, cache_dir(), lambda _: None)
    return load_minilm(cache_dir())


def test_the_weights_are_of_the_features():
    assert grievance.weights_of().shape == (grievance.features(np.zeros(384, np.float32), "why?").size + 1,)


@pytest.mark.parametrize(
    ("said", "is_one"),
    [
        ("your apprentice cut my ear and it bled a lot", True),
        ("There was a wasp in my marmalade. Disgusting.", True),
        ("i paid the deposit twice and nobody answers my mails", True),
        ("what do you do if something is damaged in the wash?", False),
        ("my daughter is seven, may she come along?", False),
        ("what does a full service cost?", False),
        ("We had a great time yesterday, thank you so much!", False),
        ("I found you on Instagram!", False),
        ("We had an awful time yesterday!", True),
    ],
)
def test_a_grievance_is_told_from_a_question(model, said, is_one):
    assert grievance.is_grievance(model.embed([said])[0], said) is is_one


def test_what_a_customer_says_is_not_kept_with_the_words_of_a_shop():
    shop = small_shop((item_of("Red Kettle", ({}, "20.00", 3)),), ())
    for said in ("my cousin Ann broke her leg on Monday", "does the kettle whistle?"):
        respond(shop, said, Memory(), NOW)
        assert said not in shop._parts
