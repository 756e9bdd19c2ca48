"""What went wrong goes to a person, and a question about the same matter does not."""

from dataclasses import replace

import numpy as np
import pytest
from small_shop import small_shop

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
    ],
)
def test_a_grievance_is_told_from_a_question(model, said, is_one):
    assert grievance.is_grievance(replace(small_shop((), ()), model=model), said) is is_one
