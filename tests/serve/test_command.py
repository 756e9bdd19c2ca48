"""``tenfold serve``: how fast a model is here, and what that earns, by the command that people run."""

import json

import pytest

from tenfold.cli.main import main
from tenfold.core.minilm import MODEL
from tenfold.core.paths import cache_dir

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def nobody_runs(smollm2_cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TENFOLD_CACHE", str(cache_dir()))
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def bench(capsys, *words: str) -> dict:
    main(["serve", "bench", *words, "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_chat_model_is_measured_by_batch_and_priced_by_the_configured_price(tmp_path, capsys):
    (tmp_path / "tenfold.toml").write_text(
        "[rank]\nfloor = 1\n[pool.kinds.cpu]\nslots_per_core = 4\n[serve]\nvalue_per_unit_usd = 1e-3\n"
    )
    found = bench(capsys, "--most", "2", "--tokens", "4")
    assert (found["model"], found["second"], found["seconds_per_slot_second"]) == ("smollm2-135m", "CPU-second", 0.25)
    assert [(row["what"], row["batch"]) for row in found["rows"]] == [("prefill", 1), ("decode", 1), ("decode", 2)]
    assert [row["tokens"] for row in found["rows"][1:]] == [4, 8]
    for row in found["rows"]:
        assert row["tokens_per_s"] == pytest.approx(row["tokens"] / row["seconds"])
    assert found["rows"][0]["usd_per_slot_hour"] is None
    decode = found["rows"][1]
    assert decode["usd_per_slot_hour"] == pytest.approx(3600 * decode["tokens_per_s"] / 4 * 1e-3)


def test_the_embedder_is_measured_too_and_the_table_is_for_people(capsys):
    main(["serve", "bench", MODEL, "--most", "1"])
    text = capsys.readouterr().out
    assert f"{MODEL}, onnxruntime; a unit earns 2e-06 USD (configured; no pool runs)" in text
    assert "tokens per CPU-second" in text and "1 (embed)" in text


def test_a_model_that_is_not_here_is_named_with_those_that_are(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["serve", "bench", "gpt-9"])
    assert ended.value.code == 2
    assert "there is no model 'gpt-9' here to measure" in capsys.readouterr().err
