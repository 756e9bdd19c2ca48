"""Who asks, by their key, and whether they may see a thread."""

from typing import Annotated

from fastapi import Header
from starlette.exceptions import HTTPException

from tenfold.assistant import tables
from tenfold.assistant.contract import PERSON_KEY
from tenfold.assistant.desk import Desk
from tenfold.assistant.tables import Person, Thread

Key = Annotated[str, Header(alias=PERSON_KEY)]


async def who(desk: Desk, key: str) -> Person:
    """Give the person of a key.

    Raises:
        HTTPException: it is nobody's.
    """
    found = await desk.read(lambda c: tables.person_of_key(c, key)) if key else None
    if found is None:
        raise HTTPException(401, f"say who asks, in the header {PERSON_KEY}: POST /v1/assistant/people gives a key")
    return found


async def room(desk: Desk, thread: str, key: str) -> tuple[Thread, Person]:
    """Give a thread and who asks.

    Raises:
        HTTPException: the asker is not in it; told as if there were none.
    """
    person = await who(desk, key)
    found = await desk.read(lambda c: tables.read_thread(c, thread, person.id))
    if found is None:
        raise HTTPException(404, "there is no such thread, or you are not in it")
    return found, person
