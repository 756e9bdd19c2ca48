"""Accounts, invoices and the books, over HTTP."""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from sqlalchemy import Connection
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tenfold.ads.campaigns import money_out
from tenfold.ads.contract import (
    LONGEST_NAME,
    PLAIN,
    AccountEdit,
    AccountOut,
    BooksOut,
    InvoiceOut,
    Invoices,
)
from tenfold.ads.desk import Desk
from tenfold.ads.money import books
from tenfold.ads.money.budget import account_node, add_node, read_budget, set_limit
from tenfold.ads.money.invoice import Invoice, invoice, invoices_of
from tenfold.ads.money.moment import database_now
from tenfold.ads.rights import require_pool, sees

Account = Annotated[str, InPath(pattern=PLAIN, max_length=LONGEST_NAME)]


def money_routes(desk: Desk) -> APIRouter:
    """Make the routes."""
    routes = APIRouter()

    @routes.get("/accounts/{account}")
    async def account_of(request: Request, account: Account) -> AccountOut:
        """Tell what all campaigns of an account may be billed together, and where that is."""
        _require(request, account)
        return await desk.read(lambda connection: _account(connection, account))

    @routes.post("/accounts/{account}")
    async def limit(request: Request, account: Account, body: AccountEdit) -> AccountOut:
        """Set an account's limit; made if there is none of this name."""
        require_pool(request)

        def setting(connection: Connection) -> AccountOut:
            if read_budget(connection, account_node(account)) is None:
                add_node(connection, account_node(account), None, body.limit_micro)
            else:
                set_limit(connection, account_node(account), body.limit_micro)
            return _account(connection, account)

        return await desk.write(setting)

    @routes.get("/accounts/{account}/invoices")
    async def invoices(request: Request, account: Account) -> Invoices:
        """List an account's invoices."""
        _require(request, account)
        found = await desk.read(lambda connection: invoices_of(connection, account))
        return Invoices(invoices=tuple(map(_out, found)))

    @routes.post("/accounts/{account}/invoices")
    async def bill(request: Request, account: Account) -> Invoices:
        """Invoice what was charged, but for the last span in which invalid traffic may come to light."""
        require_pool(request)

        def billing(connection: Connection) -> list[Invoice]:
            _account(connection, account)
            desk.credit_invalid(connection)
            now = database_now(connection)
            invoice(connection, account, now - desk.settings.bill_after_s, now)
            return invoices_of(connection, account)

        return Invoices(invoices=tuple(map(_out, await desk.write(billing))))

    @routes.get("/books")
    async def check(request: Request) -> BooksOut:
        """Add all money up again, and say what does not fit."""
        require_pool(request)
        return BooksOut(wrong=tuple(await desk.read(books.check)))

    return routes


def _require(request: Request, account: str) -> None:
    if not sees(request, account):
        raise HTTPException(404, f"there is no account {account!r} of yours")


def _account(connection: Connection, account: str) -> AccountOut:
    found = read_budget(connection, account_node(account))
    if found is None:
        raise HTTPException(404, f"there is no account {account!r}: its first campaign makes it")
    return AccountOut(account=account, money=money_out(found))


def _out(found: Invoice) -> InvoiceOut:
    return InvoiceOut(
        id=found.id,
        until=found.until,
        charged_micro=found.charged_micro,
        credited_micro=found.credited_micro,
        due_micro=found.due_micro,
    )
