import pytest

from tenfold.core.assets import fetch
from tenfold.core.minilm import MINILM, MINILM_TOKENIZER, load_minilm
from tenfold.core.paths import cache_dir


@pytest.fixture(scope="session")
def minilm():
    for asset in (MINILM, MINILM_TOKENIZER):
        fetch(asset, cache_dir(), lambda _: None)
    return load_minilm(cache_dir())
