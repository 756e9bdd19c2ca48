"""A run file on the pool: which run and data are trained, and how the pool hears that there is nothing left to do."""

import asyncio
import dataclasses
import json
import multiprocessing
import threading
import tomllib
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
import train_processes
from ladder_laws import isoflop_runs

from tenfold.cli.main import main
from tenfold.core.errors import AssetError
from tenfold.llama.checkpoint import checkpoint_files, checkpoint_path, read_meta
from tenfold.llama.data.build import Choices, build
from tenfold.llama.data.index import read_index
from tenfold.llama.data.stdlib import text_folder
from tenfold.llama.journal import read_evaluations, read_steps
from tenfold.llama.ladder.climb import RungGivenUp, on_pool
from tenfold.llama.ladder.library import prediction_path
from tenfold.llama.ladder.prediction import Prediction, load_outcome, outcome_path, register
from tenfold.llama.ladder.rungs import Rung
from tenfold.llama.live import live_paths
from tenfold.llama.pool_run import data_here, pool_run
from tenfold.llama.recipe import Recipe
from tenfold.llama.resident import create
from tenfold.llama.run_data import keep_data
from tenfold.llama.run_file import RunFile, RunFileError
from tenfold.llama.runs import open_run, train_folder
from tenfold.llama.status import fetch_status
from tenfold.llama.workload import ENDED_FILE, TRAIN
from tenfold.pool.news import why_ended
from tenfold.pool.resident import Context
from tenfold.wiring import CONFIG

TEXT = "0" * 64
LAW = {"E": 1.7, "A": 400.0, "B": 400.0, "alpha": 0.34, "beta": 0.28}


@pytest.fixture
def own_text(monkeypatch, text):
    """Python's own text, in place of the one that takes long to make."""
    monkeypatch.setattr("tenfold.llama.pool_run.prepare", lambda *_: text_folder(text.parent.parent))
    monkeypatch.setattr("tenfold.llama.pool_run.read_index", lambda _: read_index(text))
    return text_folder(text.parent.parent)


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    for folder in tmp_path.glob("train/*"):
        live_paths(folder)[0].unlink(missing_ok=True)


def asked(home, text, **settings):
    return pool_run(settings, home, text.parent.parent)


def test_a_run_is_named_by_its_file_or_by_its_name_and_brings_its_data(home, text, recipe, own_text):
    assert asked(home, text).data == own_text
    assert asked(home, text, seed=3).asked.seed == 3
    (home / "small.toml").write_text(f'[train]\nsteps = 5\nseed = 8\n[data]\nfolder = "{text}"\n')
    found = asked(home, text, run="small.toml")
    assert (found.name, found.recipe.steps, found.recipe.seed, found.data) == ("small", 5, 8, text)
    with pytest.raises(RunFileError, match=r"other\.toml"):
        asked(home, text, run="other.toml")

    # One that `tenfold train` began: by its own recipe and data, whatever the settings leave to defaults.
    folder = train_folder(home, "begun")
    folder.mkdir(parents=True)
    open_run(folder, recipe.model_copy(update={"seed": 5}), TEXT)
    assert asked(home, text, run="begun").data == own_text, "nothing says on which"
    keep_data(folder, text)
    found = asked(home, text, run="begun")
    assert (found.asked.seed, found.recipe.model, found.data) == (5, recipe.model, text.resolve())
    with pytest.raises(AssetError, match="seed was 5, now 7"):
        open_run(folder, asked(home, text, run="begun", seed=7).asked, TEXT)
    # What says on which data it is trained is damaged: it is not trained on others.
    (folder / "data.json").write_text("{")
    with pytest.raises(AssetError, match=r"data\.json is damaged"):
        asked(home, text, run="begun")
    keep_data(folder, text)
    (folder / "run.json").write_text("{")
    assert asked(home, text, run="begun").recipe == Recipe()

    # One on Python's own text is known by its identity, and goes on.
    mine = train_folder(home, "mine")
    mine.mkdir(parents=True)
    open_run(mine, recipe, read_index(text).sha256)
    (mine / "data.json").write_text("{")
    assert asked(home, text, run="mine").data == own_text
    assert list(mine.glob("data.json.damaged-*")) and not (mine / "data.json").exists()


