"""What is read back is what was written, or it is said; what is damaged is kept under a name of its own."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from damage import harms
from tenfold.core import sound
from tenfold.core.errors import AssetError, Damaged, OfAnotherVersion
from tenfold.core.sound import damages, is_sound, read_record, set_aside, write_record


class Note(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    numbers: tuple[float, ...] = ()
    place: Path | None = None


def at(second: int) -> datetime:
    return datetime(2026, 11, 28, 13, 46, second, tzinfo=UTC)


@pytest.mark.slow
@given(text=st.text(), numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False)), harm=harms)
@settings(max_examples=150)
def test_a_record_with_any_damage_is_refused_or_reads_the_same(tmp_path_factory, text, numbers, harm):
    path = tmp_path_factory.mktemp("records") / "note.json"
    note = Note(text=text, numbers=tuple(numbers), place=Path("/a/b"))
    write_record(path, note)
    assert read_record(path, Note) == note
    path.write_bytes(harm(path.read_bytes()))
    try:
        assert read_record(path, Note) == note
    except Damaged as error:
        assert str(path) in str(error)


def test_a_record_of_an_older_version_has_no_seal_and_is_judged_by_its_schema(tmp_path):
    path = tmp_path / "note.json"
    path.write_text('{"text": "old"}')
    assert read_record(path, Note).text == "old"
    path.write_text('{"text": "old", "more": 1}')
    with pytest.raises(OfAnotherVersion, match="more Extra inputs"):
        read_record(path, Note)


def test_a_folder_in_the_place_of_a_record_is_named_with_its_cure(tmp_path):
    (tmp_path / "note.json").mkdir()
    with pytest.raises(AssetError, match=r"cannot read .*note\.json: Is a directory") as caught:
        read_record(tmp_path / "note.json", Note)
    assert "move it away" in caught.value.next_step


@given(harm=harms)
def test_a_big_file_with_any_damage_is_found(tmp_path_factory, harm):
    path = tmp_path_factory.mktemp("big") / "weights.bin"
    content = bytes(range(256)) * 4
    path.write_bytes(content)
    sha256 = sound.digest_of(path)
    path.write_bytes(harm(content))
    assert is_sound(path, sha256) == (path.read_bytes() == content)


def test_a_big_file_is_hashed_once_until_something_touches_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sound, "SMALL_BYTES", 100)
    path = tmp_path / "weights.bin"
    path.write_bytes(b"a" * 1000)
    sha256 = sound.digest_of(path)
    hashed = []
    file_digest = sound.hashlib.file_digest

    def counted(file, name):
        hashed.append(name)
        return file_digest(file, name)

    monkeypatch.setattr(sound.hashlib, "file_digest", counted)
    assert is_sound(path, sha256) and is_sound(path, sha256)
    assert hashed == []
    assert is_sound(path, sha256, anew=True)
    assert len(hashed) == 1
    before = path.stat()
    path.write_bytes(b"b" + b"a" * 999)
    # Same size, inode and time of writing: the time of change, which nobody can set, tells.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not is_sound(path, sha256)


def test_a_damaged_note_of_a_digest_only_costs_a_second_look(tmp_path, monkeypatch):
    monkeypatch.setattr(sound, "SMALL_BYTES", 100)
    path = tmp_path / "weights.bin"
    path.write_bytes(b"a" * 1000)
    sha256 = sound.digest_of(path)
    (tmp_path / ".weights.bin.checked").write_text('{"sha256": "cut')
    assert is_sound(path, sha256)
    assert not is_sound(path, "0" * 64)


def test_what_is_set_aside_is_never_overwritten_and_says_why(tmp_path):
    for content in (b"first", b"second"):
        (tmp_path / "model.bin").write_bytes(content)
        set_aside(tmp_path / "model.bin", "its sha256 is wrong", "it was fetched again", clock=lambda: at(31))
    assert (tmp_path / "model.bin.damaged-20261128T134631").read_bytes() == b"first"
    assert (tmp_path / "model.bin.damaged-20261128T134631-2").read_bytes() == b"second"
    found = damages([tmp_path])
    assert [damage.at for damage in found] == [at(31).timestamp()] * 2
    assert found[0].text == "model.bin was damaged (its sha256 is wrong) and is set aside; it was fetched again"
    assert damages([tmp_path], since=at(32).timestamp()) == []
    assert set_aside(tmp_path / "model.bin", "gone", "") is None


def test_a_folder_is_set_aside_whole_and_a_file_where_its_reader_looks(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "tokens").write_bytes(b"12")
    assert set_aside(tmp_path / "text", "cut", "made again", clock=lambda: at(1)) == (
        tmp_path / "text.damaged-20261128T134601"
    )
    (tmp_path / "live").write_bytes(b"12")
    (tmp_path / "home").mkdir()
    moved = set_aside(tmp_path / "live", "cut", "from a checkpoint", folder=tmp_path / "home", clock=lambda: at(1))
    assert moved == tmp_path / "home" / "live.damaged-20261128T134601"
    assert moved.read_bytes() == b"12"
    assert len(damages([tmp_path])) == 2
