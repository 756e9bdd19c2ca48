"""Training data of anyone's documents: what is kept, who is held out, and what is said of sources that are no good."""

import json
import random

import numpy as np
import polars
import pytest
from tokenizers import Tokenizer

from tenfold.core.errors import AssetError, Damaged, UsageError
from tenfold.llama.data.build import Choices, build
from tenfold.llama.data.duplicates import Duplicates
from tenfold.llama.data.index import INDEX_FILE, check_data, read_index
from tenfold.llama.data.sampler import Sampler
from tenfold.llama.data.sources import SourceError, documents_in
from tenfold.llama.data.tokenizer import SEPARATOR

WORDS = [f"{a}{b}" for a in ("red", "blue", "old", "new", "tall") for b in ("house", "river", "ship", "bird", "road")]


def document(seed: int, words: int = 60) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words)) + ".\n"


def quiet(_what: str, _share: float) -> None:
    pass


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A folder of 20 text files, 30 rows of JSON Lines and 30 of Parquet; 3 repeat another, 1 nearly does."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "a-texts").mkdir()
    (folder / "a-texts" / "picture.png").write_bytes(b"\x89PNG\r\n\0\0")
    (folder / ".git").mkdir()
    (folder / ".git" / "binary").write_bytes(b"\xff\xfe")
    for number in range(20):
        (folder / "a-texts" / f"{number:02}.txt").write_text(document(number))
    rows = [document(number) for number in range(20, 48)] + [document(3).upper(), document(21)]
    (folder / "rows.jsonl").write_text("".join(json.dumps({"text": row, "id": 1}) + "\n" for row in rows))
    near = document(5) + " greenhouse"
    table = [document(number) for number in range(50, 78)] + [near, document(50)]
    polars.DataFrame({"text": table}).write_parquet(folder / "table.parquet")
    return folder


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "data"
    return out, build(out, [sources], Choices(vocab_size=400, held_out=0.15, licence="CC0-1.0"), quiet)


def texts_of(folder) -> list[str]:
    index = read_index(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokens = np.fromfile(folder / index.tokens_file, dtype=f"<u{index.token_bytes}")
    starts = np.flatnonzero(tokens == tokenizer.token_to_id(SEPARATOR))
    parts = np.split(tokens, starts[1:])
    return [tokenizer.decode(part[1:].tolist()) for part in parts]


def test_each_document_is_there_once_and_reads_as_it_was(built, sources):
    out, index = built
    assert (index.documents, index.exact_duplicates, index.near_duplicates) == (76, 3, 1)
    assert sorted(texts_of(out)) == sorted(document(n) for n in [*range(48), *range(50, 78)])
    assert {file.path.rsplit("/", 1)[-1]: file.documents for file in index.sources if "texts" not in file.path} == {
        "rows.jsonl": 30,
        "table.parquet": 30,
    }
    assert check_data(out) == index
    assert index.passed_over == 1
    assert index.licence == "CC0-1.0"


def test_what_is_held_out_depends_on_the_document_alone(built, sources, tmp_path):
    out, index = built
    held = texts_of(out)[-index.held_out_documents :]
    assert 2 <= len(held) <= 30
    build(tmp_path / "part", [sources / "rows.jsonl"], Choices(vocab_size=300, held_out=0.15), quiet)
    part = read_index(tmp_path / "part")
    # A document that is kept here is there too, be it in other letters.
    mine = {text.lower() for text in texts_of(tmp_path / "part")[-part.held_out_documents :]}
    assert mine and mine <= {text.lower() for text in held}
    least = build(tmp_path / "least", [sources], Choices(vocab_size=300, held_out=1e-9), quiet)
    assert least.held_out_documents == 1
    again = build(tmp_path / "again", [sources], Choices(vocab_size=400, held_out=0.15, licence="CC0-1.0"), quiet)
    assert again == index
    kept = build(
        tmp_path / "kept",
        [sources / "table.parquet"],
        Choices(tokenizer=out / "tokenizer.json", held_out=0.3, near=False),
        quiet,
    )
    assert (kept.vocab_size, kept.near_duplicates) == (index.vocab_size, 0)


def test_near_is_by_runs_of_words():
    known = Duplicates()
    text = document(1, 300)
    words = text.split()
    assert known.judge(text) == "new"
    assert known.judge(text.replace(" ", ",\n")) == "exact"
    assert known.judge(" ".join([*words[:150], "inserted", *words[150:]])) == "near"
    assert known.judge(" ".join(words[::-1])) == "new"
    assert known.judge(" ".join(words[:150])) == "new"
    assert known.judge("--+--") == "new"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "line 2 is not JSON"),
        ("a.jsonl", b'{"text": "a"}\n{"body": "b"}\n', "line 2 has no text 'text'; it has: body"),
        ("a.jsonl", b'{"text": "\xff"}\n', "line 1 is not UTF-8"),
        ("a.parquet", b"PAR1 garbled PAR1", "is not sound Parquet"),
        ("a.txt", b"fine until \xff here", "not UTF-8 text: invalid start byte at byte 11"),
    ],
)
def test_a_source_that_cannot_be_read_is_named(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=told) as error:
        list(documents_in(tmp_path / name, "text"))
    assert str(tmp_path / name) in str(error.value)
    assert error.value.next_step