def test_data_that_are_not_on_this_machine_are_named(text, own_text):
    cache = text.parent.parent
    assert data_here(text, cache) == text
    assert data_here(own_text.resolve(), cache) == own_text
    ladders = own_text.resolve().parent / "another"
    with pytest.raises(AssetError, match="another, which is not on this machine"):
        data_here(ladders, cache)


def test_settings_take_a_name_or_a_run_file():
    for run in ("main", "small-2", "runs/small.toml", "/data/small.toml"):
        assert TRAIN.settings(run=run).run == run
    for run in ("", "../x", "a b", "small.json"):
        with pytest.raises(ValueError, match="run"):
            TRAIN.settings(run=run)


def write_run(home, text, recipe, name, **changes):
    """Write a run file of the tiny model."""
    model = "\n".join(
        f"{key} = {str(value).lower()}" for key, value in recipe.model.model_dump(exclude={"vision"}).items()
    )
    table = {**recipe.model_dump(exclude={"model"}, exclude_defaults=True), **changes}
    train = "\n".join(f"{key} = {value}" for key, value in table.items())
    words = f'[model]\n{model}\n[train]\n{train}\n[data]\nfolder = "{text}"\n'
    tomllib.loads(words)
    (home / f"{name}.toml").write_text(words)
    return f"{name}.toml"


def foretell(home, name):
    """Register a prediction of a run."""
    runs = isoflop_runs(noise=0.002, count=4)
    most = runs.flops_R.max()
    told = Prediction(
        name=name, made_at="2026-11-29T00:00:00+00:00", runs_sha256="0" * 64, runs=4, flops=10 * most, times=10.0,
        loss=3.3, low=3.1, high=3.5, params=1e4, tokens=1e5, learning_rate=1e-3, batch_tokens=64.0, accelerator="h100",
        accelerator_hours=(1.0, 2.0, 3.0), usd=None, owned_tokens=1e5, unique_tokens=1e5, repeats=1.0, storage_gb=0.1,
        cross_check=3.31, best_so_far=3.9, law=LAW, reasons=(),
    ).sealed()  # fmt: skip
    rows = zip(runs.names, runs.params_R, runs.flops_R, runs.loss_R, strict=True)
    table = "run,params,flops,loss\n" + "".join(f"{a},{b:.8g},{c:.8g},{d:.8g}\n" for a, b, c, d in rows)
    path = prediction_path(home, name)
    register(told, table, path)
    return path


@contextmanager
def trained_by_the_pool(context, home, cache, run) -> Iterator[tuple[multiprocessing.Process, Context, str]]:
    """The pool's process of training, and one resident, awake."""
    told = Context(
        slot="n0/cpu0", threads=1, home=home, cache=cache, settings={"run": run}, companions={}, token="secret",
        cpu_share=None,
    )  # fmt: skip
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=train_processes.accompany, args=(told, writer))
    process.start()
    try:
        assert reader.poll(180), "the companion came up"
        yield process, told, f"127.0.0.1:{reader.recv()}"
        process.terminate()
        process.join(180)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()


@asynccontextmanager
async def working(told, address):
    """A resident that is awake."""
    resident = create(dataclasses.replace(told, companions={"train": address}))
    resident.load()
    try:
        await resident.wake()
        yield resident
    finally:
        resident.close()


async def wait_turns(resident, home, text, recipe, monkeypatch):
    """Runs that wait have their turns on the slots of the pool, whatever their data, then that of the settings."""
    words = " ".join(f"{one} and {other};" for one in range(40) for other in range(40))
    (home / "words.txt").write_text(words)
    (home / "more.txt").write_text(words.replace("and", "or"))
    build(home / "other", [home / "words.txt", home / "more.txt"], Choices(vocab_size=300), lambda _what, _share: None)
    # What a ladder wants of a pool is that one is up.
    monkeypatch.setattr("tenfold.llama.ladder.climb.find_running", lambda _home: object())
    quick = recipe.model_copy(update={"steps": 2, "evaluate_sequences": 2})
    bad = quick.model_copy(update={"microbatches": 100_000})
    first = Rung(RunFile("first", quick, home / "other"), "first", 1, 1.0)
    second = Rung(RunFile("second", quick.model_copy(update={"seed": 1}), text), "second", 1, 1.0)
    third = Rung(RunFile("third", bad, text), "third", 1, 1.0)
    before = resident.counters().requests
    with on_pool([first, second, third], home, threading.Event()) as reach:
        for rung in (first, second):
            done = await asyncio.to_thread(reach, rung)
            assert (done.step, done.evaluation_loss) == (2, pytest.approx(read_evaluations(done.folder)[-1].loss))
        with pytest.raises(RungGivenUp, match=r"third up: .* fewer than one step"):
            await asyncio.to_thread(reach, third)
    assert resident.counters().requests >= before + 2 * 2 * recipe.microbatches
    assert not list((home / "train-queue").iterdir())
    async with asyncio.timeout(180):
        while not (home / ENDED_FILE).exists():
            await asyncio.sleep(0.05)


