"""The ranker as the pool runs it: a process of its own, orders and requests through a real socket."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from inline_snapshot import snapshot
from pydantic import BaseModel

import fresh_resident
from idle import least_cpu_s
from tenfold.core.errors import AssetError
from tenfold.pool.process import ASLEEP_HEADER, ProcessSpec
from tenfold.pool.resident import Context
from tenfold.pool.token import TOKEN_HEADER
from tenfold.rank.dataset import MovieLens
from tenfold.rank.ranker import Ranker
from tenfold.rank.resident import RankResident, create

TOKEN = "a-secret"


class Counted(BaseModel):
    units: float
    requests: int
    busy_s: float
    in_flight: int
    phase: str


@dataclass
class Running:
    process: psutil.Process
    port: int
    epoch: int = 0

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, object], dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {TOKEN_HEADER: TOKEN})
            response = connection.getresponse()
            text = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
        finally:
            connection.close()
        return response.status, json.loads(text) if text.startswith(b"{") else {}, headers

    def rank(self, **body: object) -> tuple[int, dict[str, object]]:
        status, answer, _ = self.call("POST", "/v1/rank", json.dumps(body).encode())
        return status, answer

    def counters(self) -> Counted:
        return Counted.model_validate(self.call("GET", "/resident/counters")[1])

    def order(self, verb: str) -> None:
        self.epoch += 1
        body = json.dumps({"epoch": self.epoch, "deadline_s": 60.0}).encode()
        assert self.call("POST", f"/resident/{verb}", body)[0] == 200


@pytest.fixture(scope="module")
def running(trained_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    spec = ProcessSpec(
        name="rank@n0/cpu0",
        workload="rank",
        factory="tenfold.rank.resident:create",
        slot="n0/cpu0",
        cores=(),
        threads=1,
        gpu=None,
        bind="127.0.0.1",
        port=0,
        home=str(tmp_path_factory.mktemp("home")),
        cache=str(trained_cache),
        settings={},
        companions={},
        token=TOKEN,
    )
    process = subprocess.Popen([sys.executable, fresh_resident.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(spec.to_json() + b"\n")
        process.stdin.flush()
        yield Running(psutil.Process(process.pid), int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def awake(running: Running) -> Running:
    running.order("wake")
    return running


def test_a_user_gets_the_list_that_the_ranker_gives(awake: Running, ranker: Ranker, movielens: MovieLens):
    status, answer = awake.rank(user=196)
    history = movielens.events_of(196)
    assert history is not None
    assert status == 200
    assert (answer["model"], answer["user"], answer["seen_excluded"]) == (
        "movielens-100k-sequence",
        196,
        len(history),
    )
    wanted = ranker.rank(history, 10)
    items = answer["items"]
    assert isinstance(items, list)
    assert [entry["item"] for entry in items] == [movielens.catalog.items[row].item for row in wanted.rows]
    assert [entry["score"] for entry in items] == pytest.approx(wanted.scores.tolist(), abs=1e-4)
    assert set(items[0]) == {"item", "title", "genres", "score"}
    first = movielens.catalog.items[wanted.rows[0]]
    assert (items[0]["title"], items[0]["genres"]) == (first.title, list(first.genres))


def test_a_history_candidates_and_k_are_obeyed(awake: Running):
    status, answer = awake.rank(history=[50, 181], candidates=[172, 50, 1, 172], k=5)
    assert status == 200
    items = answer["items"]
    assert isinstance(items, list)
    assert {entry["item"] for entry in items} == {172, 1}
    assert (answer["user"], answer["seen_excluded"]) == (None, 1)
    assert items[0]["score"] >= items[1]["score"]

    _, answer = awake.rank(history=[50, 181], candidates=[172, 50, 1], exclude_seen=False)
    items = answer["items"]
    assert isinstance(items, list)
    assert (len(items), answer["seen_excluded"]) == (3, 0)

    _, answer = awake.rank(history=[50], candidates=[172, 50, 1], exclude=[1, 2])
    assert [entry["item"] for entry in answer["items"]] == [172]


def test_an_empty_history_gets_what_people_begin_with(awake: Running, movielens: MovieLens):
    """The model's own answer after its start token, which is close to popularity."""
    status, answer = awake.rank(history=[], k=10)
    items = answer["items"]
    assert status == 200
    assert isinstance(items, list)
    times_rated = {item: 0 for item in movielens.catalog.row_of()}
    for row in movielens.events.row_E:
        times_rated[movielens.catalog.items[row].item] += 1
    best_rated = sorted(times_rated, key=lambda item: -times_rated[item])[:200]
    assert sum(entry["item"] in best_rated for entry in items) >= 8


