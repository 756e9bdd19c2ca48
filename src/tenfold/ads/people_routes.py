"""What a person may ask of ads: why they saw one, to see it no more, no personal ads, and to be forgotten."""

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi import Path as InPath
from sqlalchemy import Connection
from starlette.requests import Request

from tenfold.ads import campaigns as shelf
from tenfold.ads import noting
from tenfold.ads.contract import LONGEST_NAME, Consent, PersonOut, ShownAd, Stop
from tenfold.ads.desk import Desk
from tenfold.ads.money.moment import database_now
from tenfold.ads.rights import require_pool
from tenfold.ads.tables import campaigns, charges, consents, conversions, stops, variants
from tenfold.ads.wants import note_stop
from tenfold.ads.why import why_shown

Person = Annotated[str, InPath(min_length=1, max_length=LONGEST_NAME)]
MOST_SHOWN = 50


def people_routes(desk: Desk) -> APIRouter:
    """Make the routes. An advertiser may ask nothing of a person."""
    routes = APIRouter()

    @routes.get("/people/{person}")
    async def known(request: Request, person: Person) -> PersonOut:
        """Tell a person which ads they saw, why, and what is known of them."""
        require_pool(request)
        return await desk.read(lambda connection: _person(connection, person, desk.settings.personal))

    @routes.post("/people/{person}/consent")
    async def consent(request: Request, person: Person, body: Consent) -> PersonOut:
        """Say whether ads may be chosen by what a person did."""
        require_pool(request)

        def saying(connection: Connection) -> PersonOut:
            connection.execute(sa.delete(consents).where(consents.c.person == person))
            row = {"person": person, "personal": body.personal, "at": database_now(connection)}
            connection.execute(consents.insert().values(row))
            return _person(connection, person, desk.settings.personal)

        found = await desk.write(saying)
        # In this process at once; others take it up at their next turn.
        desk.wants.note_consent(person, body.personal)
        return found

    @routes.post("/people/{person}/stop")
    async def stop(request: Request, person: Person, body: Stop) -> PersonOut:
        """Show a person a campaign, or all of its advertiser, no more."""
        require_pool(request)

        def stopping(connection: Connection) -> tuple[str, PersonOut]:
            now = database_now(connection)
            found = shelf.read(connection, body.campaign, now).campaign
            what = f"account/{found.account}" if body.whole_account else f"campaign/{found.id}"
            note_stop(connection, person, what, now)
            return what, _person(connection, person, desk.settings.personal)

        what, told = await desk.write(stopping)
        desk.wants.stop(person, what)
        return told

    @routes.delete("/people/{person}")
    async def forget(request: Request, person: Person) -> dict[str, int]:
        """Take a person's name off all that is kept; what they want no more of stays, so that it stays so."""
        require_pool(request)
        return {"forgotten": await desk.write(lambda connection: noting.forget_person(connection, person))}

    return routes


def _person(connection: Connection, person: str, default: bool) -> PersonOut:
    said = connection.execute(sa.select(consents.c.personal).where(consents.c.person == person)).scalar()
    stopped = connection.execute(sa.select(stops.c.what).where(stops.c.person == person).order_by(stops.c.what))
    columns = charges.c.event, charges.c.campaign, charges.c.decision, charges.c.decided_at
    query = sa.select(*columns, campaigns.c.account, variants.c.body)
    query = query.join(campaigns, campaigns.c.id == charges.c.campaign).join(
        variants, (variants.c.campaign == charges.c.campaign) & (variants.c.id == charges.c.variant), isouter=True
    )
    rows = connection.execute(
        query.where(charges.c.person == person).order_by(charges.c.number.desc()).limit(MOST_SHOWN)
    )
    shown = tuple(
        ShownAd(
            event=row.event,
            campaign=row.campaign,
            advertiser=row.account,
            headline=row.body["headline"] if row.body else "",
            at=row.decided_at,
            why=why_shown(row.account, row.decision),
        )
        for row in rows
    )
    theirs = sa.select(sa.func.count()).where(conversions.c.person == person)
    return PersonOut(
        person=person,
        personal=default if said is None else bool(said),
        stopped=tuple(stopped.scalars()),
        shown=shown,
        conversions=connection.execute(theirs).scalar_one(),
    )