def test_columns_are_named(tmp_path):
    polars.DataFrame(
        {"body": ["a"], "n": [1], "maybe": [None]}, schema_overrides={"maybe": polars.String}
    ).write_parquet(tmp_path / "a.parquet")
    assert list(documents_in(tmp_path / "a.parquet", "body")) == ["a"]
    for column, told in {
        "text": "no column 'text'; it has: body, n",
        "n": "holds Int64",
        "maybe": "row 1 has no",
    }.items():
        with pytest.raises(SourceError, match=told):
            list(documents_in(tmp_path / "a.parquet", column))


def test_what_cannot_be_built_is_refused_and_leaves_nothing(built, sources, tmp_path):
    out, _ = built
    with pytest.raises(UsageError, match="is there already"):
        build(out, [sources], Choices(), quiet)
    with pytest.raises(SourceError, match="no file or folder"):
        build(tmp_path / "x", [tmp_path / "none"], Choices(), quiet)
    with pytest.raises(SourceError, match="no document to train on among 1"):
        build(tmp_path / "x", [sources / "a-texts" / "01.txt"], Choices(held_out=1e-9, vocab_size=300), quiet)
    with pytest.raises(UsageError, match="not a tokenizer"):
        build(tmp_path / "x", [sources], Choices(tokenizer=sources / "rows.jsonl"), quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_garbled_shard_is_named_and_a_token_out_of_range_too(sources, tmp_path, recipe, monkeypatch):
    monkeypatch.setattr("tenfold.llama.data.index.SHARD_BYTES", 1000)
    out = tmp_path / "data"
    index = build(out, [sources], Choices(vocab_size=300, held_out=0.15), quiet)
    tokens = out / index.tokens_file
    content = bytearray(tokens.read_bytes())
    content[2500:2502] = b"\xff\xff"
    tokens.write_bytes(content)
    with pytest.raises(Damaged, match="shard 2, from token 1,000 on, does not match") as told:
        check_data(out)
    assert "tenfold data build" in told.value.next_step
    sampler = Sampler(out, recipe)
    with pytest.raises(Damaged, match=r"token 1,250 is 65535, and there are 300 kinds"):
        for step in range(1 + sampler.windows // (recipe.microbatches * recipe.microbatch_sequences)):
            for microbatch in range(recipe.microbatches):
                sampler.microbatch_BT(step, microbatch)
    tokens.write_bytes(content[:-1])
    with pytest.raises(Damaged, match=f"has {len(content) - 1} bytes, not {len(content)}"):
        read_index(out)
    small = recipe.model_copy(update={"model": recipe.model.model_copy(update={"vocab_size": 299})})
    tokens.write_bytes(content)
    with pytest.raises(AssetError, match="has 300 kinds of tokens, the model knows 299"):
        Sampler(out, small)
    (out / INDEX_FILE).write_text("{")
    with pytest.raises(Damaged, match="not JSON"):
        check_data(out)
