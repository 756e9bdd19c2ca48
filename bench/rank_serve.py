"""How quickly ranking answers from 100,000 items, and how well it knows items that nobody has met yet.

Serving: a resident as the pool runs it (a process of its own, HTTP over a socket, one thread), with a network of the
size that serves and random weights, all items on each of four surfaces, people with 60 events each. A request brings
its person's events, one more than the last time, names a surface whose value model weighs two actions and the share
watched, and asks for ten items. Requests come at random times (a Poisson process) at 60% of what the resident does in
a row, and the time of each counts from when it was due. Requests per core: what a second of the resident's CPU does.
Whether the last event counts in the next request is checked on the person's vector, against reading everything anew.

Cold: recall@10 on MovieLens-100K's films that training had no event of, over that of others, as in ``rank_cold.py``.

    python bench/rank_serve.py [--items 100000] [--seconds 20]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import orjson
import psutil
import torch

from rank_cold import cold_share
from tenfold.core.paths import cache_dir
from tenfold.pool.process import ProcessSpec
from tenfold.pool.token import TOKEN_HEADER
from tenfold.rank.features import features_of
from tenfold.rank.following import fresh_folder
from tenfold.rank.learn import Learning, learn
from tenfold.rank.network import Network
from tenfold.rank.person import Reader
from tenfold.rank.ranker import vectors_of
from tenfold.rank.recipe import Recipe, Shape
from tenfold.rank.snapshot import Snapshot, load_snapshot, save_snapshot
from tenfold.rank.stream import Events, Item, Items, Stream

SURFACES, ACTIONS = ("short", "long", "live", "shop"), ("opened", "liked", "shared")
HISTORY, PEOPLE, K, LOAD = 60, 200, 10, 0.6
SETTINGS = {name: {"actions": {"liked": 2.0, "shared": 1.0}, "watched": 1.0, "explore": 0.02} for name in SURFACES}
TOKEN = "bench"


def big_snapshot(items: int) -> Snapshot:
    """A snapshot of the served size with random weights, whose items lie in clusters as trained ones do."""
    draw = np.random.default_rng(0)
    topic = draw.integers(max(1, items // 50), size=items)
    catalog = Items(
        tuple(
            Item(row, f"Item {row}", attributes=(f"topic:{of % 40}",), author=f"author {row % 5000}", length_s=60.0)
            for row, of in enumerate(topic.tolist())
        )
    )
    recipe = Recipe()
    shape = Shape(
        items=items, attributes=40, surfaces=len(SURFACES), actions=len(ACTIONS), timed=True, judged=True, watched=True
    )
    torch.manual_seed(0)
    network = Network(recipe, shape, features_of(catalog.all, catalog.attributes(), 0, None, np.ones(items, np.bool_)))
    with torch.no_grad():
        centre_TD = torch.randn(int(topic.max()) + 1, recipe.width)
        network.own.weight.copy_(0.03 * (centre_TD[torch.from_numpy(topic)] + torch.randn(items, recipe.width)))
    small = Stream(
        SURFACES, ACTIONS, ("a",), Items(catalog.all[:2]), Events.of([0, 0], [0, 1], [1.0, 2.0], actions=[1, 2])
    )
    meta = learn(small, small.events, Learning(recipe.model_copy(update={"epochs": 1})), lambda _: None).meta
    told = {
        "shape": shape,
        "surfaces": SURFACES,
        "actions": ACTIONS,
        "attributes": catalog.attributes(),
        "recipe": recipe,
    }
    return Snapshot(meta.model_copy(update=told), network.eval(), catalog)


@contextmanager
def resident(home: Path, cache: Path) -> Iterator[tuple[psutil.Process, int]]:
    """A resident as a host starts it; gives its process and port. Who asks keeps to other cores, if there are any."""
    cores = os.sched_getaffinity(0)
    own = max(cores)
    spec = ProcessSpec(
        name="rank@n0/cpu0",
        workload="rank",
        factory="tenfold.rank.resident:create",
        slot="n0/cpu0",
        cores=(own,),
        threads=1,
        gpu=None,
        bind="127.0.0.1",
        port=0,
        home=str(home),
        cache=str(cache),
        settings={"surfaces": SETTINGS, "state_mb": 64},
        companions={},
        token=TOKEN,
    )
    command = [sys.executable, str(Path(__file__).with_name("fresh_resident.py"))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    os.sched_setaffinity(0, cores - {own} or cores)
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(spec.to_json() + b"\n")
        process.stdin.flush()
        port = int(process.stdout.readline())
        ask(HTTPConnection("127.0.0.1", port), "/resident/wake", {"epoch": 1})
        yield psutil.Process(process.pid), port
    finally:
        process.kill()
        process.wait()
        os.sched_setaffinity(0, cores)


def ask(connection: HTTPConnection, path: str, body: object) -> bytes:
    connection.request("POST", path, orjson.dumps(body), {TOKEN_HEADER: TOKEN})
    response = connection.getresponse()
    text = response.read()
    assert response.status == 200, text
    return text


class People:
    """People whose histories grow by an event with each request."""

    def __init__(self, items: int) -> None:
        self._draw = np.random.default_rng(1)
        self._items = items
        self._events = [[self._event(60 * place) for place in range(HISTORY)] for _ in range(PEOPLE)]
        self._next = 0

    def request(self) -> dict[str, object]:
        person = self._next % PEOPLE
        self._next += 1
        events = self._events[person]
        events.append(self._event(events[-1]["at"] - 1e9 + 60))
        del events[:-100]
        surface = SURFACES[int(self._draw.integers(len(SURFACES)))]
        return {"person": f"person {person}", "events": events, "surface": surface, "k": K}

    def _event(self, at: float) -> dict[str, object]:
        return {
            "item": int(self._draw.integers(self._items)),
            "surface": SURFACES[int(self._draw.integers(len(SURFACES)))],
            "actions": ["opened", "liked"][: int(self._draw.integers(3))],
            "watched": round(float(self._draw.random()), 2),
            "at": 1e9 + at,
        }


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def in_a_row(process: psutil.Process, port: int, people: People, requests: int) -> tuple[float, float]:
    """CPU seconds of the resident, and seconds, per request where one follows another."""
    connection = HTTPConnection("127.0.0.1", port)
    bodies = [people.request() for _ in range(requests)]
    before, began = cpu_s(process), time.perf_counter()
    for body in bodies:
        ask(connection, "/v1/rank", body)
    return (cpu_s(process) - before) / requests, (time.perf_counter() - began) / requests


def open_loop(port: int, people: People, per_s: float, seconds: float) -> list[float]:
    """Seconds from when each request was due to its answer."""
    draw = np.random.default_rng(2)
    due_R = np.cumsum(draw.exponential(1 / per_s, size=int(per_s * seconds)))
    bodies = [orjson.dumps(people.request()) for _ in due_R]
    took_R, lock, place = [0.0] * len(bodies), threading.Lock(), iter(range(len(bodies)))
    began = time.perf_counter() + 0.2

    def send() -> None:
        connection = HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                number = next(place, None)
            if number is None:
                return
            time.sleep(max(0.0, began + due_R[number] - time.perf_counter()))
            connection.request("POST", "/v1/rank", bodies[number], {TOKEN_HEADER: TOKEN})
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            took_R[number] = time.perf_counter() - began - due_R[number]

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took_R


def next_request_knows(port: int, snapshot: Snapshot, people: People) -> bool:
    """Whether a person's vector after one more event is that of reading everything anew, and not the one before."""
    connection = HTTPConnection("127.0.0.1", port)
    vector_ID, reader = vectors_of(snapshot.network), Reader(snapshot.network, snapshot.meta.recipe.length)
    place = {name: index for index, name in enumerate(SURFACES)}
    bit = {name: 1 << index for index, name in enumerate(ACTIONS)}
    for _ in range(20):
        body = people.request() | {"embeddings": True, "surface": "short"}
        ask(connection, "/v1/rank", body | {"events": body["events"][:-1]})
        got = np.array(orjson.loads(ask(connection, "/v1/rank", body))["embeddings"]["person"], np.float32)
        told = body["events"]
        events = Events.of(
            np.zeros(len(told)),
            [each["item"] for each in told],
            [each["at"] for each in told],
            surface=[place[each["surface"]] for each in told],
            actions=[sum(bit[name] for name in each["actions"]) for each in told],
            watched=[each["watched"] for each in told],
        )
        anew, before = (
            reader.query(reader.read(part, vector_ID[part.row_E]), 0) for part in (events, events.select(slice(0, -1)))
        )
        if not np.allclose(got, anew, atol=1e-4) or np.allclose(got, before, atol=1e-4):
            return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        save_snapshot(fresh_folder(home), big_snapshot(asked.items))
        snapshot = load_snapshot(fresh_folder(home))
        people = People(asked.items)
        with resident(home, cache_dir()) as (process, port):
            in_a_row(process, port, people, PEOPLE)
            request_cpu_s, request_s = in_a_row(process, port, people, 1000)
            print(f"{request_cpu_s * 1e3:.2f} ms CPU, {request_s * 1e3:.2f} ms a request in a row", flush=True)
            took_R = open_loop(port, people, LOAD / request_s, asked.seconds)
            knows = next_request_knows(port, snapshot, people)
            memory_mb = process.memory_info().rss / 1e6
    p50, p99 = (float(np.quantile(took_R, share)) * 1e3 for share in (0.5, 0.99))
    print(f"{len(took_R)} requests at {LOAD / request_s:.0f}/s: p50 {p50:.2f} ms, p99 {p99:.2f} ms; {memory_mb:.0f} MB")
    print(f"an event counts in the next request: {knows}", flush=True)
    cold, warm = cold_share(range(asked.seeds))
    print(f"recall@10 cold {cold:.4f}, warm {warm:.4f}", flush=True)
    report = {
        "p99_ms": round(p99, 2),
        "p50_ms": round(p50, 2),
        "requests_per_s_core": round(1 / request_cpu_s, 1),
        "cold_share_of_warm": round(cold / warm, 3),
        "next_request_knows": knows,
        "items": asked.items,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