async def test_a_run_file_is_trained_to_its_end_and_its_slots_are_free(
    context, home, text, recipe, cluster, reference, monkeypatch
):
    # This process is the tests' own: it keeps its place and its memory.
    monkeypatch.setattr("tenfold.llama.resident.stand_behind_services", lambda: None)
    monkeypatch.setattr("tenfold.llama.resident.keep_freed_memory", lambda: None)
    run = write_run(home, text, recipe, "small", steps=3, evaluate_sequences=3)
    small, worse = foretell(home, "small"), foretell(home, "worse")
    plan = TRAIN.plan(CONFIG(), home)
    with trained_by_the_pool(context, home, text.parent.parent, run) as (_, told, address):
        assert why_ended(home / ENDED_FILE) == "" and fetch_status(address, "secret").ended == ""
        async with working(told, address) as resident:
            cluster.wait_for((home / ENDED_FILE).exists, "the end of the run")
            # As the controller does with a job that has nothing to do: at once, though nobody hands out work.
            await resident.sleep(5.0)
            done = resident.counters()
        assert (done.requests, plan.ended) == (3 * recipe.microbatches, str(home / ENDED_FILE))
        assert why_ended(home / ENDED_FILE) == "run small: finished: step 3 of 3"
        status = fetch_status(address, "secret")
        assert (status.ended, status.alarm) == ("finished: step 3 of 3", "")
        folder = train_folder(home, "small")
        cluster.wait_for(lambda: read_evaluations(folder), "its last evaluation")
        cluster.wait_for((folder / "report.html").exists, "its page")
        cluster.wait_for(checkpoint_path(folder, 3).exists, "its checkpoint")
        assert read_meta(checkpoint_files(folder)[0]).progress.step == 3
        cluster.wait_for(outcome_path(small).exists, "the score of what was predicted of it")
        assert load_outcome(small).observed == read_evaluations(folder)[-1].loss

    # It is the run that a plain loop makes of its file; the rate falls after the second step only.
    reference.after(2)
    assert [line.loss for line in read_steps(folder)][:2] == reference.losses[:2]

    # Another run has work again; one that diverges says why, and its process stays.
    run = write_run(home, text, recipe, "worse", steps=50, learning_rate=1e30, warmup_steps=0, skip_limit=2)
    with trained_by_the_pool(context, home, text.parent.parent, run) as (process, told, address):
        assert not (home / ENDED_FILE).exists()
        async with working(told, address) as resident:
            cluster.wait_for((home / ENDED_FILE).exists, "the end of the run")
            await wait_turns(resident, home, text, recipe, monkeypatch)
        assert "run worse: diverged" in why_ended(home / ENDED_FILE)
        assert "lower learning_rate" in fetch_status(address, "secret").alarm
        cluster.wait_for(outcome_path(worse).exists, "the score of what was predicted of it")
        reached = read_evaluations(train_folder(home, "worse"))[-1].loss
        assert (load_outcome(worse).verdict, load_outcome(worse).observed) == ("worse", reached)
        assert process.is_alive()


def test_a_run_that_diverged_without_a_pool_is_scored_too(home, text, recipe, monkeypatch, capsys):
    monkeypatch.setenv("TENFOLD_HOME", str(home))
    worse, changes = foretell(home, "worse"), {"learning_rate": 1e30, "warmup_steps": 0, "skip_limit": 2}
    with pytest.raises(SystemExit):
        main(["train", str(home / write_run(home, text, recipe, "worse", steps=50, **changes))])
    said = " ".join(capsys.readouterr().err.split())
    assert "outside the interval" in said and "diverged" in said
    observed = read_evaluations(train_folder(home, "worse"))[-1].loss
    assert (load_outcome(worse).verdict, load_outcome(worse).observed) == ("worse", observed)
    main(["ladder", "score", "worse", "--json"])
    assert json.loads(capsys.readouterr().out)["observed"] == observed
