"""A pool's state as it could be, and a small server that shows it: for tests of the page only.

Run as a script it serves the console on the port given, with /v1/* answering as the gateway does, and lets the test
set what it shows: PUT /pretend/minute, /pretend/phase.
"""

import asyncio
import base64
import io
import json
import math
import sys
import time
from functools import lru_cache

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from nicegui import Client, ui
from PIL import Image

from tenfold.console.pages import own_pages, product_pages
from tenfold.console.shell import mount
from tenfold.core.config import Settings
from tenfold.core.paths import home_dir
from tenfold.pool.state import HistoryPoint, LossPoint, MoveView, PoolState, ResidentView, SlotView, WorkloadView
from tenfold.product.product import Product

NAMES = ("train", "serve", "rank")
TITLES = ("Star Wars (1977)", "Fargo (1996)", "Trainspotting (1996)", "L.A. Confidential (1997)", "Brazil (1985)")


def split(second: float) -> dict[str, int]:
    """Who has how many of the four slots at a second of the pretended day."""
    phase = second % 240
    if phase < 50:
        return {"train": 3, "serve": 0, "rank": 1}
    if phase < 90:
        return {"train": 2, "serve": 1, "rank": 1}
    if phase < 140:
        return {"train": 1, "serve": 2, "rank": 1}
    if phase < 190:
        return {"train": 1, "serve": 1, "rank": 2}
    return {"train": 3, "serve": 0, "rank": 1}


def history_point(at: float) -> HistoryPoint:
    slots = split(at)
    wave, gust = 0.5 + 0.5 * math.sin(at / 38), max(0.0, math.sin(at / 27 + 1) + 0.1 * math.sin(at * 1.7))
    demand = {"serve": max(0.0, 2.4 * gust), "rank": 140 * wave + 12 * math.sin(at)}
    return HistoryPoint(
        at=at,
        slots=slots,
        demand=demand,
        latency_p95_s={"serve": 0.6 + 2.1 * gust * gust, "rank": 0.02 + 0.09 * wave},
        value_next_slot={
            "train": 6.1e-7 / slots["train"],
            "serve": 6.5e-5 * gust * gust,
            "rank": 2.2e-5 * max(0, wave - 0.4),
        },
        units_per_s={"train": 640.0 * slots["train"] + 20 * math.sin(at), "serve": 78 * gust, "rank": demand["rank"]},
    )


