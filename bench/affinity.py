"""CPU per chat where conversations go on: does a resident still have the prompt of the turn before?

Brings up a pool with so many slots for serve, and holds conversations of several turns, a few requests at a time,
in a shuffled order. Each turn sends all before it, as chat clients do. Counts the CPU seconds of all serve residents.

    python bench/affinity.py [--slots 4] [--conversations 12] [--turns 5] [--at-once 4]
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import aiohttp
import psutil

from tenfold.pool.runfile import read_run_file

TOPICS = (
    "rivers",
    "bread",
    "trains",
    "winter",
    "bridges",
    "music",
    "stars",
    "gardens",
    "maps",
    "clocks",
    "ships",
    "glass",
)
SYSTEM = "You are a patient guide to {topic}. " + " ".join(
    f"Rule {n}: say what you know of {{topic}}, say what you do not, and keep to it in {n} words." for n in range(1, 9)
)


def state(url: str) -> dict:
    with urllib.request.urlopen(f"{url}/api/state", timeout=10) as response:
        return json.load(response)


def cpu_s(url: str) -> float:
    residents = [each for slot in state(url)["slots"] for each in slot["residents"] if each["workload"] == "serve"]
    times = [psutil.Process(each["pid"]).cpu_times() for each in residents if each["pid"]]
    return sum(each.user + each.system for each in times)


async def hold(url: str, conversations: int, turns: int, at_once: int) -> None:
    """Each conversation's turns follow each other; which conversation speaks next is drawn."""
    draw = random.Random(1)
    talks = [
        [{"role": "system", "content": SYSTEM.format(topic=f"{TOPICS[n % len(TOPICS)]} {n}")}]
        for n in range(conversations)
    ]
    left = [n for n in range(conversations) for _ in range(turns)]
    draw.shuffle(left)
    busy: set[int] = set()

    async def speak() -> None:
        while left:
            place = next((place for place, each in enumerate(left) if each not in busy), None)
            if place is None:
                await asyncio.sleep(0.02)
                continue
            number = left.pop(place)
            busy.add(number)
            talk = talks[number]
            talk.append({"role": "user", "content": f"Tell me one more thing, the {len(talk)}th."})
            body = {"model": "smollm2-135m", "messages": talk, "max_tokens": 12, "temperature": 0}
            async with session.post(f"{url}/v1/chat/completions", json=body) as response:
                answer = await response.json()
                assert response.status == 200, answer
            talk.append({"role": "assistant", "content": answer["choices"][0]["message"]["content"]})
            busy.discard(number)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(speak() for _ in range(at_once)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--conversations", type=int, default=12)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=4)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "tenfold.toml")
        config.write_text(f"[pool]\nport = 0\n[serve]\nfloor = {asked.slots}\n")
        env = os.environ | {"TENFOLD_HOME": folder}
        command = [str(Path(sys.executable).with_name("tenfold"))]
        pool = subprocess.Popen([*command, "up", "--config", str(config)], env=env, stdout=subprocess.DEVNULL)
        try:
            url = _wait(Path(folder), pool, asked.slots)
            before = cpu_s(url)
            asyncio.run(hold(url, asked.conversations, asked.turns, asked.at_once))
            used = cpu_s(url) - before
        finally:
            subprocess.run([*command, "down"], env=env, check=False, stdout=subprocess.DEVNULL)
            pool.wait(60)
    chats = asked.conversations * asked.turns
    print(json.dumps({"chats": chats, "cpu_s_per_chat": round(used / chats, 3)}))


def _wait(home: Path, pool: subprocess.Popen, slots: int) -> str:
    """The pool's address, once all its serve slots are awake."""
    end = time.monotonic() + 240
    while time.monotonic() < end and pool.poll() is None:
        try:
            run = read_run_file(home)
            if run is not None and sum(slot["awake"] == "serve" for slot in state(run.url)["slots"]) >= slots:
                return run.url
        except OSError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"the pool did not come up; see {home}/logs")


if __name__ == "__main__":
    main()
