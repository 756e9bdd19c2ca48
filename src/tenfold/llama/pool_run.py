"""Which run the pool trains, and on which data: the first of those that wait, or else what ``[train]`` asks for.

Imports no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tenfold.core.errors import AssetError, Damaged
from tenfold.core.sound import set_aside
from tenfold.llama.data.index import read_index
from tenfold.llama.data.stdlib import prepare, text_folder
from tenfold.llama.recipe import Recipe, recipe_from_settings
from tenfold.llama.run_data import read_data
from tenfold.llama.run_file import read_run_file
from tenfold.llama.run_queue import first_waiting
from tenfold.llama.runs import MAIN, read_run, train_folder


@dataclass(frozen=True, slots=True)
class PoolRun:
    """The pool's run.

    ``asked``: what a new run is trained by; one that has begun goes on by its own. ``recipe``: the one that it goes by,
    as far as this node can see. ``place``: among those that wait; none: it is the run of the settings.
    """

    name: str
    asked: Recipe
    recipe: Recipe
    data: Path
    place: Path | None = None


def pool_run(settings: Mapping[str, object], home: Path, cache: Path) -> PoolRun:
    """Find out which run the pool trains: the first that waits; else that of a run file, or one by its name.

    Python's own text is made where it is wanted and not there.

    Raises:
        RunFileError: there is no such run file, or a mistake in it.
        ConfigError: ``seed`` is not an integer.
        AssetError: there is too little text, or what says on which data a run is trained is damaged.
    """
    named, waiting = str(settings.get("run", MAIN)), first_waiting(home)
    if waiting is not None:
        name, asked, data = waiting[1].name, waiting[1].recipe, waiting[1].data
    elif named.endswith(".toml"):
        file = read_run_file(home / named)
        name, asked, data = file.name, file.recipe, file.data
    else:
        name, asked = named, recipe_from_settings(settings)
        data = _data_of(train_folder(home, name), cache)
    begun = _begun(train_folder(home, name))
    if begun is not None and asked.model_fields_set <= {"seed"} and asked.seed in (begun.seed, Recipe().seed):
        # Named only, so whatever the seed of the settings is by default, it goes on by its own.
        asked = begun
    if data is None:
        data = prepare(cache, lambda _what, _share: None)
    return PoolRun(name, asked, begun or asked, data, waiting[0] if waiting is not None else None)


def data_here(folder: Path, cache: Path) -> Path:
    """The data of a folder that another machine names; Python's own text is made where it is not there yet.

    Raises:
        AssetError: there is too little text, or the folder is not on this machine.
    """
    if folder == text_folder(cache).resolve():
        return prepare(cache, lambda _what, _share: None)
    if not folder.is_dir():
        raise AssetError(
            f"the run's data are in {folder}, which is not on this machine",
            next_step="copy that folder here, under the same path, or keep the data where all machines see them",
        )
    return folder


def _data_of(folder: Path, cache: Path) -> Path | None:
    """The data of the run in a folder; none for Python's own text.

    Raises:
        Damaged: what says so is damaged, and Python's own text is not what the run was trained on.
    """
    try:
        kept = read_data(folder)
    except Damaged as error:
        if _is_on_own_text(folder, cache):
            set_aside(error.path, error.cause, "it is written anew")
            return None
        advice = "name in [train] the run's file in place of its name: its [data] says which"
        raise Damaged(error.path, error.cause, next_step=advice) from error
    return None if kept is None or _is_own_text(kept.folder, cache) else kept.folder


def _is_on_own_text(folder: Path, cache: Path) -> bool:
    """Whether a run that has begun was trained on Python's own text, as it is today, by its identity."""
    try:
        run = read_run(folder)
    except Damaged:
        return False
    text = read_index(prepare(cache, lambda _what, _share: None))
    return run is not None and run.identity == run.recipe.identity(text.sha256)


def _is_own_text(folder: Path, cache: Path) -> bool:
    """Whether it is Python's own text, which is made again where it is damaged, or that of another Python, now gone."""
    return folder == text_folder(cache).resolve() or (
        folder.parent == text_folder(cache).resolve().parent and not folder.exists()
    )


def _begun(folder: Path) -> Recipe | None:
    try:
        run = read_run(folder)
    except Damaged:
        # The coordinator mends it, and tells workers the recipe.
        return None
    return None if run is None else run.recipe
