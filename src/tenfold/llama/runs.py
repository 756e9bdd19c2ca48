"""The training runs of a home: each a folder of its own, with its recipe and its checkpoints. Imports no torch.

``home/train/<run>/run.json`` says what the run is; its checkpoints lie beside it (``checkpoint.py``). Each is sound or
refused (``core/sound.py``).
"""

import contextlib
import fcntl
import logging
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from tenfold.core.errors import AlreadyRunning, AssetError, Damaged, UsageError
from tenfold.core.sound import read_record, set_aside, write_record
from tenfold.llama.checkpoint import RunMeta, checkpoint_files, read_meta
from tenfold.llama.live import live_paths
from tenfold.llama.progress import Record, TrainProgress
from tenfold.llama.recipe import Recipe

MAIN = "main"
"""The run that is trained where nobody names one."""

RUN_FILE, LOCK_FILE = "run.json", "lock"

log = logging.getLogger(__name__)


class Checkpoint(Record):
    """One checkpoint file."""

    path: Path
    bytes: int
    written_at: float = Field(description="Unix seconds")
    progress: TrainProgress


class RunDescription(Record):
    """What a run's folder says of it."""

    name: str
    folder: Path
    run: RunMeta
    checkpoints: tuple[Checkpoint, ...] = Field(description="newest first")
    damaged: tuple[str, ...] = Field((), description="names of files that are damaged, set aside already or not yet")
    others: tuple[str, ...] = Field((), description="names of the other runs in this home")


def train_folder(home: Path, name: str = MAIN) -> Path:
    """Folder of a run of this home, whether or not there is one."""
    return home / "train" / name


def run_folders(home: Path) -> dict[str, Path]:
    """Folder of each run of this home, by its name, the one written to last first."""
    folders = {path.parent.name: path.parent for path in (home / "train").glob(f"*/{RUN_FILE}")}
    if MAIN not in folders and (home / "train" / RUN_FILE).exists():
        # A home of the version before, which held one run.
        folders[MAIN] = home / "train"
    latest_first = sorted(folders, key=lambda name: folders[name].stat().st_mtime, reverse=True)
    return {name: folders[name] for name in latest_first}


def describe(home: Path, name: str | None = None) -> RunDescription | None:
    """Describe a run from its files, without torch and whether or not it is up; none if there is none at all.

    Only headers are read, so that damage to the rest of a checkpoint does not show here.

    Args:
        home: the pool's folder.
        name: of the run; none: the one that was written to last.

    Raises:
        UsageError: there is no run of this name.
        AssetError: ``run.json`` is damaged.
    """
    folders = run_folders(home)
    if not folders:
        return None
    name = name or next(iter(folders))
    folder = _folder_of(home, name, folders)
    run = read_run(folder)
    if run is None:
        return None
    found, damaged = [], [path.name for path in folder.glob("*.damaged-*") if path.suffix != ".json"]
    for path in checkpoint_files(folder):
        try:
            progress = read_meta(path).progress
        except Damaged as error:
            damaged.append(error.path.name)
            continue
        stat = path.stat()
        found.append(Checkpoint(path=path, bytes=stat.st_size, written_at=stat.st_mtime, progress=progress))
    others = tuple(sorted(folders.keys() - {name}))
    return RunDescription(
        name=name,
        folder=folder,
        run=run,
        checkpoints=tuple(found),
        damaged=tuple(sorted(damaged)),
        others=others,
    )


def described_run(home: Path, name: str) -> tuple[Path, RunMeta]:
    """Folder of a run, and what it is.

    Raises:
        UsageError: there is no run of this name.
        AssetError: ``run.json`` is damaged.
    """
    folder = _folder_of(home, name, run_folders(home))
    run = read_run(folder)
    assert run is not None, "a run's folder is told by its run.json"
    return folder, run


def _folder_of(home: Path, name: str, folders: Mapping[str, Path]) -> Path:
    if name not in folders:
        there = f"there are: {', '.join(folders)}" if folders else "there is none at all; tenfold train run.toml"
        raise UsageError(f"there is no training run {name!r} in {home}", next_step=there)
    return folders[name]


def read_run(folder: Path) -> RunMeta | None:
    """Read ``run.json``; none if there is none.

    Raises:
        AssetError: it is damaged.
    """
    path = folder / RUN_FILE
    try:
        return read_record(path, RunMeta)
    except FileNotFoundError:
        return None
    except Damaged as error:
        raise Damaged(path, error.cause, next_step=_start_over(folder)) from error


