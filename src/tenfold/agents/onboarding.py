"""``tenfold agents add``: reads a business's sources where they lie, and gives them to the running pool.

What is read is embedded here, by the same embedder and into the same cache as the pool's: the pool then has only to
take it up.
"""

import datetime as dt
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tenfold.agents.business_settings import BusinessSettings
from tenfold.agents.contract import BusinessOut
from tenfold.agents.product import PREFIX, PUBLIC
from tenfold.agents.shop import Shop
from tenfold.agents.shops import Embedding
from tenfold.agents.uploads import GATHERED, PartOut, cut
from tenfold.catalog.gathered import Gathered, Skipped
from tenfold.catalog.ingest.place import Kind, is_address, read_place
from tenfold.catalog.shipped import DEMO, DEMO_FOLDER, is_demo
from tenfold.core.errors import TenfoldError, UsageError
from tenfold.core.toml_file import read_toml
from tenfold.pool.client import ask
from tenfold.pool.keys import make_key, read_keys

Say = Callable[[str, float], None]
"""Told what is being done, and the share of it that is done."""
UPLOAD_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class SourceFile:
    """Something to read. ``place``: its path, or its address."""

    kind: Kind
    place: str

    @property
    def name(self) -> str:
        """What the catalog calls it."""
        return f"{self.kind} {self.place if is_address(self.place) else Path(self.place).name}"


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a source, and what changed by it."""

    source: str
    items: int
    variants: int
    passages: int
    skipped: tuple[Skipped, ...]
    change: PartOut


@dataclass(frozen=True, slots=True)
class Added:
    """A business that has an agent now. ``tag``: the widget's, for its pages; empty where its key was made before."""

    business: BusinessOut
    read: tuple[Read, ...]
    tag: str
    chat: str
    mcp: str
    seconds: float


def sources_of(feeds: Sequence[str], sites: Sequence[str], docs: Sequence[str]) -> list[SourceFile]:
    """See what is to be read; of a feed ``DEMO``, all that the shop has that comes with Tenfold.

    Raises:
        UsageError: there is nothing, or a path is not there.
    """
    found = [
        *(SourceFile("docs", str(DEMO_FOLDER)) if is_demo(place) else SourceFile("feed", place) for place in feeds),
        *(SourceFile("site", place) for place in sites),
        *(SourceFile("docs", place) for place in docs),
    ]
    if not found:
        raise UsageError(
            "there is nothing that the agent could know",
            next_step=f"give --feed products.csv, --site ./site or --docs; --feed {DEMO} is a shop that we ship",
        )
    for each in found:
        if not is_address(each.place) and not Path(each.place).exists():
            next_step = f"give a file, a folder, an address that begins with https://, or --feed {DEMO}"
            raise UsageError(f"--{each.kind}: there is no {each.place!r}", next_step=next_step)
    return found


def add(
    url: str,
    home: Path,
    cache: Path,
    business: str,
    name: str,
    sources: Sequence[SourceFile],
    currency: str,
    origins: Sequence[str],
    say: Say,
) -> Added:
    """Give a business an agent that knows the sources.

    Raises:
        UsageError: a source cannot be read at all, or the business's name is none.
        TenfoldError: the pool refuses it.
        NotRunning: the pool does not answer.
    """
    began = time.monotonic()
    now = dt.datetime.now(dt.UTC)
    ask(url, f"{PREFIX}/businesses", {"id": business, "name": name})
    gathered = {}
    for place, source in enumerate(sources):
        say(f"reading {source.name}", place / len(sources))
        gathered[source.name] = read_place(
            source.kind,
            source.place,
            now,
            currency,
            cache / "sites",
            lambda what, done, total: say(f"reading {what}: {done} of {total}", done / max(1, total)),
        )
    whole = sum(gathered.values(), Gathered())
    if not whole.items and not whole.passages:
        reasons = "; ".join(f"{each.where}: {each.why}" for each in whole.skipped[:5])
        raise UsageError(f"nothing could be read: {reasons}", next_step="see docs/agents.md for what can be read")
    embedding = Embedding(cache, lambda done, total: say(f"embedding {done} of {total} texts", done / max(1, total)))
    Shop.of(business, whole.items, whole.passages, embedding, now).warm()
    read = []
    for place, (source_name, found) in enumerate(gathered.items()):
        say(f"giving {source_name} to the pool", place / len(gathered))
        change = _upload(url, business, source_name, found)
        variants = sum(len(item.variants) for item in found.items)
        read.append(Read(source_name, len(found.items), variants, len(found.passages), found.skipped, change))
    say("done", 1.0)
    return Added(
        business=BusinessOut.model_validate_json(ask(url, f"{PREFIX}/{_part(business)}")),
        read=tuple(read),
        tag=_tag(url, home, business, origins),
        chat=f"{url}/agents",
        mcp=f"{url}{PUBLIC}/{_part(business)}/mcp",
        seconds=time.monotonic() - began,
    )


def change_settings(url: str, business: str, file: Path) -> BusinessSettings:
    """Set what a TOML file holds, and leave the rest.

    Raises:
        UsageError: the file is no TOML.
        TenfoldError: the pool refuses a key or value; names it.
    """
    given = read_toml(
        file, BusinessSettings, UsageError, what="the settings", advice="give --file a TOML file", keys="docs/agents.md"
    )
    body = given.model_dump(mode="json", exclude_unset=True)
    return BusinessSettings.model_validate_json(ask(url, f"{PREFIX}/{_part(business)}/settings", body))


def _upload(url: str, business: str, source: str, gathered: Gathered) -> PartOut:
    parts, upload, done = cut(gathered), secrets.token_hex(12), PartOut(missing=1)
    for number, part in enumerate(parts):
        body: dict[str, object] = {"source": source, "upload": upload, "part": number, "parts": len(parts)}
        told = GATHERED.dump_python(part, mode="json")
        answer = ask(url, f"{PREFIX}/{_part(business)}/sources", {**body, "gathered": told}, timeout_s=UPLOAD_TIMEOUT_S)
        done = PartOut.model_validate_json(answer)
    if done.missing:
        raise TenfoldError(f"the pool lost parts of {source!r}", next_step="run the same command again")
    return done


def _tag(url: str, home: Path, business: str, origins: Sequence[str]) -> str:
    """Make the widget's tag; empty where the business's visitors have a key already, since it is kept nowhere."""
    if any(key.role == "visitor" and key.tenant == business for key in read_keys(home)):
        return ""
    found = tuple(origins)
    if not found and "." in business:
        found = (f"https://{business.lower()}", f"https://www.{business.lower()}")
    key = make_key(home, "visitor", tenant=business, note="the widget on its pages", origins=found)
    return f'<script src="{url}{PUBLIC}/widget.js?key={key}" async></script>'


def _part(business: str) -> str:
    return quote(business, safe="")
