"""A model whose bytes were changed is never served: it is set aside and made again, or said to be damaged."""

import hashlib
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given

from damage import harms
from tenfold.core.assets import AssetStatus, Manifest, MemberRecord, asset_folder
from tenfold.core.errors import AssetError
from tenfold.core.sound import damages, write_record
from tenfold.serve.model import SMOLLM2, check_smollm2, prepare_smollm2

Q4_1 = "SmolLM2-135M-Instruct.Q4_1.gguf"


def tiny_gguf() -> bytes:
    """A GGUF 3 file with one Q4_1 tensor of 64 weights."""
    header = struct.pack("<IIQQ", 0x46554747, 3, 1, 0)
    entry = struct.pack("<Q", 1) + b"w" + struct.pack("<IQIQ", 1, 64, 3, 0)
    head = header + entry
    return head + bytes(-len(head) % 32) + bytes(range(40))


def make_cache(cache: Path) -> Path:
    """A cache with a tiny model in the place of the fetched one."""
    folder = asset_folder(SMOLLM2, cache)
    folder.mkdir(parents=True)
    records = {}
    for name, content in ((Q4_1, tiny_gguf()), ("LICENSE", b"free")):
        (folder / name).write_bytes(content)
        stat = (folder / name).stat()
        records[name] = MemberRecord(
            size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, sha256=hashlib.sha256(content).hexdigest()
        )
    manifest = Manifest(package="p", version="1", sha256=SMOLLM2.sha256, members=records)
    write_record(folder / "manifest.json", manifest)
    return cache


@given(harm=harms)
def test_a_model_file_with_any_damage_is_made_again(tmp_path_factory, harm):
    cache = make_cache(tmp_path_factory.mktemp("cache"))
    assert check_smollm2(cache) is AssetStatus.MISSING
    path = prepare_smollm2(cache)
    good = path.read_bytes()
    path.write_bytes(harm(good))
    assert check_smollm2(cache) is (AssetStatus.CORRUPT if path.read_bytes() != good else AssetStatus.PRESENT)
    assert prepare_smollm2(cache).read_bytes() == good
    assert check_smollm2(cache) is AssetStatus.PRESENT
    assert [damage.instead for damage in damages([cache])] == ["it is made again"]


@given(harm=harms)
def test_a_damaged_note_costs_making_the_model_again(tmp_path_factory, harm):
    cache = make_cache(tmp_path_factory.mktemp("cache"))
    path = prepare_smollm2(cache)
    good, note = path.read_bytes(), path.with_name(f"{path.name}.json")
    note.write_bytes(harm(note.read_bytes()))
    assert prepare_smollm2(cache).read_bytes() == good


def test_one_flipped_bit_in_the_middle_is_found_whatever_the_times_say(tmp_path):
    path = prepare_smollm2(make_cache(tmp_path))
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert check_smollm2(tmp_path) is AssetStatus.CORRUPT
    prepare_smollm2(tmp_path)
    assert check_smollm2(tmp_path, anew=True) is AssetStatus.PRESENT


def test_a_damaged_source_is_not_made_into_a_model(tmp_path, monkeypatch):
    make_cache(tmp_path)
    path = asset_folder(SMOLLM2, tmp_path) / Q4_1
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(AssetError, match="smollm2-135m") as caught:
        prepare_smollm2(tmp_path)
    assert "tenfold assets" in caught.value.next_step
    assert [Path(damage.file).name for damage in damages([tmp_path])] == [Q4_1]
