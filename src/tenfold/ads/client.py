"""Asks the ads of the running pool, for commands."""

import secrets
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ValidationError

from tenfold.ads.campaign_routes import PreviewOut
from tenfold.ads.contract import LONGEST_SOURCE, CampaignOut, Campaigns, Edit, NewCampaign, NewSources, Source
from tenfold.ads.product import PREFIX
from tenfold.ads.report import ReportOut, SpentOut
from tenfold.catalog.ingest.decode import decode
from tenfold.catalog.shipped import DEMO, DEMO_FOLDER, is_demo
from tenfold.core.errors import UsageError
from tenfold.core.paths import home_dir
from tenfold.pool.client import ask
from tenfold.pool.runfile import require_running

Made = TypeVar("Made", bound=BaseModel)

WRITE_S, REPORT_S = 120.0, 60.0
"""Seconds to wait for copy to be written, and for a report."""


def checked(kind: type[Made], told: dict[str, object]) -> Made:
    """Make a body of what a command was given.

    Raises:
        UsageError: something of it makes no sense; names each option.
    """
    try:
        return kind.model_validate(told)
    except ValidationError as error:
        wrong = "; ".join(
            f"--{'-'.join(str(part) for part in each['loc'] if part != 'wish').replace('_', '-')} "
            f"{each['msg'].removeprefix('Value error, ')}".strip("- ")
            for each in error.errors()
        )
        raise UsageError(wrong, next_step="see 'tenfold ads create --help'") from error


def sources(path: Path | None) -> list[dict[str, str]]:
    """Read the file that copy is written from; ``DEMO``: the catalog of the shop that comes with Tenfold.

    Raises:
        UsageError: there is none, or it is too large.
    """
    if path is None:
        return []
    if is_demo(str(path)):
        return [{"name": "demo.csv", "text": (DEMO_FOLDER / "products.csv").read_text(encoding="utf-8")}]
    if not path.is_file():
        raise UsageError(
            f"there is no file {str(path)!r}",
            next_step=f"give the path of a catalog, or {DEMO!r} for the shop that comes with Tenfold",
        )
    data = path.read_bytes()
    text = decode(data)
    if b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UsageError(
            f"{str(path)!r} is no text",
            next_step="save a table as CSV, and a page as .html; pictures go by their address",
        )
    if not text.strip():
        raise UsageError(f"{str(path)!r} is empty", next_step="write a row for each item: id,title,price,url")
    if len(text) > LONGEST_SOURCE:
        raise UsageError(
            f"{str(path)!r} has {len(text):,} characters, and {LONGEST_SOURCE:,} are read at most",
            next_step="give --catalog a part of it: what the campaign is about",
        )
    return [{"name": path.name, "text": text}]


def create(new: NewCampaign) -> PreviewOut:
    """Make a campaign."""
    found = _ask("/campaigns", new.model_dump(mode="json"), timeout_s=WRITE_S)
    return PreviewOut.model_validate_json(found)


def campaigns(account: str) -> Campaigns:
    """List campaigns."""
    asked = f"?{urlencode({'account': account})}" if account else ""
    return Campaigns.model_validate_json(_ask(f"/campaigns{asked}"))


def campaign(id: str) -> CampaignOut:
    """Read one."""
    return CampaignOut.model_validate_json(_ask(_path(id)))


def preview(id: str) -> PreviewOut:
    """Read all that may be shown of one."""
    return PreviewOut.model_validate_json(_ask(_path(id, "/preview")))


def judge(id: str, variant: str, *, approved: bool) -> None:
    """Say yes or no to a variant."""
    _ask(_path(id, "/variants"), {"variant": variant, "approved": approved})


def renew(id: str, given: tuple[Source, ...]) -> PreviewOut:
    """Write from a changed catalog or page."""
    body = NewSources(sources=given).model_dump(mode="json")
    return PreviewOut.model_validate_json(_ask(_path(id, "/sources"), body, timeout_s=WRITE_S))


def go_live(id: str, *, anyway: bool) -> PreviewOut:
    """Approve what waits, and take a campaign live; ``anyway``: also one that would not be shown."""
    judge(id, "all", approved=True)
    step(id, "live", anyway=anyway)
    return preview(id)


def step(id: str, status: Literal["live", "paused", "ended"], *, anyway: bool = False) -> CampaignOut:
    """Take a step in a campaign's life."""
    return CampaignOut.model_validate_json(_ask(_path(id, "/status"), {"status": status, "anyway": anyway}))


def edit(id: str, change: Edit) -> CampaignOut:
    """Change what is asked for."""
    return CampaignOut.model_validate_json(_ask(_path(id, "/edit"), change.model_dump(mode="json", exclude_none=True)))


def top_up(id: str, micro: int, number: str) -> CampaignOut:
    """Add to a budget."""
    body: dict[str, object] = {"id": number or secrets.token_hex(8), "micro": micro}
    return CampaignOut.model_validate_json(_ask(_path(id, "/top-ups"), body))


def report(id: str) -> ReportOut:
    """Read what a campaign did."""
    return ReportOut.model_validate_json(_ask(_path(id, "/report"), timeout_s=REPORT_S))


def spent(id: str) -> SpentOut:
    """Read why its latest impressions cost what they did."""
    return SpentOut.model_validate_json(_ask(_path(id, "/spent")))


def _path(id: str, rest: str = "") -> str:
    return f"/campaigns/{quote(id, safe='')}{rest}"


def _ask(path: str, body: dict[str, object] | None = None, timeout_s: float = 10.0) -> bytes:
    return ask(require_running(home_dir()).url, f"{PREFIX}{path}", body, timeout_s=timeout_s)
