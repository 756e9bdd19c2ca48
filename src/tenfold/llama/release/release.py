"""Writes a run's release: one folder that transformers, llama.cpp, Ollama and Tenfold's own serve load."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import Field

from tenfold.core.errors import AssetError, UsageError
from tenfold.core.frozen import Frozen
from tenfold.core.gguf import write_gguf
from tenfold.core.paths import new_folder
from tenfold.llama.checkpoint import RunMeta, newest_sound
from tenfold.llama.data.index import DataIndex, check_data
from tenfold.llama.data.tokenizer import SEPARATOR
from tenfold.llama.journal import read_evaluations
from tenfold.llama.ladder.library import prediction_path
from tenfold.llama.ladder.prediction import load_outcome, load_prediction
from tenfold.llama.progress import TrainProgress
from tenfold.llama.release import card, gguf, huggingface, mmproj
from tenfold.llama.release.tokens import Tokens, read_tokens
from tenfold.llama.runs import describe, train_folder
from tenfold.llama.shape import ModelShape
from tenfold.llama.vectors import layout_of

SUMS = "SHA256SUMS"
_EYES = (
    "what reads images, for both; llama.cpp's own programs are to be given pictures mirrored at their diagonal, as "
    "[serve.models] does by itself"
)
_LICENCES = {
    "Apache-2.0": "Licensed under the Apache License, Version 2.0: http://www.apache.org/licenses/LICENSE-2.0\n",
}


class Released(Frozen):
    """What was written."""

    folder: Path
    run: str
    step: int
    parameters: int
    active_parameters: int = Field(description="those that one token passes through")
    files: dict[str, int] = Field(description="bytes of each, by name")


@dataclass(frozen=True, slots=True)
class Trained:
    """A run's newest weights, by name, and where they come from.

    ``left_out``: size of the largest bias of an expert that the release does without; 0 if all had faded.
    """

    name: str
    shape: ModelShape
    progress: TrainProgress
    weights: dict[str, NDArray[np.float32]]
    left_out: float


def release(
    home: Path,
    name: str | None,
    target: Path | None,
    *,
    data: Path,
    licence: str = "Apache-2.0",
    prediction: Path | None = None,
    with_gguf: bool = True,
    without_biases: bool = False,
) -> Released:
    """Write a run's newest checkpoint as a release; the folder appears whole or not at all.

    Args:
        home: the pool's folder.
        name: of the run; none: the one written to last.
        target: folder to write, which must not be there yet; none: ``release-<step>`` in the run's folder.
        data: the prepared data that the run was trained on.
        licence: SPDX name of the weights' licence.
        prediction: file of a prediction that was registered before the run; none: the one that ``tenfold ladder
            predict`` registered for it, if there is one.
        with_gguf: also write what llama.cpp loads.
        without_biases: leave out biases of experts that have not faded to 0 yet.

    Raises:
        UsageError: there is no such run, it has no checkpoint, its experts are still chosen with biases, the data are
            not its own, the target is there already, or llama.cpp would read another model.
        AssetError: a checkpoint or the data are damaged.
    """
    found = describe(home, name)
    if found is None:
        raise UsageError(f"there is no training run in {home}", next_step="train one first: tenfold train run.toml")
    index, recipe = check_data(data), found.run.recipe
    if recipe.identity(index.sha256) != found.run.identity:
        raise UsageError(
            f"the run {found.name} was not trained on the data in {data}",
            next_step="give the folder that it was trained on with --data",
        )
    trained = read_trained(train_folder(home, found.name), found.name, found.run, without_biases=without_biases)
    target = target or train_folder(home, found.name) / f"release-{trained.progress.step}"
    if target.exists():
        raise UsageError(f"{target} is there already", next_step="give another folder with -o, or move it away")
    tokens = read_tokens(data / "tokenizer.json", SEPARATOR)
    if with_gguf:
        gguf.check_loadable(trained.shape)
    foretold = prediction or _registered(home, found.name)
    registered = card.read_prediction(foretold) if foretold else None
    outcome = load_outcome(foretold) if foretold else None
    if registered and outcome and outcome.prediction_sha256 != registered.get("sha256"):
        # The score of one that was there before.
        outcome = None
    with new_folder(target) as fresh:
        files = write_model(fresh, trained, tokens, recipe.sequence_tokens, licence, with_gguf=with_gguf)
        sizes = {key: weight.size for key, weight in trained.weights.items()}
        parameters = card.active_parameters(trained.shape, sizes)
        told = card.Card(
            name=trained.name,
            licence=licence,
            recipe=recipe,
            progress=trained.progress,
            data=_data(index),
            parameters=parameters,
            prediction=registered,
            outcome=outcome,
            left_out=trained.left_out,
            evaluations=read_evaluations(train_folder(home, found.name)),
            files=files,
        )
        (fresh / card.CURVE_FILE).write_text(card.curve_svg(trained.progress.history))
        (fresh / "README.md").write_text(card.write(told))
        (fresh / "LICENSE").write_text(_LICENCES.get(licence, f"SPDX-License-Identifier: {licence}\n"))
        _write_sums(fresh)
    return Released(
        folder=target,
        run=trained.name,
        step=trained.progress.step,
        parameters=parameters[0],
        active_parameters=parameters[1],
        files={path.name: path.stat().st_size for path in sorted(target.iterdir())},
    )


def _registered(home: Path, name: str) -> Path | None:
    """The prediction that the ladder registered for a run; its seal is whole."""
    path = prediction_path(home, name)
    if not path.exists():
        return None
    load_prediction(path)
    return path


def write_model(
    folder: Path, trained: Trained, tokens: Tokens, context_tokens: int, licence: str, *, with_gguf: bool = True
) -> dict[str, str]:
    """Write weights, configuration and tokenizer; returns what each file is for, by its name."""
    shape, vision = trained.shape, trained.shape.vision
    if vision is not None:
        tokens = tokens.of_images(marks=vision.image_marks)
    (folder / "model.safetensors").write_bytes(safetensors.numpy.save(trained.weights, metadata={"format": "pt"}))
    _write_json(folder / "config.json", huggingface.config(shape, context_tokens, tokens))
    _write_json(folder / "generation_config.json", huggingface.generation_config(tokens.separator))
    (folder / "tokenizer.json").write_text(tokens.tokenizer_json())
    _write_json(folder / "tokenizer_config.json", tokens.tokenizer_config(context_tokens))
    files = {
        "model.safetensors": "weights in float32 under Hugging Face's names",
        "config.json": "sizes, for transformers",
        "tokenizer.json": "byte-level BPE",
    }
    if with_gguf:
        files |= _write_gguf(folder, trained, tokens, gguf.Named(trained.name, licence.lower(), context_tokens))
    return files


def _write_gguf(folder: Path, trained: Trained, tokens: Tokens, named: gguf.Named) -> dict[str, str]:
    shape, weights = trained.shape, trained.weights
    file = f"{trained.name}-F32.gguf"
    files = {file: "the same for llama.cpp, and for [serve.models]", "Modelfile": "for Ollama"}
    if shape.vision is not None:
        eyes = f"mmproj-{file}"
        told = mmproj.metadata(shape, shape.vision, named.name, named.licence)
        write_gguf(folder / eyes, told, mmproj.tensors(weights, shape.vision))
        weights = mmproj.text_weights(weights)
        files |= {file: "the text's part for llama.cpp, and for [serve.models]", eyes: _EYES}
    write_gguf(folder / file, gguf.metadata(shape, named, tokens), gguf.tensors(weights, shape))
    (folder / "Modelfile").write_text(_modelfile(file, named.context_tokens, tokens.separator_name))
    return files


def read_trained(folder: Path, name: str, run: RunMeta, *, without_biases: bool = False) -> Trained:
    """Read the newest sound checkpoint's weights.

    Raises:
        UsageError: there is no checkpoint, or its experts are still chosen with biases.
        AssetError: none is sound.
    """
    spans = layout_of(run.recipe.model).spans
    found = newest_sound(folder, run, spans)
    if found is None:
        raise UsageError(f"the run {name} has no checkpoint yet", next_step="let it train on, or stop it, which saves")
    progress, state = found
    if not np.isfinite(state.parameters_P).all():
        raise AssetError(
            f"the checkpoint of {name} at step {progress.step} has weights that are no numbers",
            next_step="train on from an earlier checkpoint",
        )
    weights = {span.name: state.parameters_P[span.part].reshape(span.shape) for span in spans}
    biases = [span.name for span in spans if span.kind == "balance"]
    largest = max((float(np.abs(weights.pop(bias)).max()) for bias in biases), default=0.0)
    if largest > 0 and not without_biases:
        raise UsageError(
            f"the experts of {name} are still chosen with biases (up to {largest:.3f}), which a Llama 4 has not",
            next_step="train the run to its end, where they fade to 0, or leave them out with --without-biases",
        )
    return Trained(name, run.recipe.model, progress, weights, largest)


def _data(index: DataIndex) -> list[str]:
    found = [
        f"{index.documents:,} documents of {index.origin}, {index.text_bytes:,} bytes.",
        f"{index.training_tokens:,} tokens to train on, {index.held_out_tokens:,} of whole documents held out.",
        f"sha256 that stands for all of it: `{index.sha256}`.",
    ]
    if index.images is not None:
        images = index.images
        size = f"{images.side} x {images.side} pixels"
        found.append(f"{images.count:,} images of {size}, of which {images.held_out:,} are held out.")
    if index.licence:
        found.append(f"Their licence, as told by who prepared them: {index.licence}.")
    return found


def _modelfile(file: str, context_tokens: int, separator: str) -> str:
    return "\n".join(
        (
            f"FROM ./{file}",
            'TEMPLATE """{{ .Prompt }}"""',
            f"PARAMETER num_ctx {context_tokens}",
            f'PARAMETER stop "{separator}"',
            "",
        )
    )


def _write_json(path: Path, table: Mapping[str, object]) -> None:
    path.write_text(json.dumps(table, indent=1) + "\n")


def _write_sums(folder: Path) -> None:
    lines = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    (folder / SUMS).write_text("".join(lines))
