"""Words of a text, from as many threads as ask at once."""

from concurrent.futures import ThreadPoolExecutor

from tenfold.agents.reading import token
from tenfold.catalog import words

PLAIN = {"jackets": "jacket", "running": "run", "generously": "generous", "fluently": "fluentli", "shipped": "ship"}


def test_stems_are_the_same_whichever_threads_ask_at_once():
    """A stemmer shared by threads gives wrong stems, and raises, within a few hundred words."""

    def ask(_: int) -> list[dict[str, str]]:
        # Past the caches, which would keep a wrong stem for good.
        stems = (words.stem.__wrapped__, token.stem.__wrapped__)
        return [{word: stem(word) for word in PLAIN} for _ in range(150) for stem in stems]

    alone = ask(0)[:2]
    assert alone[0] == PLAIN
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(ask, range(8)):
            assert found[0::2] == [alone[0]] * 150
            assert found[1::2] == [alone[1]] * 150
