"""HTTP routes of what the assistant reads."""

from fastapi import APIRouter
from sqlalchemy import Connection
from starlette.exceptions import HTTPException

from tenfold.assistant import library
from tenfold.assistant.contract import NewSubscription, Subscription, Subscriptions
from tenfold.assistant.desk import Desk

MOST_SUBSCRIPTIONS = 500


def source_routes(desk: Desk) -> APIRouter:
    """Routes to subscribe, to see how fresh all is, and to end a subscription."""
    api = APIRouter()

    def read(connection: Connection) -> Subscriptions:
        found = library.freshness(connection)
        rows = [
            Subscription(
                url=each.url,
                title=each.title,
                passages=found.get(each.url, (0, None))[0],
                newest=found.get(each.url, (0, None))[1],
                read_at=each.read_at,
                trouble=each.trouble,
            )
            for each in library.followed(connection)
        ]
        return Subscriptions(subscriptions=tuple(rows))

    @api.get("/subscriptions")
    async def subscriptions() -> Subscriptions:
        """Tell what is read, and how fresh it is."""
        return await desk.read(read)

    @api.post("/subscriptions")
    async def subscribe(body: NewSubscription) -> Subscriptions:
        """Read a feed or a sitemap from now on."""
        found = await desk.read(read)
        if len(found.subscriptions) >= MOST_SUBSCRIPTIONS:
            raise HTTPException(422, f"there are {MOST_SUBSCRIPTIONS} subscriptions, as many as there may be; end one")
        await desk.follow(body.url)
        return await desk.read(read)

    @api.delete("/subscriptions")
    async def unsubscribe(url: str) -> Subscriptions:
        """End a subscription, and forget what was read of it."""
        if not await desk.unfollow(url):
            raise HTTPException(404, f"there is no subscription to {url!r:.200}")
        return await desk.read(read)

    return api
