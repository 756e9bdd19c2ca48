"""Are released weights the trained ones in others' software? transformers and llama.cpp answer beside our network.

    python bench/release.py [--experts 0 8 16 64] [--steps 12] [--image-steps 150]

For each count of experts (0: a dense Llama) a small run is trained here on Python's own source text, to its end, and
released by ``tenfold llama release``'s own code. transformers, in a virtual environment of its own, and llama.cpp, in
float32 with flash attention off, then read the same held-out text. Compared are logits and the log-probabilities of
every token at every place (llama.cpp: at every fourth), and how each splits a text into tokens.

A run that reads images is trained on drawings of forms and colours, a fifth of which are held out. Compared on these
are logits (transformers), the log-probabilities of a caption's first token (llama.cpp, whose GELU is an approximation),
and how often llama.cpp's caption is the right one: of the picture, and of the next one, as for who cannot see.

The last line is one JSON object: the greatest difference of each, by count of experts, and over all.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

# Before torch and numpy are imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

from released.images import SIDE, build_drawings, png_of
from released.llama_cpp import LlamaCpp
from tenfold.core.paths import cache_dir
from tenfold.llama.alone import train_alone
from tenfold.llama.data.pair_sampler import PairSampler
from tenfold.llama.data.sampler import Sampler
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.live import live_paths
from tenfold.llama.model import LlamaForCausalLM, LlamaForConditionalGeneration
from tenfold.llama.recipe import Recipe
from tenfold.llama.release.release import read_trained, release
from tenfold.llama.run_file import RunFile
from tenfold.llama.runs import read_run
from tenfold.llama.shape import ModelShape, VisionShape
from train_peers.environment import TRANSFORMERS, transformers_python

SEQUENCE = 64
SAMPLE = "def f(x):\n    return x  + 12.5 # it's naïve — 你好\n\n\nclass A:\n"
HERE = Path(__file__).parent / "released"
talk = Console(stderr=True, width=140)


def shape_of(experts: int) -> ModelShape:
    """A model of a width and depth at which each kind of layer is there twice."""
    dense = {"use_qk_norm": False, "no_rope_layer_interval": 0} if experts == 0 else {}
    return ModelShape(
        hidden_size=64, num_hidden_layers=8, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        intermediate_size_mlp=160, intermediate_size=96, num_local_experts=experts, **dense,
    )  # fmt: skip


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    return torch.log_softmax(torch.from_numpy(logits).double(), -1).numpy()


def in_transformers(folder: Path, home: Path, python: Path, **given: NDArray) -> dict[str, NDArray]:
    """What transformers makes of a release, see ``released/with_transformers.py``."""
    np.savez(home / "in.npz", **given)
    script = [str(python), str(HERE / "with_transformers.py")]
    ended = subprocess.run(
        [*script, str(folder), str(home / "in.npz"), str(home / "out.npz")],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if ended.returncode:
        raise SystemExit(f"transformers: {ended.stderr.strip()[-600:]}")
    with np.load(home / "out.npz") as told:
        return dict(told)


def compare(experts: int, steps: int, home: Path, text: Path, python: Path) -> dict[str, float]:
    """Train, release, and read a held-out text in all three; the greatest differences."""
    recipe = Recipe(
        model=shape_of(experts), steps=steps, warmup_steps=2, sequence_tokens=SEQUENCE, microbatches=4, bfloat16=False
    )
    run = RunFile(f"experts-{experts}", recipe, text)
    done = train_alone(run, home)
    live_paths(done.folder)[0].unlink(missing_ok=True)
    found = release(home, run.name, None, data=text)

    meta = read_run(done.folder)
    assert meta is not None
    trained = read_trained(done.folder, run.name, meta)
    network = LlamaForCausalLM(recipe.model)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in trained.weights.items()}, strict=False)
    sampler = Sampler(text, recipe)
    tokens_BT = sampler.held_out_BT(sampler.held_out_windows(2))[:, :-1]
    with torch.no_grad():
        ours_BTV = network(torch.from_numpy(tokens_BT)).numpy()

    theirs = in_transformers(found.folder, home, python, tokens=tokens_BT, text=np.array(SAMPLE))
    engine = LlamaCpp(found.folder / f"{run.name}-F32.gguf")
    split = Tokenizer.from_file(str(found.folder / "tokenizer.json")).encode(SAMPLE).ids
    if not split == theirs["split"].tolist() == engine.split(SAMPLE):
        raise SystemExit("the three do not split a text into the same tokens")
    places = list(range(1, SEQUENCE, 4))
    answers = [engine.log_probabilities(row.tolist(), recipe.model.vocab_size, places) for row in tokens_BT]
    ours = log_softmax(ours_BTV)
    return {
        "loss": round(done.loss or np.nan, 4),
        "transformers_logits": float(np.abs(theirs["logits"] - ours_BTV).max()),
        "transformers_log_probabilities": float(np.abs(log_softmax(theirs["logits"]) - ours).max()),
        "llama_cpp_log_probabilities": float(
            max(np.abs(answer - row[np.array(places) - 1]).max() for answer, row in zip(answers, ours, strict=True))
        ),
    }


def compare_images(steps: int, home: Path, python: Path) -> dict[str, float]:
    """Train on drawings, release, and show those that were held out."""
    index = build_drawings(home)
    vision = VisionShape(
        hidden_size=64, image_size=SIDE, patch_size=4, projector_output_dim=128, image_token_index=1, image_marks=True
    )
    shape = shape_of(8).model_copy(update={"vocab_size": index.vocab_size + 2, "vision": vision})
    recipe = Recipe(
        model=shape, steps=steps, warmup_steps=10, sequence_tokens=32, microbatches=2, microbatch_sequences=16,
        learning_rate=2e-3, bfloat16=False,
    )  # fmt: skip
    run = RunFile("images", recipe, home / "pairs")
    done = train_alone(run, home)
    live_paths(done.folder)[0].unlink(missing_ok=True)
    found = release(home, run.name, None, data=home / "pairs")
    meta = read_run(done.folder)
    assert meta is not None
    trained = read_trained(done.folder, run.name, meta)
    network = LlamaForConditionalGeneration(shape, vision)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in trained.weights.items()}, strict=False)
    sampler = PairSampler(home / "pairs", recipe, vision)
    batch = sampler.held_out(sampler.held_out_windows(32))
    images = batch.images_IMSS
    assert images is not None
    tokens_BT = batch.window_BT[:, :-1]
    with torch.no_grad():
        ours_BTV = network(torch.from_numpy(tokens_BT), torch.from_numpy(images)).numpy()
    theirs = in_transformers(found.folder, home, python, tokens=tokens_BT, pixels=images, text=np.array(SAMPLE))
    file = f"{run.name}-F32.gguf"
    engine = LlamaCpp(found.folder / file, vision=found.folder / f"mmproj-{file}")
    split = Tokenizer.from_file(str(found.folder / "tokenizer.json"))
    if not split.encode(SAMPLE).ids == theirs["split"].tolist() == engine.split(SAMPLE):
        raise SystemExit("the three do not split a text into the same tokens")
    end = vision.marked_tokens
    pngs = [png_of(image) for image in images]
    first_BV = np.stack([engine.after_image(png, "", shape.vocab_size) for png in pngs])
    truths = [split.decode([int(each) for each in row[end + 1 :]]) for row in tokens_BT]
    told = [engine.caption(png) for png in pngs]
    others = [*truths[1:], truths[0]]
    return {
        "loss": round(done.loss or np.nan, 4),
        "held_out": len(pngs),
        "transformers_logits": float(np.abs(theirs["logits"] - ours_BTV).max()),
        "llama_cpp_log_probabilities": float(np.abs(first_BV - log_softmax(ours_BTV)[:, end]).max()),
        "captions_right": float(np.mean([one == two for one, two in zip(told, truths, strict=True)])),
        "captions_right_of_another": float(np.mean([one == two for one, two in zip(told, others, strict=True)])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experts", type=int, nargs="+", default=[0, 8, 16, 64])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--image-steps", type=int, default=150, help="of the run that reads images; 0: none")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    text = prepare(cache_dir(), lambda *_: None)
    python = transformers_python(talk)
    found: dict[str, dict[str, float]] = {}
    home = Path(tempfile.mkdtemp(prefix="tenfold-release-"))
    try:
        for experts in asked.experts:
            found[str(experts)] = compare(experts, asked.steps, home, text, python)
            talk.print(f"{experts} experts: {found[str(experts)]}", style="dim")
        images = compare_images(asked.image_steps, home, python) if asked.image_steps else None
    finally:
        shutil.rmtree(home, ignore_errors=True)
    table = Table(
        "experts", "loss after training", "logits, transformers", "log-prob., transformers", "log-prob., llama.cpp"
    )
    for experts, row in found.items():
        table.add_row(experts, f"{row['loss']:.3f}", *(f"{value:.1e}" for key, value in row.items() if key != "loss"))
    Console(width=140).print(table)
    keys = ("transformers_logits", "transformers_log_probabilities", "llama_cpp_log_probabilities")
    worst = {key: max(row[key] for row in found.values()) for key in keys}
    versions = {
        "transformers": TRANSFORMERS.partition("==")[2],
        "xllamacpp": version("xllamacpp"),
        "torch": version("torch"),
    }
    talk.print(f"images: {images}")
    print(json.dumps({**worst, "by_experts": found, "images": images, "versions": versions}))


if __name__ == "__main__":
    main()
