"""A run without a pool: it ends, is stopped and goes on, is branched, is evaluated; its workers may be killed."""

import concurrent.futures
import json
import multiprocessing
import os
import signal
import socket
import threading
import time
from ipaddress import IPv4Address

import numpy as np
import pytest

from outline import Outline
from tenfold.cli.main import main
from tenfold.core.errors import AssetError, UsageError
from tenfold.llama import command, train_command
from tenfold.llama.alone import join, train_alone
from tenfold.llama.checkpoint import checkpoint_files, checkpoint_path, read_checkpoint
from tenfold.llama.crew import Crew
from tenfold.llama.journal import STEPS_FILE, read_evaluations, read_steps
from tenfold.llama.live import live_paths
from tenfold.llama.numerics import numerics_of
from tenfold.llama.run_file import RunFile, RunFileError, read_run_file
from tenfold.llama.runs import RUN_FILE, read_run, train_folder
from tenfold.llama.status import fetch_status
from tenfold.llama.step import StepInFlight
from tenfold.llama.stopping import stopped_by_signal
from tenfold.llama.vectors import layout_of


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    for folder in tmp_path.glob("train/*"):
        live_paths(folder)[0].unlink(missing_ok=True)


@pytest.fixture
def run(recipe, text) -> RunFile:
    changed = recipe.model_copy(update={"steps": 10, "decay_share": 0.4, "evaluate_every": 4, "evaluate_sequences": 3})
    return RunFile("whole", changed, text)


def branch_of(run: RunFile, name: str, **changes: object) -> RunFile:
    return RunFile(name, run.recipe.model_copy(update=changes), run.data)


def test_another_machine_joins_a_run_leaves_it_and_changes_no_bit(home, run):
    whole = branch_of(run, "joined", evaluate_every=0)
    with socket.create_server(("127.0.0.1", 0)) as free:
        where = free.getsockname()
    address, later = f"{where[0]}:{where[1]}", threading.Event()

    def on_progress(progress, _line):
        # The next step cannot end before this returns.
        if progress.step in (1, 5):
            wait_for_workers(address, 2 if progress.step == 1 else 3)
        if progress.step == 3:
            later.set()
            wait_for_workers(address, 1)

    with concurrent.futures.ThreadPoolExecutor(1) as there:
        first = there.submit(join, whole, address, "known", stop=later)
        second = there.submit(join, whole, address, "known", workers=2)
        finished = train_alone(whole, home, on_progress=on_progress, listen=where, token="known")
        assert (first.result(), second.result()) == (False, True)
    alone = train_alone(branch_of(whole, "alone"), home)
    assert (finished.step, finished.loss) == (10, alone.loss)
    assert parameters(home, "alone")[1].sha256() == parameters(home, "joined")[1].sha256()


def test_a_machine_without_the_token_is_told_which_and_makes_none_of_its_own(home, run):
    with pytest.raises(UsageError, match="has no token file") as refused:
        train_command.join(run, home, "10.0.0.1:7777", 1)
    assert "from the home of the machine that trains whole" in refused.value.next_step
    assert not (home / "token").exists()
    with pytest.raises(UsageError, match="different machines"):
        command.train("run.toml", listen="10.0.0.1:7777", join="10.0.0.1:7777")


def wait_for_workers(address: str, count: int) -> None:
    deadline = time.monotonic() + 120
    while fetch_status(address, "known").workers != count:
        assert time.monotonic() < deadline, f"there are not {count} workers"
        time.sleep(0.01)


def parameters(home, name):
    folder = train_folder(home, name)
    meta = read_run(folder)
    return read_checkpoint(checkpoint_files(folder)[0], meta, layout_of(meta.recipe.model).spans)


