"""The default chat model: SmolLM2-135M-Instruct, in the type that llama.cpp is fastest with."""

import fcntl
from pathlib import Path

from tenfold.core.assets import AssetStatus, asset_folder, check, fetch, require
from tenfold.core.errors import Damaged
from tenfold.core.frozen import Frozen
from tenfold.core.smollm2 import GGUF, SMOLLM2
from tenfold.core.sound import digest_of, is_sound, read_record, set_aside, write_record

_FASTER_GGUF = "SmolLM2-135M-Instruct.Q8_0.gguf"
FASTER_BYTES = 145_000_000


class Made(Frozen):
    """The note beside the Q8_0 file."""

    sha256: str


def check_smollm2(cache: Path, *, anew: bool = False) -> AssetStatus:
    """State of the Q8_0 file; ``anew``: it is hashed (0.15 CPU-s) also if it was before and seems untouched."""
    path = asset_folder(SMOLLM2, cache) / _FASTER_GGUF
    try:
        made = read_record(_note(path), Made)
    except (FileNotFoundError, Damaged):
        # Without a note nobody knows what it should hold: it is made again.
        return AssetStatus.MISSING
    if is_sound(path, made.sha256, anew=anew):
        return AssetStatus.PRESENT
    return AssetStatus.CORRUPT if path.exists() else AssetStatus.MISSING


def prepare_smollm2(cache: Path, *, anew: bool = False) -> Path:
    """Path of the model's GGUF file in Q8_0 (145 MB), made from the fetched Q4_1 (98 MB) the first time, in 1 CPU-s.

    A damaged one is set aside and made again, and so is a damaged Q4_1. Processes that prepare it at once wait for one.
    It lies beside the fetched file, so that fetching anew removes it.

    Raises:
        AssetError: the asset was not fetched, or is damaged and cannot be fetched again.
    """
    folder = asset_folder(SMOLLM2, cache)
    faster = folder / _FASTER_GGUF
    if check_smollm2(cache, anew=anew) is not AssetStatus.PRESENT:
        if check(SMOLLM2, cache) is AssetStatus.CORRUPT:
            fetch(SMOLLM2, cache, lambda _: None)
        require(SMOLLM2, cache)
        with (folder / ".prepare.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            status = check_smollm2(cache)
            if status is AssetStatus.CORRUPT:
                set_aside(faster, "its sha256 is wrong", "it is made again")
            if status is not AssetStatus.PRESENT:
                _make(folder / GGUF, faster)
    return faster


def _make(source: Path, target: Path) -> None:
    from tenfold.serve.requantise import requantise

    fresh = target.with_name(f".{target.name}.fresh")
    requantise(source, fresh)
    # The note first: without its file it says that the file is missing; the other way round it would be damaged.
    write_record(_note(target), Made(sha256=digest_of(fresh, anew=True)))
    fresh.replace(target)
    digest_of(target)
    fresh.with_name(f".{fresh.name}.checked").unlink(missing_ok=True)


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
