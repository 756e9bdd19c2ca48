"""How an agent does, over HTTP: what it resolved, what it could not answer, and what its owner answers instead."""

import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import Connection
from starlette.requests import Request

from tenfold.agents import corrections
from tenfold.agents.contract import LONGEST_TEXT
from tenfold.agents.desk import Desk
from tenfold.agents.report import ReportOut, report
from tenfold.agents.rights import require_owner
from tenfold.agents.talk import Name, require_business
from tenfold.core.frozen import Frozen


class CorrectionIn(Frozen):
    """An owner's answer."""

    question: str = Field(min_length=1, max_length=500)
    answer: str = Field(min_length=1, max_length=LONGEST_TEXT)


class CorrectionOut(Frozen):
    """An owner's answer, and whether the agent gives it. ``checked_at``: 0 where it was not asked yet."""

    id: str
    question: str
    answer: str
    at: float
    checked_at: float
    holds: bool
    said: str


class Corrections(Frozen):
    """All of a business."""

    corrections: tuple[CorrectionOut, ...]


def quality_routes(desk: Desk) -> APIRouter:
    """Make the routes of the report and of corrections, below ``/BUSINESS``."""
    routes = APIRouter()
    conversations = desk.conversations

    @routes.get("/{business}/report")
    async def how(request: Request, business: Name, days: Annotated[int, Query(ge=1, le=366)] = 30) -> ReportOut:
        """Tell how the agent does."""
        require_owner(request, business)
        await require_business(desk, business)
        return await conversations.read(lambda connection: report(connection, business, time.time(), days))

    @routes.get("/{business}/corrections")
    async def listed(request: Request, business: Name) -> Corrections:
        """List the owner's answers, and whether the agent gives them."""
        require_owner(request, business)
        return await corrections_out(business)

    @routes.post("/{business}/corrections")
    async def correct(request: Request, business: Name, body: CorrectionIn) -> Corrections:
        """Answer a question in the agent's place; it gives this answer from now on."""
        require_owner(request, business)
        await require_business(desk, business)

        def adding(connection: Connection) -> None:
            corrections.add_correction(connection, business, body.question, body.answer, time.time())

        await conversations.write(adding)
        await desk.corrected(business)
        return await corrections_out(business)

    @routes.delete("/{business}/corrections/{correction}")
    async def take_back(request: Request, business: Name, correction: Name) -> Corrections:
        """Take an answer back."""
        require_owner(request, business)
        await conversations.write(lambda connection: corrections.drop_correction(connection, business, correction))
        await desk.corrected(business)
        return await corrections_out(business)

    async def corrections_out(business: str) -> Corrections:
        found = await conversations.read(lambda connection: corrections.read_corrections(connection, business))
        return Corrections(
            corrections=tuple(
                CorrectionOut(
                    id=each.id,
                    question=each.question,
                    answer=each.answer,
                    at=each.at,
                    checked_at=each.checked_at,
                    holds=each.holds,
                    said=each.said,
                )
                for each in found
            )
        )

    return routes
