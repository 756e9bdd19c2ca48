"""Whether a caption is foretold better with its picture than without, on pictures of families held out.

A part of ``bench/ladder.py``. One small model is trained on OpenMoji's pictures, described by category and name,
another of the same shape, seed and steps on the same captions with all pictures white. Both are judged on whole
families that neither saw (``llama/data/openmoji.py``), and the first also with pictures of other captions. So for
several draws of the quarter of families that is held out, each with a seed of its own, since one draw differs from
the next by more than what is to be found. Intervals are of a bootstrap over families.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tenfold.core.paths import cache_dir
from tenfold.core.sound import write_record
from tenfold.llama.alone import train_alone
from tenfold.llama.checkpoint import newest_sound
from tenfold.llama.data.index import (
    IMAGES_FILE,
    INDEX_FILE,
    TOKENIZER_FILE,
    DataIndex,
    digest_of_images,
    identity_of,
    read_index,
)
from tenfold.llama.data.openmoji import DESCRIBED, FAMILY, draw_emoji
from tenfold.llama.data.pair_sampler import IMAGE, SEPARATOR
from tenfold.llama.data.pairs import PairChoices, build_pairs
from tenfold.llama.data.sampler import Batch
from tenfold.llama.recipe import Recipe
from tenfold.llama.run_file import RunFile
from tenfold.llama.runs import read_run
from tenfold.llama.shape import ModelShape, VisionShape
from tenfold.llama.vectors import layout_of
from tenfold.llama.worker import GradientComputer

SIDE = 16
VOCABULARY = 512
HELD_OUT = 0.25
STEPS = 160
SPLITS = 4
SHUFFLES = 1
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Foretold:
    """Losses of the held-out captions, in nats, summed over each one's tokens. C captions, each of a family."""

    tokens_C: NDArray[np.int64]
    families_C: NDArray[np.str_]
    with_picture_C: NDArray[np.float64]
    without_C: NDArray[np.float64]
    with_another_C: NDArray[np.float64]


def recipe_of(index: DataIndex, split: int) -> Recipe:
    """A tiny model that reads images: 16 patches of a picture become 4 tokens before its caption."""
    assert index.images is not None
    vision = VisionShape(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=SIDE, patch_size=4,
        projector_output_dim=96, image_token_index=IMAGE,
    )  # fmt: skip
    model = ModelShape(
        vocab_size=index.vocab_size, hidden_size=96, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=3,
        intermediate_size_mlp=256, intermediate_size=128, num_local_experts=4, vision=vision,
    )  # fmt: skip
    return Recipe(
        model=model,
        sequence_tokens=1 + vision.image_tokens + index.images.longest_caption,
        microbatch_sequences=16,
        microbatches=2,
        steps=STEPS,
        seed=split,
        learning_rate=3e-3,
        warmup_steps=40,
        decay_share=0.5,
        evaluate_sequences=64,
    )


def blind_copy(folder: Path, target: Path) -> Path:
    """The same captions with all pictures white."""
    shutil.copytree(folder, target)
    index = read_index(target)
    assert index.images is not None
    (target / IMAGES_FILE).write_bytes(b"\xff" * (target / IMAGES_FILE).stat().st_size)
    images = index.images.model_copy(update={"sha256": digest_of_images(target, anew=True)})
    identity = identity_of(target, index.shards, images)
    write_record(target / INDEX_FILE, index.model_copy(update={"images": images, "sha256": identity}))
    return target


def trained(run: RunFile, home: Path) -> NDArray[np.float32]:
    """Train a run to its end; its parameters."""
    folder = train_alone(run, home, workers=2).folder
    meta = read_run(folder)
    assert meta is not None
    found = newest_sound(folder, meta, layout_of(run.recipe.model).spans)
    assert found is not None, "a run that has ended has a checkpoint"
    return found[1].parameters_P


class Judge:
    """A model and the pairs that it never saw."""

    def __init__(self, recipe: Recipe, data: Path, parameters_P: NDArray[np.float32]) -> None:
        self.computer = GradientComputer(recipe, data)
        np.copyto(self.computer.parameters_P, parameters_P)
        self.sampler = self.computer.sampler
        self.windows = self.sampler.held_out_windows(1 << 30)

    def captions(self) -> list[list[int]]:
        """Tokens of each held-out caption."""
        return [
            [token for token in self.sampler.held_out([each]).window_BT[0].tolist() if token not in (SEPARATOR, IMAGE)]
            for each in self.windows
        ]

    def losses(self, pictures: Sequence[int]) -> NDArray[np.float64]:
        """Loss of each caption with the picture of the pair that is named for it, summed over its tokens, in nats."""
        of, sampler = dict(zip(self.windows, pictures, strict=True)), self.sampler

        class Exchanged:
            def held_out(self, windows: Sequence[int]) -> Batch:
                images_IMSS = sampler.held_out([of[each] for each in windows]).images_IMSS
                return replace(sampler.held_out(windows), images_IMSS=images_IMSS)

        self.computer.sampler = Exchanged()
        found = [self.computer.held_out_loss([each]) for each in self.windows]
        return np.array([loss * tokens for loss, tokens in found])


