"""``tenfold keys``: who may use this pool."""

import datetime as dt
from typing import Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json
from tenfold.core.errors import UsageError
from tenfold.core.paths import home_dir
from tenfold.pool.keys import Role

app = App(name="keys")


@app.default
def listed(*, json: Json = False) -> None:
    """List the keys of this pool; of each, what it may do, and not the key itself."""
    from tenfold.core.show import record
    from tenfold.pool.keys import ROLES, read_keys

    keys = read_keys(home_dir())
    shown = [key.model_dump(exclude={"digest"}) for key in keys]
    lines = [
        f"{key.id}  {key.role:<10}  {key.tenant or '-':<16}  {dt.datetime.fromtimestamp(key.made):%Y-%m-%d %H:%M}  "
        f"{f'{key.budget}  ' if key.budget else ''}{key.note or ROLES[key.role]}"
        for key in keys
    ]
    record({"keys": shown}, "\n".join(lines) or "This pool has no keys. Make one with 'tenfold keys make'.", json)


@app.command
def make(
    *,
    role: Annotated[Role, Parameter(help="viewer, operator, developer, owner of a business, advertiser, or visitor.")],
    tenant: Annotated[str, Parameter(help="The business, advertiser or team whose key it is.")] = "",
    note: Annotated[str, Parameter(help="For whom or what it is.")] = "",
    origin: Annotated[tuple[str, ...], Parameter(help="Site whose pages may use a visitor's key.")] = (),
    budget: Annotated[str, Parameter(help="What it may use of models in a day: '200000 tokens' or '2.50 usd'.")] = "",
    host: Annotated[tuple[str, ...], Parameter(help="Name under which public paths are the tenant's.")] = (),
    json: Json = False,
) -> None:
    """Make a key and print it, once: only its digest is kept."""
    from tenfold.core.show import record
    from tenfold.pool.keys import make_key
    from tenfold.pool.metering.budget import read_budget

    try:
        bound = read_budget(budget) if budget else None
    except ValueError as error:
        raise UsageError(f"--budget: {error}", next_step="tenfold keys make --help") from error
    key = make_key(home_dir(), role, tenant=tenant, note=note, origins=origin, hosts=host, budget=bound)
    record({"key": key, "role": role, "tenant": tenant}, key, json)


@app.command
def revoke(key_id: str, *, json: Json = False) -> None:
    """Take the key with this id away, from its next request on."""
    from tenfold.core.show import record
    from tenfold.pool.keys import revoke_key

    gone = revoke_key(home_dir(), key_id)
    record({"revoked": gone.id}, f"revoked {gone.id} ({gone.role}{f' of {gone.tenant}' if gone.tenant else ''})", json)
