"""HTTP routes of people, threads, messages and what is remembered of a thread.

A person is made once and given a key; the key opens the threads that they are in and no others. Whoever asks for a
thread that they are not in is told the same as if there were none.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from tenfold.assistant import contract, tables
from tenfold.assistant.asker import Key, room, who
from tenfold.assistant.contract import Invite, MadePerson, Messages, NewMessage, NewPerson, NewThread, Posted
from tenfold.assistant.desk import Desk
from tenfold.assistant.tables import Message, Thread

ASSISTANT_NAME = "Assistant"


class OwnThreads:
    """What a person does in their threads, whichever way they come; each is told who asks by their key."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def mine(self, key: str) -> contract.Threads:
        """Give the threads that one is in."""
        person = await who(self._desk, key)

        def read(connection: Connection) -> contract.Threads:
            found = tables.threads_of(connection, person.id)
            return contract.Threads(threads=tuple(_row(connection, each) for each in found))

        return await self._desk.read(read)

    async def make(self, body: NewThread, key: str) -> contract.ThreadRow:
        """Make a thread, with oneself in it."""
        thread = await self._desk.make_thread(await who(self._desk, key), body.name)
        return await self._desk.read(lambda c: _row(c, thread))

    async def post(self, thread: str, body: NewMessage, key: str) -> Posted:
        """Write a message; where the assistant is asked, its reply is waited for, up to ``reply_wait_s``."""
        found, person = await room(self._desk, thread, key)
        message, is_asked = await self._desk.post(found, person, body.id, body.text)
        reply = await self._desk.reply_to(message) if is_asked else None
        names = {person.id: person.name}
        return Posted(
            message=_said(message, names),
            waiting=is_asked and reply is None,
            reply=_said(reply, names) if reply is not None else None,
        )

    async def messages(self, thread: str, after: int, key: str) -> Messages:
        """Give the messages after a number."""
        found, _ = await room(self._desk, thread, key)

        def read(connection: Connection) -> Messages:
            names = {each.id: each.name for each in tables.members_of(connection, found.id)}
            rows = tables.read_messages(connection, found.id, after)
            return Messages(messages=tuple(_said(each, names) for each in rows))

        return await self._desk.read(read)


def thread_routes(desk: Desk) -> APIRouter:
    """Routes of people and threads."""
    api = APIRouter()
    own = OwnThreads(desk)

    @api.post("/people")
    async def make_person(body: NewPerson) -> MadePerson:
        """Make a person; the key is told this once."""
        made, key = await desk.write(lambda c: tables.make_person(c, body.name, desk.now()))
        return MadePerson(person=made.id, name=made.name, key=key)

    @api.get("/threads")
    async def threads(key: Key = "") -> contract.Threads:
        """Give the threads that one is in."""
        return await own.mine(key)

    @api.post("/threads")
    async def make_thread(body: NewThread, key: Key = "") -> contract.ThreadRow:
        """Make a thread, with oneself in it."""
        return await own.make(body, key)

    @api.post("/threads/{thread}/invites")
    async def invite(thread: str, key: Key = "") -> Invite:
        """Make a code by which one more person joins."""
        found, _ = await room(desk, thread, key)
        return Invite(code=await desk.write(lambda c: tables.make_invite(c, found.id, desk.now())))

    @api.post("/join")
    async def join(body: Invite, key: Key = "") -> contract.ThreadRow:
        """Join the thread of a code."""
        person = await who(desk, key)

        def use(connection: Connection) -> contract.ThreadRow | None:
            thread = tables.use_invite(connection, body.code, person.id, desk.now())
            found = tables.thread_of(connection, thread) if thread else None
            return _row(connection, found) if found else None

        row = await desk.write(use)
        if row is None:
            raise HTTPException(404, "this code is unknown, used or too old; ask for another")
        return row

    @api.delete("/threads/{thread}/me")
    async def leave(thread: str, key: Key = "") -> dict[str, bool]:
        """Leave a thread; with the last one all that is in it goes."""
        found, person = await room(desk, thread, key)
        await desk.write(lambda c: tables.leave(c, found.id, person.id))
        return {"left": True}

    @api.post("/threads/{thread}/messages")
    async def post(thread: str, body: NewMessage, key: Key = "") -> Posted:
        """Write a message; where the assistant is asked, its reply is waited for, up to ``reply_wait_s``."""
        return await own.post(thread, body, key)

    @api.get("/threads/{thread}/messages")
    async def messages(thread: str, after: Annotated[int, Query(ge=0)] = 0, key: Key = "") -> Messages:
        """Give the messages after a number."""
        return await own.messages(thread, after, key)

    @api.delete("/threads/{thread}/messages/{number}")
    async def delete_message(thread: str, number: int, key: Key = "") -> dict[str, bool]:
        """Delete the words of one's own message, and of the reply to it."""
        found, person = await room(desk, thread, key)
        if not await desk.write(lambda c: tables.delete_message(c, found.id, number, person.id)):
            raise HTTPException(404, f"you have written no message {number} here")
        return {"deleted": True}

    return api


def _row(connection: Connection, thread: Thread) -> contract.ThreadRow:
    members = [contract.Member(person=each.id, name=each.name) for each in tables.members_of(connection, thread.id)]
    count = tables.count_messages(connection, thread.id)
    return contract.ThreadRow(thread=thread.id, name=thread.name, members=tuple(members), messages=count)


def _said(message: Message, names: dict[str, str]) -> contract.Said:
    is_assistant = message.person == tables.ASSISTANT
    return contract.Said.model_validate(
        {
            "type": "done" if is_assistant else "person",
            **message.said,
            "number": message.number,
            "id": message.id,
            "person": None if is_assistant else message.person,
            "name": ASSISTANT_NAME if is_assistant else names.get(message.person, "somebody who left"),
            "text": message.text,
            "answers": message.answers,
            "at": message.at,
        }
    )