def pretend(
    at: float, *, controller: str = "running", ready: bool = True, seconds: int = 240, slots: int = 4
) -> PoolState:
    """A state as the controller would give it at Unix second ``at``."""
    history = tuple(history_point(math.floor(at) - i) for i in range(seconds - 1, -1, -1))
    now, have = history[-1], split(math.floor(at))
    owners = [name for name in NAMES for _ in range(have[name])] * (slots // 4)
    return PoolState(
        at=at,
        epoch=412,
        policy="tenfold",
        controller=controller,
        ready=ready,
        alarms=("serve: no counters from serve@n0/cpu2 for 3.0 s; holding its slots",)
        if controller == "frozen"
        else (),
        slots=tuple(slot_view(i, owner, loading=not ready) for i, owner in enumerate(owners)),
        workloads=tuple(workload_view(name, now, have) for name in NAMES),
        moves=tuple(moves_before(at)),
        history=history,
        loss=tuple(
            LossPoint(step=i, tokens=i * 4096.0, loss=4.1 + 4.9 * math.exp(-i / 70) + 0.06 * math.sin(i * 2.3))
            for i in range(240)
        ),
    )


def slot_view(index: int, owner: str, *, loading: bool) -> SlotView:
    residents = tuple(
        ResidentView(
            resident=f"{name}@n0/cpu{index}",
            workload=name,
            phase="loading" if loading else "awake" if name == owner else "asleep",
            pid=None if loading else 21300 + 7 * index + place,
            url=None,
            restarts=0,
        )
        for place, name in enumerate(NAMES)
    )
    return SlotView(
        slot=f"n0/cpu{index}",
        kind="cpu",
        node="n0",
        cores=(index // 2,),
        awake=None if loading else owner,
        residents=residents,
    )


def workload_view(name: str, now: HistoryPoint, have: dict[str, int]) -> WorkloadView:
    asks = name != "train"
    return WorkloadView(
        workload=name,
        unit="request" if name == "rank" else "token",
        slots=have[name],
        held=have[name] + (name == "serve"),
        floor=0,
        ceiling=4,
        arrival_per_s=now.demand[name] if asks else None,
        forecast_per_s=now.demand[name] * 1.2 if asks else None,
        capacity_per_slot={"train": 640.0, "serve": 60.0, "rank": 95.0}[name],
        units_per_s=now.units_per_s[name],
        units_total=1_281_024.0 if name == "train" else 48_211.0,
        waiting=2 if asks else 0,
        requests_total=12_841,
        shed_total=17 if asks else 0,
        failed_total=0,
        latency_p50_s=now.latency_p95_s[name] / 2.5 if asks else None,
        latency_p95_s=now.latency_p95_s[name] if asks else None,
        latency_target_s={"serve": 4.0, "rank": 0.25}.get(name),
        in_time_share=0.9934 if asks else None,
        value_last_slot_usd_per_s={"train": 6.4e-7, "serve": 6.0e-5, "rank": 2.9e-5}[name],
        value_next_slot_usd_per_s=now.value_next_slot[name],
        facts={} if asks else {"loss": 4.131, "step": 312.0},
    )


def moves_before(at: float) -> list[MoveView]:
    found: list[MoveView] = []
    for second in range(math.floor(at), math.floor(at) - 900, -1):
        before, after = split(second - 1), split(second)
        if before != after:
            loser = next(name for name in NAMES if after[name] < before[name])
            winner = next(name for name in NAMES if after[name] > before[name])
            reason = f"{winner}: a slot is worth 31x more there; it needs {after[winner]}, has {before[winner]}"
            state = "waking" if not found and at - second < 2 else "done"
            found.append(
                MoveView(
                    move=137 - len(found),
                    epoch=412 - len(found),
                    at=second,
                    slot=f"n0/cpu{second % 4}",
                    donor=loser,
                    receiver=winner,
                    reason=reason,
                    gain_usd_per_s=3.1e-5,
                    deadline_s=2.0,
                    state=state,
                    seconds=0.31 + second % 5 / 10 if state == "done" else None,
                )
            )
    return found


def make_app(port: int) -> FastAPI:
    app = FastAPI()
    shown = {"phase": "live"}

    def state() -> PoolState | None:
        return state_at(math.floor(time.time()), shown["phase"])

    @lru_cache(maxsize=1)
    def state_at(now: int, phase: str) -> PoolState | None:
        match phase:
            case "nothing":
                return None
            case "starting":
                return pretend(now, controller="running", ready=False, seconds=3)
            case "frozen":
                return pretend(now, controller="frozen")
            case "large":
                return pretend(now, slots=256)
        return pretend(now)

    @app.put("/pretend/{phase}")
    def set_phase(phase: str) -> dict[str, str]:
        shown["phase"] = phase
        return shown

    @app.get("/pretend/clients")
    async def clients() -> dict[str, object]:
        return {"clients": len(Client.instances), "tasks": sorted(str(task.get_coro()) for task in asyncio.all_tasks())}

    @app.get("/api/state", response_model=None)
    def api_state() -> PoolState | None:
        return state()

    @app.get("/v1/models")
    def models() -> dict[str, object]:
        names = ["smollm2-135m", *(["mine"] if shown["phase"] == "two-models" else []), "all-MiniLM-L6-v2-int8"]
        told = [{"id": name, "object": "model", "reads_images": name == "mine"} for name in names]
        return {"object": "list", "data": told}

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(request: Request) -> StreamingResponse | JSONResponse:
        body = await request.json()
        question = body["messages"][-1]["content"]
        if body["model"] != "mine" and any(isinstance(each["content"], list) for each in body["messages"]):
            return JSONResponse({"error": {"message": "this model reads text only"}}, 400)
        if isinstance(question, list):
            shown, *said = question
            picture = base64.b64decode(shown["image_url"]["url"].partition(",")[2])
            size = "{} x {}".format(*Image.open(io.BytesIO(picture)).size)
            question = " ".join([f"a picture of {size}", *(part["text"] for part in said)])
        if "full" in question:
            return JSONResponse({"error": {"message": "overloaded"}}, 429, {"Retry-After": "3"})

        async def events():
            by = "" if body["model"] == "smollm2-135m" else f"I am {body['model']}. "
            reply = (
                f"{by}You asked: {question} Light of short waves is scattered by the air, and so the sky looks blue."
            )
            for word in reply.split(" "):
                yield f"data: {json.dumps({'choices': [{'delta': {'content': word + ' '}}]})}\n\n"
                await asyncio.sleep(3 if "slowly" in question else 0.06)
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.post("/v1/rank")
    async def rank(request: Request) -> dict[str, object]:
        asked = await request.json()
        titles = [TITLES[i % len(TITLES)] for i in range(asked["k"])]
        return {
            "model": "pretend",
            "user": asked["user"],
            "items": [
                {"item": i, "title": t, "genres": ["Drama", "Thriller"], "score": 3.2 - 0.2 * i}
                for i, t in enumerate(titles, 1)
            ],
            "seen_excluded": 0,
        }

    own = own_pages(state=state, base_url=lambda: f"http://127.0.0.1:{port}", home=home_dir())
    mount(app, (*own, *product_pages([HELLO], lambda: f"http://127.0.0.1:{port}")))
    return app


def draw_hello(heading, base_url) -> None:
    """The page of a product."""
    with heading:
        ui.label("3 people")
    ui.label(f"Hello from {base_url()}")


HELLO = Product("hello", Settings, "nothing:here", page="__main__:draw_hello")


if __name__ == "__main__":
    uvicorn.run(make_app(int(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