def split_rows(rows: Path, folder: Path, split: int) -> Path:
    """The same rows, with families under other names, so that others are held out; those of split 0 as they are."""
    folder.mkdir()
    told = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    for row in told:
        row["image"] = str(rows.parent / row["image"])
        row[FAMILY] = f"{split} {row[FAMILY]}" if split else row[FAMILY]
    target = folder / rows.name
    target.write_text("".join(f"{json.dumps(row)}\n" for row in told), encoding="utf-8")
    return target


def foretell(rows: Path, home: Path, split: int) -> Foretold:
    """Build the pairs, train both models, and judge them.

    Args:
        rows: as ``draw_emoji`` gives them.
        home: for all files.
        split: which families are held out, and the seed of both models.
    """
    seen = home / "pairs"
    choices = PairChoices(SIDE, DESCRIBED, VOCABULARY, HELD_OUT, group=FAMILY)
    index = build_pairs(seen, [split_rows(rows, home / "rows", split)], choices, lambda _what, _share: None)
    recipe = recipe_of(index, split)
    judges = {}
    for name, data in (("seeing", seen), ("blind", blind_copy(seen, home / "white"))):
        judges[name] = Judge(recipe, data, trained(RunFile(name, recipe, data), home))
    windows = judges["seeing"].windows
    captions = judges["seeing"].captions()
    families_C = _families(rows, captions, seen)
    by_family = np.argsort(families_C, kind="stable")
    shuffled = []
    for turn in range(1, SHUFFLES + 1):
        # Turned by parts of all, in the order of their families: hardly one gets a picture of its own family.
        partner = np.empty(len(windows), dtype=np.int64)
        partner[by_family] = np.roll(by_family, turn * len(windows) // (SHUFFLES + 1))
        shuffled.append(judges["seeing"].losses([windows[each] for each in partner]))
    return Foretold(
        tokens_C=np.array([len(each) + 1 for each in captions]),
        families_C=families_C,
        with_picture_C=judges["seeing"].losses(windows),
        without_C=judges["blind"].losses(windows),
        with_another_C=np.mean(shuffled, axis=0),
    )


def _families(rows: Path, captions: Sequence[Sequence[int]], data: Path) -> NDArray[np.str_]:
    """Family of each caption."""
    families: Mapping[str, str] = {
        row[DESCRIBED]: row[FAMILY] for row in map(json.loads, rows.read_text(encoding="utf-8").splitlines())
    }
    tokenizer = Tokenizer.from_file(str(data / TOKENIZER_FILE))
    return np.array([families[tokenizer.decode(list(caption))] for caption in captions])


def pooled(splits: Sequence[Foretold]) -> Foretold:
    """All captions of all splits; one that is held out twice counts twice, in its family."""
    return Foretold(*(np.concatenate([getattr(each, name.name) for each in splits]) for name in fields(Foretold)))


def interval(difference_C: NDArray[np.float64], told: Foretold) -> tuple[float, float, float, int, int]:
    """Mean difference in nats per token, its 95% interval by a bootstrap over families, families below 0, and all."""
    number_C = np.unique(told.families_C, return_inverse=True)[1]
    nats_G, tokens_G = np.bincount(number_C, difference_C), np.bincount(number_C, told.tokens_C)
    drawn_RG = np.random.default_rng(0).integers(0, len(nats_G), (RESAMPLES, len(nats_G)))
    means_R = nats_G[drawn_RG].sum(axis=1) / tokens_G[drawn_RG].sum(axis=1)
    low, high = np.quantile(means_R, [0.025, 0.975])
    return float(nats_G.sum() / tokens_G.sum()), float(low), float(high), int((nats_G < 0).sum()), len(nats_G)


def report(what: str, told: Foretold) -> None:
    """Print what was found."""
    total = told.tokens_C.sum()
    print(
        f"{what}, {len(told.tokens_C)} captions held out, nats per token: with the picture "
        f"{told.with_picture_C.sum() / total:.4f}, by a model that saw none {told.without_C.sum() / total:.4f}, with "
        f"another's picture {told.with_another_C.sum() / total:.4f}"
    )
    for name, other_C in ("none", told.without_C), ("another's", told.with_another_C):
        mean, low, high, better, families = interval(told.with_picture_C - other_C, told)
        print(
            f"  with it against {name}: {mean:+.4f} (95% over families {low:+.4f} to {high:+.4f}), better in {better} "
            f"of {families} families"
        )


def measure() -> None:
    """Draw, train, judge and tell."""
    began = time.monotonic()
    rows, splits = draw_emoji(cache_dir(), lambda _what, _share: None), []
    for split in range(SPLITS):
        with tempfile.TemporaryDirectory(prefix="captions-") as home:
            splits.append(foretell(rows, Path(home), split))
        report(f"split {split}", splits[-1])
    report(f"all {SPLITS} splits", pooled(splits))
    print(f"  {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    measure()