@pytest.mark.parametrize(
    ("body", "explained"),
    [
        (b'{"user": 196', snapshot((400, "the body is not JSON: EOF while parsing an object at line 1 column 12"))),
        (b"", snapshot((400, "the body is not JSON: EOF while parsing a value at line 1 column 0"))),
        (b"\xff\xfe", snapshot((400, "the body is not JSON: expected value at line 1 column 1"))),
        (b"[196]", snapshot((422, "the body: Input should be an object, got [196]"))),
        (b"{}", snapshot((422, "give exactly one of 'user' and 'history', got neither"))),
        (b'{"user": 196, "history": [1]}', snapshot((422, "give exactly one of 'user' and 'history', got both"))),
        (b'{"user": 9999}', snapshot((422, "user: there is no user 9999; ids are 1 to 943"))),
        (b'{"user": "196"}', snapshot((422, "user: Input should be a valid integer, got '196'"))),
        (b'{"history": [1, 2, 5000]}', snapshot((422, "history[2]: there is no item 5000; ids are 1 to 1682"))),
        (b'{"history": [1, "x"]}', snapshot((422, "history[1]: there is no item x; ids are 1 to 1682"))),
        (b'{"user": 1, "k": 0}', snapshot((422, "k: Input should be greater than or equal to 1, got 0"))),
        (b'{"user": 1, "k": 101}', snapshot((422, "k: Input should be less than or equal to 100, got 101"))),
        (
            b'{"user": 1, "top": 5}',
            snapshot(
                (
                    422,
                    "top: unknown field; known are user, history, events, person, surface, k, exclude_seen, "
                    "candidates, exclude, filters, explain, embeddings, contents, stale",
                )
            ),
        ),
        (
            b'{"user": 1, "candidates": []}',
            snapshot((422, "candidates: List should have at least 1 item after validation, not 0, got []")),
        ),
        (b'{"user": 1, "candidates": [0]}', snapshot((422, "candidates[0]: there is no item 0; ids are 1 to 1682"))),
        (
            b'{"user": 99999999999999999999999}',
            snapshot((422, "user: there is no user 99999999999999999999999; ids are 1 to 943")),
        ),
    ],
)
def test_a_wrong_request_is_told_what_would_be_right(awake: Running, body: bytes, explained: object):
    status, answer, _ = awake.call("POST", "/v1/rank", body)
    assert (status, answer["error"]["message"]) == explained


def test_a_page_is_given_users_to_try(awake: Running):
    status, answer, _ = awake.call("GET", "/v1/rank/users?limit=3")
    users = answer["users"]
    assert status == 200
    assert isinstance(users, list)
    assert len(users) == 3
    assert all(len(user["last_titles"]) == 5 for user in users)
    assert awake.rank(user=users[1]["user"])[0] == 200
    status, answer, _ = awake.call("GET", "/v1/rank/users?limit=0")
    assert (status, answer["error"]["message"]) == (422, "limit: must be 1 to 50, got '0'")
    assert awake.call("GET", f"/v1/rank/users?limit={'9' * 5000}")[0] == 422


def test_the_catalog_says_what_there_is_and_how_many_have_seen_it(awake: Running, movielens: MovieLens):
    status, answer, _ = awake.call("GET", "/v1/rank/items")
    items = answer["items"]
    assert status == 200
    assert isinstance(items, list)
    assert [row["item"] for row in items] == [item.item for item in movielens.catalog.items]
    assert sum(row["viewers"] for row in items) == len(movielens.events)
    assert max(items, key=lambda row: row["viewers"])["title"] == "Star Wars"
    assert {surface for row in items for surface in row["surfaces"]} == {"family", "thrill", "comedy", "drama"}


