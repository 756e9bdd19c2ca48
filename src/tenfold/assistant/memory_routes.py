"""HTTP routes of what is remembered of a thread, its plan, and the images made in it."""

from datetime import UTC, datetime

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tenfold.assistant import contract, tables
from tenfold.assistant.asker import Key, room
from tenfold.assistant.contract import Memory
from tenfold.assistant.desk import Desk
from tenfold.assistant.plan import Plan, as_ics
from tenfold.assistant.tables import Thread


def memory_routes(desk: Desk) -> APIRouter:
    """Routes of what a thread has beside its messages; each asks whether one is in it."""
    api = APIRouter()

    @api.get("/threads/{thread}/memory")
    async def memory(thread: str, key: Key = "") -> Memory:
        """Tell what is remembered of a thread beside its messages."""
        found, _ = await room(desk, thread, key)
        return await desk.read(lambda c: _memory(c, found))

    @api.delete("/threads/{thread}/memory/{number}")
    async def forget(thread: str, number: int, key: Key = "") -> Memory:
        """Forget one thing."""
        found, _ = await room(desk, thread, key)
        if not await desk.write(lambda c: tables.forget(c, found.id, [number])):
            raise HTTPException(404, f"nothing is remembered under number {number}")
        return await desk.read(lambda c: _memory(c, found))

    @api.delete("/threads/{thread}/memory")
    async def forget_all(thread: str, key: Key = "") -> Memory:
        """Forget all, the plan too."""
        found, _ = await room(desk, thread, key)

        def forget(connection: Connection) -> None:
            tables.forget(connection, found.id, None)
            tables.write_plan(connection, found.id, None)

        await desk.write(forget)
        return Memory(remembered=(), plan=None)

    @api.get("/threads/{thread}/plan.ics")
    async def calendar(thread: str, key: Key = "") -> Response:
        """Give the plan as a calendar file."""
        found, _ = await room(desk, thread, key)
        if found.plan is None:
            raise HTTPException(404, "there is no plan in this thread; ask the assistant for one")
        content = as_ics(Plan.model_validate(found.plan), found.id, datetime.fromtimestamp(desk.now(), UTC))
        named = {"content-disposition": 'attachment; filename="plan.ics"'}
        return Response(content, media_type="text/calendar", headers=named)

    @api.get("/threads/{thread}/images/{number}")
    async def image(thread: str, number: int, key: Key = "") -> Response:
        """Give an image that was made as the reply to a message."""
        found, _ = await room(desk, thread, key)
        made = await desk.read(lambda c: tables.read_image(c, found.id, number))
        if made is None:
            raise HTTPException(404, f"no image was made for message {number}")
        return Response(made[1], media_type=made[0], headers={"cache-control": "private, max-age=86400"})

    return api


def _memory(connection: Connection, thread: Thread) -> Memory:
    names = {each.id: each.name for each in tables.members_of(connection, thread.id)}
    facts = [
        contract.Remembered(number=fact.number, text=fact.text, by=names.get(fact.by, "somebody"), at=fact.at)
        for fact in tables.facts_of(connection, thread.id)
    ]
    plan = Plan.model_validate(thread.plan) if thread.plan else None
    return Memory(remembered=tuple(facts), plan=plan)