def open_run(folder: Path, asked: Recipe, text_sha256: str, live_run: str | None = None) -> RunMeta:
    """Return the folder's run, or start one; a damaged ``run.json`` is written anew from what else names the run.

    A run goes on by the recipe that it began with; what was asked for by name must agree with it.

    Args:
        folder: the run's folder.
        asked: what is to be trained; what it leaves to defaults is for a new run only.
        text_sha256: identity of the text.
        live_run: name of the run whose live state there is, if it has the identity of what is asked.

    Raises:
        AssetError: the folder holds a run of another recipe or text, or one that nothing names any more.
    """
    try:
        found = read_run(folder)
    except Damaged as error:
        found = _named_again(folder, asked, asked.identity(text_sha256), live_run, error)
    if found is None:
        found = RunMeta(run=uuid.uuid4().hex, identity=asked.identity(text_sha256), recipe=asked)
        write_record(folder / RUN_FILE, found)
    check_same(folder, found, asked, text_sha256)
    return found


def check_same(folder: Path, found: RunMeta, asked: Recipe, text_sha256: str) -> None:
    """Check that the run of a folder is the one that is asked for.

    Raises:
        AssetError: it is of another recipe or text.
    """
    differs = _difference(found.recipe, asked)
    if found.identity != found.recipe.identity(text_sha256):
        differs = differs or "the text changed, e.g. with a new version of Python"
    if differs:
        raise AssetError(
            f"{folder / RUN_FILE} is a run of another recipe, seed or text ({differs})", next_step=_start_over(folder)
        )


def _named_again(folder: Path, recipe: Recipe, identity: str, live_run: str | None, damage: Damaged) -> RunMeta:
    names = [live_run] if live_run else []
    for path in checkpoint_files(folder):
        with contextlib.suppress(Damaged):
            meta = read_meta(path)
            names += [meta.run] if meta.identity == identity else []
    if not names and checkpoint_files(folder):
        raise damage
    run = names[0] if names else uuid.uuid4().hex
    found = RunMeta(run=run, identity=identity, recipe=recipe)
    set_aside(damage.path, damage.cause, "it was written anew, and training goes on")
    write_record(damage.path, found)
    return found


def _difference(old: Recipe, asked: Recipe) -> str:
    before, now = old.model_dump(), asked.model_dump()
    given = [key for key in now if key in asked.model_fields_set]
    return "; ".join(told for key in given for told in _changes(key, before[key], now[key]))


def _changes(key: str, before: object, now: object) -> Iterator[str]:
    """What differs, key by key of tables that both have."""
    if isinstance(before, dict) and isinstance(now, dict):
        for each in now:
            yield from _changes(f"{key}.{each}", before.get(each), now[each])
    elif before != now:
        yield f"{key} was {before!r}, now {now!r}"


def _start_over(folder: Path) -> str:
    return f"name another run in [train], or move {folder} away to start a new one"


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold a run's folder; the lock falls with the process, however it ends.

    Raises:
        AlreadyRunning: another coordinator holds it.
    """
    with (folder / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                f"another coordinator trains in {folder}", next_step="stop it with tenfold down"
            ) from error
        yield


def take_over(home: Path) -> None:
    """Give the run of a home of the version before, which held one in ``home/train`` itself, a folder: ``main``.

    Its live state goes along. ``run.json`` is moved last, so that what is cut short is taken up again.

    Raises:
        AlreadyRunning: a coordinator of the version before still trains there.
    """
    old, new = home / "train", train_folder(home)
    if not (old / RUN_FILE).exists():
        return
    if (new / RUN_FILE).exists():
        log.warning("%s is left alone: there is a run %s already", old / RUN_FILE, MAIN)
        return
    with locked(old):
        new.mkdir(exist_ok=True)
        kept = {RUN_FILE, LOCK_FILE}
        for path in sorted(path for path in old.iterdir() if path.is_file() and path.name not in kept):
            path.rename(new / path.name)
        in_memory, _ = live_paths(old)
        if in_memory.exists():
            in_memory.rename(live_paths(new)[0])
        (old / RUN_FILE).rename(new / RUN_FILE)
        (old / LOCK_FILE).unlink()
    log.info("the run in %s has a folder of its own now: %s", old, new)