def test_a_run_stopped_killed_and_branched_ends_with_the_same_bits(home, run, reference, monkeypatch, capsys):
    whole = train_alone(run, home, workers=2)
    assert (whole.step, whole.tokens) == (10, 10 * run.recipe.step_tokens)
    assert [line.step for line in read_evaluations(whole.folder)] == [4, 8, 10]
    assert whole.evaluation_loss == read_evaluations(whole.folder)[-1].loss
    steps = read_steps(whole.folder)
    assert [line.step for line in steps] == list(range(1, 11))
    assert all(line.workers <= 2 and line.tokens_per_s > 0 and line.skipped == "" for line in steps)
    # Before the decay the schedule is that of a run without an end.
    reference.after(6)
    assert [line.loss for line in steps[:6]] == reference.losses[:6]
    assert [line.learning_rate for line in steps[6:]] == sorted((s.learning_rate for s in steps[6:]), reverse=True)
    assert steps[-1].learning_rate < 0.2 * run.recipe.learning_rate
    assert whole.evaluation_loss in Outline((whole.folder / "report.html").read_text()).values

    # Stopped after some steps, its worker killed, and gone on with: nothing shows.
    stop, killed = threading.Event(), []

    def harm(progress, line):
        if progress.step == 3 and not killed:
            killed.extend(worker_pids())
            for child in killed:
                os.kill(child, signal.SIGKILL)
        if progress.step == 7:
            stop.set()

    again = branch_of(run, "stopped")
    assert train_alone(again, home, on_progress=harm, stop=stop).step == 7
    assert killed
    with (train_folder(home, "stopped") / STEPS_FILE).open("a") as file:
        file.write('{"step": 8, "tok')
    # By its name alone, as its folder tells recipe and data.
    monkeypatch.setenv("TENFOLD_HOME", str(home))
    main(["train", "resume", "stopped", "--json"])
    assert json.loads(capsys.readouterr().out)["step"] == 10
    gone_on = read_steps(train_folder(home, "stopped"))
    assert [line.loss for line in gone_on] == [line.loss for line in steps]
    # The command measures the peak before it trains.
    assert all(line.mfu > 0 for line in gone_on[-2:])

    assert [each.step for each in numerics_of(train_folder(home, "stopped"))] == [0]

    # A trunk at a constant rate, kept at step 6, from which a run decays.
    trunk = branch_of(run, "trunk", decay_share=0.0, keep_at=(6,), steps=9)
    train_alone(trunk, home)
    assert checkpoint_path(train_folder(home, "trunk"), 6).exists()
    branch = train_alone(branch_of(run, "branch", from_run="trunk", from_step=6), home)
    assert branch.evaluation_loss == whole.evaluation_loss
    expected = parameters(home, "whole")[1]
    for name in ("stopped", "branch"):
        progress, state = parameters(home, name)
        assert progress.step == 10
        assert np.array_equal(state.parameters_P, expected.parameters_P), name
        assert state.sha256() == expected.sha256()

    with pytest.raises(AssetError, match="no checkpoint at step 5; it has: 6, 9") as told:
        train_alone(branch_of(run, "other", from_run="trunk", from_step=5), home)
    assert "keep_at = [5]" in told.value.next_step
    with pytest.raises(AssetError, match="no run 'oak'"):
        train_alone(branch_of(run, "other", from_run="oak", from_step=5), home)
    with pytest.raises(AssetError, match=r"another recipe.*\(learning_rate was [^,]*, now 1\.0\)"):
        train_alone(branch_of(run, "whole", learning_rate=1.0), home)


def test_a_run_that_cannot_be_evaluated_has_not_begun(home, run, monkeypatch):
    def none(_sampler, _count):
        raise AssetError("the data holds out too few tokens")

    with monkeypatch.context() as patched, pytest.raises(AssetError, match="holds out too few"):
        patched.setattr("tenfold.llama.data.sampler.Sampler.held_out_windows", none)
        train_alone(branch_of(run, "mended"), home)
    folder = train_folder(home, "mended")
    assert not (folder / RUN_FILE).exists() and not any(path.exists() for path in live_paths(folder))


