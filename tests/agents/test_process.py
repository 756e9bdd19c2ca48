"""Agents as a process: what is killed in between loses no message and replies to none twice."""

import asyncio

import aiohttp
import pytest
from minipool import until
from product_processes import running

from tenfold.agents.product import AGENTS


@pytest.mark.slow
async def test_a_message_is_replied_to_once_through_kills_and_repeats(tmp_path):
    sent = [f"m{n}" for n in range(12)]
    path = "/v1/agents/shop/threads/thread-of-ann"
    async with running(tmp_path, AGENTS) as pool:
        assert (await pool.ask("agents", "/v1/agents/businesses", {"id": "shop"}))[0] == 200

        async def send(identity):
            while True:
                try:
                    status, found = await pool.ask("agents", f"{path}/messages", {"id": identity, "text": identity})
                except aiohttp.ClientError:
                    status = 0
                if status == 200:
                    return found["reply"]["number"]
                await asyncio.sleep(0.05)

        async def kill_now_and_then():
            for _ in range(2):
                before = pool.keepers["agents"].pid
                pool.keepers["agents"]._child.kill()
                await until(lambda before=before: pool.keepers["agents"].pid != before, 60)
                await asyncio.sleep(0.5)

        numbers, _ = await asyncio.wait_for(asyncio.gather(asyncio.gather(*map(send, sent)), kill_now_and_then()), 120)
        _, thread = await pool.ask("agents", path)
    replies = [message for message in thread["messages"] if message["role"] == "agent"]
    questions = [message["id"] for message in thread["messages"] if message["role"] == "customer"]
    assert sorted(questions) == sorted(sent)
    # Each once, in the order in which they came.
    assert sorted(message["number"] for message in replies) == sorted(numbers)
    assert [message["id"] for message in replies] == questions
