"""The embedding model: what search and /v1/embeddings rest on."""

import numpy as np
import pytest

from tenfold.core.assets import fetch
from tenfold.core.errors import AssetError
from tenfold.core.minilm import LONGEST, MINILM, MINILM_TOKENIZER, WIDTH, load_minilm
from tenfold.core.paths import cache_dir


@pytest.fixture(scope="module")
def minilm():
    for asset in (MINILM, MINILM_TOKENIZER):
        fetch(asset, cache_dir(), lambda _: None)
    return load_minilm(cache_dir())


def test_an_embedding_depends_on_its_own_text_only(minilm):
    texts = ["Do you ship to Norway?", "", "red wool socks " * 200, "Do you ship to Norway?"]
    together = minilm.embed(texts)
    assert together.shape == (4, WIDTH) and together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([minilm.embed([text]) for text in texts])
    assert np.allclose(together, alone, atol=1e-5)
    assert minilm.embed([]).shape == (0, WIDTH)


def test_the_nearest_text_means_the_same_and_shares_no_word(minilm):
    asked, *others = minilm.embed(
        [
            "How do I get my money back?",
            "Refunds are paid within five days.",
            "We are open on Sundays from ten.",
            "The jacket keeps the rain out.",
        ]
    )
    assert np.argmax(others @ asked) == 0


def test_tokens_are_embedded_in_their_context(minilm):
    bank, river = minilm.embed_tokens(["a bank account", "a river bank with mud and stones"])
    assert bank.shape == (3, WIDTH) and len(river) == 7
    assert bank[1] @ river[2] < 0.9
    assert minilm.count_tokens("word " * 1000) == LONGEST == len(minilm.embed_tokens(["word " * 1000])[0]) + 2


def test_a_model_that_was_not_fetched_is_named_with_the_next_step(tmp_path):
    with pytest.raises(AssetError, match="minilm-int8") as caught:
        load_minilm(tmp_path)
    assert "tenfold assets" in caught.value.next_step
