"""Training as the pool sees it: wakes at once, sleeps at once, and costs nothing asleep."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from idle import least_cpu_s
from tenfold.core.errors import ConfigError, PortTaken, ResidentFailed
from tenfold.llama.coordinator import Coordinator
from tenfold.llama.data.index import TextSource, read_index
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.live import live_paths
from tenfold.llama.recipe import ModelShape, Recipe, recipe_from_settings
from tenfold.llama.resident import TrainResident
from tenfold.llama.runs import train_folder
from tenfold.llama.status import fetch_status, status
from tenfold.llama.wire import WireError
from tenfold.pool.resident import Context

TOKEN = "secret"


@contextmanager
def running(recipe: Recipe, text, home, port: int = 0, data: Path | None = None) -> Iterator[str]:
    coordinator = Coordinator(recipe, read_index(text).sha256, home, TOKEN, data=data)
    bound = coordinator.listen("127.0.0.1", port)
    thread = threading.Thread(target=coordinator.run)
    thread.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        coordinator.stop()
        thread.join()
        for path in live_paths(train_folder(home)):
            path.unlink(missing_ok=True)


@contextmanager
def loaded(
    recipe: Recipe, text, home, address: str, token: str = TOKEN, cpu_share: float | None = None
) -> Iterator[TrainResident]:
    context = Context(
        slot="n0/cpu0",
        threads=1,
        home=home,
        cache=home,
        settings={},
        companions={"train": address},
        token=token,
        cpu_share=cpu_share,
    )
    resident = TrainResident(recipe, text, context)
    resident.load()
    try:
        yield resident
    finally:
        resident.close()


async def until(resident: TrainResident, microbatches: int) -> None:
    async with asyncio.timeout(180):
        # A count that another thread keeps; there is no event to wait for.
        while resident.counters().requests < microbatches:
            await asyncio.sleep(0.01)


async def test_it_takes_its_share_of_a_core_and_leaves_the_rest_to_its_neighbours(recipe, text, tmp_path):
    with (
        running(recipe, text, tmp_path) as address,
        loaded(recipe, text, tmp_path, address, cpu_share=0.2) as resident,
    ):
        await resident.wake()
        await until(resident, 1)
        wall_s, cpu_s = time.monotonic(), time.process_time()
        await asyncio.sleep(2.0)
        used = (time.process_time() - cpu_s) / (time.monotonic() - wall_s)
        await resident.sleep(2.0)
    # Little is saved up in so short a time; the microbatch at either end of the two seconds is slack.
    assert 0.05 < used < 0.35


async def test_it_trains_awake_and_stands_still_asleep(recipe, text, tmp_path):
    with running(recipe, text, tmp_path) as address, loaded(recipe, text, tmp_path, address) as resident:
        assert resident.counters().requests == 0
        await resident.wake()
        # The one after the third step's last shows that the step was taken.
        await until(resident, 3 * recipe.microbatches + 1)
        await resident.sleep(2.0)
        asleep = resident.counters()
        assert asleep.in_flight == 0
        assert asleep.units == asleep.requests * recipe.microbatch_tokens
        assert asleep.facts["computed"] == asleep.requests, "all that was computed was handed in"
        assert asleep.facts["loss"] > 0 and asleep.facts["step"] >= 3
        await asyncio.sleep(0.3)
        assert resident.counters() == asleep
        await resident.wake()
        await until(resident, asleep.requests + 2)
        await resident.sleep(2.0)
        assert (await status(address, TOKEN)).accepted == resident.counters().requests


async def test_asleep_it_uses_no_processor_time(recipe, text, tmp_path):
    with running(recipe, text, tmp_path) as address, loaded(recipe, text, tmp_path, address) as resident:
        await resident.wake()
        await until(resident, 4)
        await resident.sleep(2.0)
        await asyncio.sleep(0.3)
        assert await asyncio.to_thread(least_cpu_s, time.process_time, 0.02, 2.0) <= 0.02


async def test_it_waits_for_a_coordinator_that_comes_later(recipe, text, tmp_path):
    with running(recipe, text, tmp_path) as address:
        pass
    with loaded(recipe, text, tmp_path, address) as resident:
        await resident.wake()
        assert resident.counters().requests == 0
        await resident.sleep(2.0)
        await resident.wake()
        with running(recipe, text, tmp_path, port=int(address.split(":")[1])):
            await until(resident, 2)
            await resident.sleep(2.0)


async def test_one_that_waits_for_work_sleeps_at_once(recipe, text, tmp_path):
    single = recipe.model_copy(update={"microbatches": 1, "microbatch_sequences": 256, "sequence_tokens": 16})
    with (
        running(single, text, tmp_path) as address,
        loaded(single, text, tmp_path, address) as busy,
        loaded(single, text, tmp_path, address) as idle,
    ):
        for _ in range(3):
            await asyncio.gather(busy.wake(), idle.wake())
            await until(busy, busy.counters().requests + 1)
            await idle.sleep(2.0)
            await until(busy, busy.counters().requests + 1)
            await busy.sleep(2.0)
        answer = await status(address, TOKEN)
        assert answer.accepted == busy.counters().requests + idle.counters().requests
        assert answer.rejected == 0


async def test_a_worker_learns_the_recipe_from_the_coordinator(recipe, text, tmp_path):
    narrow = ModelShape(**{**recipe.model.model_dump(), "hidden_size": 16})
    other = Recipe(model=narrow, sequence_tokens=16, microbatches=2)
    with running(recipe, text, tmp_path) as address, loaded(other, text, tmp_path, address) as resident:
        await resident.wake()
        await until(resident, 2 * recipe.microbatches + 1)
        await resident.sleep(2.0)
        done = resident.counters()
        assert done.units == done.requests * recipe.microbatch_tokens
        assert (await status(address, TOKEN)).step >= 2


async def test_a_worker_with_another_text_is_told_why(recipe, text, tmp_path):
    source = TextSource(vocab_size=320, files=20, tokenizer_sample_every=4)
    other = prepare(tmp_path / "cache", lambda _what, _share: None, source)
    with running(recipe, text, tmp_path) as address, loaded(recipe, other, tmp_path, address) as resident:
        with pytest.raises(ResidentFailed, match="another text than the run") as caught:
            await resident.wake()
        assert "version of Python" in caught.value.next_step


async def test_a_worker_whose_home_does_not_show_which_run_it_is_learns_its_data_from_the_coordinator(
    recipe, text, tmp_path
):
    """A node that does not share the home sees no run that waits there: it loads the run of the settings."""
    source = TextSource(vocab_size=320, files=20, tokenizer_sample_every=4)
    settings = prepare(tmp_path / "cache", lambda _what, _share: None, source)
    with running(recipe, text, tmp_path, data=text) as address:
        (tmp_path / "node").mkdir()
        with loaded(Recipe(model=recipe.model), settings, tmp_path / "node", address) as resident:
            await resident.wake()
            await until(resident, recipe.microbatches + 1)
            await resident.sleep(2.0)
            assert resident.counters().units == resident.counters().requests * recipe.microbatch_tokens


async def test_a_wrong_token_is_turned_away_on_both_sides(recipe, text, tmp_path):
    with running(recipe, text, tmp_path) as address:
        with pytest.raises(WireError, match="does not know this pool's token"):
            fetch_status(address, "guess")
        with loaded(recipe, text, tmp_path, address, token="guess") as resident, pytest.raises(WireError):
            await resident.wake()
        assert fetch_status(address, TOKEN).workers == 0


async def test_status_says_what_the_console_shows(recipe, text, tmp_path):
    with running(recipe, text, tmp_path) as address, loaded(recipe, text, tmp_path, address) as resident:
        await resident.wake()
        await until(resident, 2 * recipe.microbatches + 1)
        answer = await status(address, TOKEN)
        await resident.sleep(2.0)
    assert answer.workers == 1
    assert answer.step >= 2 and answer.tokens == answer.step * recipe.step_tokens
    assert answer.loss == answer.loss_history[-1].loss
    assert answer.params > 10_000


def test_a_taken_port_is_named(recipe, text, tmp_path):
    with running(recipe, text, tmp_path / "one") as address:
        port = int(address.split(":")[1])
        with pytest.raises(PortTaken, match=str(port)), running(recipe, text, tmp_path / "two", port=port):
            pass


def test_the_seed_of_the_config_is_the_seed_of_the_run():
    assert recipe_from_settings({"seed": 7, "floor": 1}).seed == 7
    with pytest.raises(ConfigError, match=r"train\.seed"):
        recipe_from_settings({"seed": "seven"})
