"""The text: prepared once and whole, and cut so that any worker can make any microbatch."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from damage import harms
from tenfold.core.errors import AssetError, Damaged
from tenfold.llama.data.index import TextSource, check_data, read_index
from tenfold.llama.data.sampler import Sampler, permuted
from tenfold.llama.data.stdlib import prepare


@given(size=st.integers(1, 400), key=st.text(max_size=8))
def test_a_pass_sees_each_window_once(size, key):
    assert sorted(permuted(position, size, key=key) for position in range(size)) == list(range(size))


@given(step=st.integers(0, 50), workers=st.integers(1, 7), data=st.data())
def test_a_step_holds_the_same_sequences_for_any_workers_in_any_order(recipe, text, step, workers, data):
    order = data.draw(st.permutations(range(recipe.microbatches)))
    owners = [Sampler(text, recipe) for _ in range(workers)]
    got = {microbatch: owners[turn % workers].window_indices(step, microbatch) for turn, microbatch in enumerate(order)}
    one = Sampler(text, recipe)
    assert got == {microbatch: one.window_indices(step, microbatch) for microbatch in range(recipe.microbatches)}
    windows = [window for microbatch in got.values() for window in microbatch]
    if (step + 1) * len(windows) <= one.windows:
        assert len(set(windows)) == len(windows)


def test_batches_are_text_and_their_seed_decides_them(recipe, text):
    batch_BT = Sampler(text, recipe).microbatch_BT(3, 1)
    assert batch_BT.shape == (recipe.microbatch_sequences, recipe.sequence_tokens + 1)
    assert np.array_equal(batch_BT, Sampler(text, recipe).microbatch_BT(3, 1))
    other = Sampler(text, recipe.model_copy(update={"seed": 1}))
    assert not np.array_equal(batch_BT, other.microbatch_BT(3, 1))


def test_held_out_text_is_never_trained_on(recipe, text):
    sampler = Sampler(text, recipe)
    last_used = sampler.windows * recipe.sequence_tokens
    assert last_used < sampler.index.training_tokens
    assert sampler.index.held_out_tokens > recipe.sequence_tokens


def test_the_tokenizer_gives_back_what_it_was_given(text):
    tokenizer = Tokenizer.from_file(str(text / "tokenizer.json"))
    code = "def grüße(n):\n\treturn n ** 2  # 平方\n"
    assert tokenizer.decode(tokenizer.encode(code).ids) == code


def test_a_second_prepare_uses_the_first(text):
    index = read_index(text)
    before = (text / "tokens.u16").stat().st_mtime_ns
    assert prepare(text.parent.parent, lambda _what, _share: None, index.source) == text
    assert (text / "tokens.u16").stat().st_mtime_ns == before
    assert [path.name for path in text.parent.iterdir()] == [text.name]


def test_progress_ends_at_one(tmp_path):
    seen = []
    prepare(tmp_path, lambda what, share: seen.append((what, share)), TextSource(vocab_size=300, files=12))
    shares = [share for _, share in seen]
    assert shares[-1] == 1.0 and all(0 <= share <= 1 for share in shares)


def test_a_damaged_text_is_named_with_what_to_do(tmp_path):
    folder = prepare(tmp_path, lambda _what, _share: None, TextSource(vocab_size=300, files=12))
    tokens = folder / "tokens.u16"
    tokens.write_bytes(tokens.read_bytes()[:-2])
    with pytest.raises(AssetError, match=r"tokens\.u16 has \d+ bytes") as caught:
        read_index(folder)
    assert str(folder) in caught.value.next_step


def test_a_python_without_its_source_is_explained(tmp_path):
    with pytest.raises(AssetError, match="holds 0 Python files"):
        prepare(tmp_path, lambda _what, _share: None, TextSource(folder=tmp_path))


SMALL = TextSource(vocab_size=300, files=12)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("small"), lambda _what, _share: None, SMALL)


@given(harm=harms, name=st.sampled_from(["tokens.u16", "tokenizer.json", "index.json"]))
def test_text_with_any_damage_is_refused_or_the_same(tmp_path_factory, small, harm, name):
    folder = tmp_path_factory.mktemp("copy") / small.name
    shutil.copytree(small, folder)
    (folder / name).write_bytes(harm((folder / name).read_bytes()))
    try:
        assert check_data(folder) == read_index(small)
        assert all(
            (folder / part).read_bytes() == (small / part).read_bytes() for part in ("tokens.u16", "tokenizer.json")
        )
    except Damaged as error:
        assert str(folder) in str(error)


def test_nobody_is_told_to_delete_a_folder_that_holds_something_else(tmp_path):
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(Damaged, match=r"index\.json.*missing") as caught:
        read_index(tmp_path)
    assert caught.value.next_step.startswith("name a folder")
    assert f"tenfold data build {tmp_path} SOURCES" in caught.value.next_step


@pytest.mark.slow
def test_damaged_text_is_set_aside_and_made_again_the_same(tmp_path):
    folder = prepare(tmp_path, lambda _what, _share: None, SMALL)
    before = read_index(folder)
    tokens = folder / "tokens.u16"
    data = bytearray(tokens.read_bytes())
    data[len(data) // 2] ^= 1
    tokens.write_bytes(data)
    assert prepare(tmp_path, lambda _what, _share: None, SMALL) == folder
    assert check_data(folder) == before, "the run's identity hangs on it"
    (aside,) = (path for path in folder.parent.glob("*.damaged-*") if path.is_dir())
    assert (aside / "tokens.u16").read_bytes() == bytes(data)