def test_a_run_that_is_stopped_within_a_step_ends_after_it(home, run, monkeypatch):
    short = branch_of(run, "short", evaluate_every=0)
    stop, told, put, seen = threading.Event(), threading.Event(), StepInFlight.put, []

    def on_progress(progress, _line):
        if progress.step == 2:
            told.set()

    def harm(step, *given):
        seen.append(given)
        if len(seen) == 2 * run.recipe.microbatches + 2:
            # Whoever is told of the second step has looked whether it is to stop.
            assert told.wait(60)
            time.sleep(0.5)
            stop.set()
            # Longer than it takes to see that.
            time.sleep(0.5)
        return put(step, *given)

    monkeypatch.setattr(StepInFlight, "put", harm)
    assert train_alone(short, home, on_progress=on_progress, stop=stop).step == 3
    assert len(seen) == 3 * run.recipe.microbatches


def test_a_step_that_does_not_end_is_given_up(home, run, monkeypatch):
    monkeypatch.setattr("tenfold.llama.alone.LAST_STEP_S", 0.1)
    stop = threading.Event()
    monkeypatch.setattr(Crew, "start", lambda _: stop.set())
    monkeypatch.setattr(Crew, "close", lambda _: None)
    assert train_alone(branch_of(run, "hangs", evaluate_every=0), home, stop=stop).step == 0


def test_a_second_ctrl_c_ends_at_once():
    # Whoever starts the tests in the background has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), stopped_by_signal() as stop:
            signal.raise_signal(signal.SIGINT)
            assert stop.is_set()
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_who_listens_says_what_to_enter_on_other_machines(tmp_path, monkeypatch):
    def told(host):
        return train_command.how_to_join(tmp_path / "run.toml", host, 7777, tmp_path)

    assert told("10.0.0.1").endswith("by:\n  tenfold train run.toml --join 10.0.0.1:7777")
    assert str(tmp_path / "token") in told("10.0.0.1")
    assert "--listen 0.0.0.0:7777 lets other machines join" in told("127.0.0.1")
    assert IPv4Address("127.0.0.1") in train_command.own_addresses()
    own = [IPv4Address("127.0.0.1"), IPv4Address("10.1.0.4"), IPv4Address("192.168.1.5")]
    monkeypatch.setattr(train_command, "own_addresses", lambda: own)
    assert "127.0.0.1" not in told("0.0.0.0") and "0.0.0.0" not in told("0.0.0.0")
    for address in own[1:]:
        assert f"\n  tenfold train run.toml --join {address}:7777" in told("0.0.0.0")
    del own[1:]
    assert "no other can join" in told("0.0.0.0")


def worker_pids() -> list[int]:
    """Process ids of this process's workers, which the fork server started."""
    return [child.pid for child in multiprocessing.active_children() if child.name.startswith("train-worker")]


def test_a_run_without_an_end_is_refused(home, recipe):
    with pytest.raises(UsageError, match="'main' has no end"):
        train_alone(recipe, home)


def test_a_run_file_says_what_is_trained_and_mistakes_are_named(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(
        '[model]\nhidden_size = 64\n[train]\nsteps = 50\nlearning_rate = 1e-3\n[data]\nfolder = "prepared"\n'
    )
    run = read_run_file(path)
    assert (run.name, run.recipe.model.hidden_size, run.recipe.steps) == ("small", 64, 50)
    assert run.data == tmp_path / "prepared"
    assert run.recipe.model_fields_set == {"model", "steps", "learning_rate"}
    for text, told in {
        "[train]\nstep = 5\n": "step",
        "[train]\nsteps = 0\n": "train.steps",
        "[train]\nfrom_run = 'a'\n": "from_run and from_step go together",
        "[train]\nsteps = 10\nfrom_run = 'a'\nfrom_step = 9\n": "from_step 9 is past step 8",
        "[train.model]\nhidden_size = 64\n": r"\[model\]",
    }.items():
        path.write_text(text)
        with pytest.raises(RunFileError, match=told):
            read_run_file(path)