def test_the_model_tells_what_it_has_learned(awake: Running, movielens: MovieLens):
    status, answer, _ = awake.call("GET", "/v1/rank/model")
    assert status == 200
    assert (answer["events"], answer["items"]) == (len(movielens.events), len(movielens.catalog.items))
    assert answer["snapshot"] and answer["epochs"][-1]["loss"] < answer["epochs"][0]["loss"]


def test_counters_grow_by_what_was_done(awake: Running):
    before = awake.counters()
    for _ in range(5):
        awake.rank(user=1)
    awake.rank(user=0)
    after = awake.counters()
    assert after.units - before.units == 5
    assert after.requests - before.requests == 6
    assert 0 < after.busy_s - before.busy_s < 5
    assert after.in_flight == 0


def test_many_at_once_all_get_their_own_answer(awake: Running):
    alone = {user: awake.rank(user=user) for user in range(1, 17)}
    with ThreadPoolExecutor(8) as threads:
        together = dict(zip(alone, threads.map(lambda user: awake.rank(user=user), alone), strict=True))
    assert together == alone


def test_asleep_it_refuses_and_uses_no_cpu(running: Running):
    running.order("wake")
    running.order("sleep")
    status, _, headers = running.call("POST", "/v1/rank", b'{"user": 1}')
    assert (status, headers[ASLEEP_HEADER]) == (503, "1")
    # uvicorn's clock ticks ten times a second; a spinning thread would use a whole second.
    assert least_cpu_s(lambda: sum(running.process.cpu_times()[:2]), 0.05) <= 0.05


def test_sleep_lets_a_request_in_work_finish(running: Running):
    running.order("wake")
    body = b'{"user": 1}'
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    connection.putrequest("POST", "/v1/rank")
    connection.putheader(TOKEN_HEADER, TOKEN)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:5])
    while running.counters().in_flight == 0:
        time.sleep(0.01)
    sleeper = threading.Thread(target=running.order, args=("sleep",))
    sleeper.start()
    try:
        while running.counters().phase != "draining":
            time.sleep(0.01)
        connection.send(body[5:])
        response = connection.getresponse()
        assert (response.status, len(json.loads(response.read())["items"])) == (200, 10)
    finally:
        connection.close()
        sleeper.join()
    assert running.counters().phase == "asleep"


def test_a_client_that_hangs_up_frees_the_slot(awake: Running):
    connection = http.client.HTTPConnection("127.0.0.1", awake.port, timeout=60)
    connection.putrequest("POST", "/v1/rank")
    connection.putheader(TOKEN_HEADER, TOKEN)
    connection.putheader("Content-Length", "100")
    connection.endheaders(b'{"us')
    while awake.counters().in_flight == 0:
        time.sleep(0.01)
    connection.close()
    while awake.counters().in_flight == 1:
        time.sleep(0.01)
    assert awake.rank(user=1)[0] == 200


def test_loading_without_a_trained_ranker_is_explained(fresh_cache: Path, tmp_path: Path):
    resident = create(Context("n0/cpu0", 1, tmp_path, fresh_cache, {}, {}, TOKEN))
    with pytest.raises(AssetError, match="has not been trained"):
        resident.load()


async def test_where_slots_have_a_size_it_keeps_to_that_of_its_own(tmp_path):
    share, piece_s = 0.2, 0.02
    resident = RankResident(Context("n0/cpu0", 1, tmp_path, tmp_path, {}, {}, TOKEN, service_share=share))
    await resident.wake()
    began_s, used_s = time.monotonic(), time.process_time()
    for _ in range(8):
        await resident._rest()
        until_s = time.process_time() + piece_s
        while time.process_time() < until_s:
            pass
    # The last piece is paid for later.
    assert time.process_time() - used_s <= share * (time.monotonic() - began_s) + 2 * piece_s
