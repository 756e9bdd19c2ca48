"""Which pair of image and caption each sequence holds: a function of seed, step and microbatch alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import AssetError, Damaged
from tenfold.llama.data.index import IMAGES_FILE, PAIRS_FILE, WHAT, ImageIndex, read_index
from tenfold.llama.data.sampler import Batch, Sampler, permuted
from tenfold.llama.recipe import Recipe
from tenfold.llama.shape import VisionShape

SEPARATOR, IMAGE = 0, 1
"""Tokens of a folder of pairs: its tokenizer's special ones come first."""


def sampler_of(folder: Path, recipe: Recipe) -> "Sampler | PairSampler":
    """What hands out the data in a folder to a run of this recipe.

    Raises:
        AssetError: model and data do not fit: in their tokens, or one has images and the other not.
    """
    index, vision = read_index(folder), recipe.model.vision
    if vision is None and index.images is None:
        return Sampler(folder, recipe)
    if vision is None or index.images is None:
        has, lacks = ("model", "data") if index.images is None else ("data", "model")
        raise AssetError(
            f"the {has} of the run on {folder} has images, the {lacks} has none",
            next_step="give the model a table [model.vision], and data of 'tenfold data build --images'; or neither",
        )
    return PairSampler(folder, recipe, vision)


class PairSampler:
    """A pair a sequence: separator, places of the image, caption, separator, and separators that do not count.

    The places may stand between two marks (``VisionShape.image_marks``), which are tokens that no caption has.

    Raises:
        AssetError: images or captions do not fit the model, or there are fewer pairs than one step needs.
        Damaged: the pairs' file holds what cannot be.
    """

    def __init__(self, folder: Path, recipe: Recipe, vision: VisionShape) -> None:
        self.index, self.recipe = read_index(folder), recipe
        images = self.index.images
        assert images is not None, "a folder of pairs has images"
        self._folder, self._lead, self._has_marks = folder, 1 + vision.marked_tokens, vision.image_marks
        kept = images.count if images.pairs is None else images.pairs
        self._held_out = images.held_out if self.index.held_out_documents is None else self.index.held_out_documents
        self._pairs = kept - self._held_out
        room, known = self._lead + images.longest_caption, self.index.vocab_size + 2 * vision.image_marks
        for wrong, should in (
            (vision.image_token_index != IMAGE, f"image_token_index = {IMAGE} in [model.vision]"),
            (vision.image_size != images.side, f"image_size = {images.side} in [model.vision]"),
            (vision.num_channels != 3, "num_channels = 3 in [model.vision]"),
            (recipe.model.vocab_size < known, f"vocab_size = {known} in [model]"),
            (recipe.sequence_tokens < room, f"sequence_tokens = {room} or more in [train]"),
            (self._pairs < recipe.microbatches * recipe.microbatch_sequences, "a smaller batch in [train]"),
        ):
            if wrong:
                raise AssetError(f"{folder} does not fit the run's recipe", next_step=f"set {should}")
        tokens = self.index.training_tokens + self.index.held_out_tokens
        kind = f"<u{self.index.token_bytes}"
        self._tokens = np.memmap(folder / self.index.tokens_file, dtype=kind, mode="r", shape=(tokens,))
        self._begins, self._image_of = self._read_pairs(images, kept)
        shape = (images.count, images.side, images.side, 3)
        self._images = np.memmap(folder / IMAGES_FILE, dtype=np.uint8, mode="r", shape=shape)

    def _read_pairs(self, images: ImageIndex, pairs: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each caption begins and the last one ends, and the number of each one's image."""
        found = np.fromfile(self._folder / PAIRS_FILE, dtype="<i8")
        begins, image_of = found[: pairs + 1], found[pairs + 1 :]
        if images.pairs is None:
            image_of = np.arange(pairs)
        lengths = np.diff(begins) - 1
        if begins[0] != 0 or begins[-1] != len(self._tokens) or begins[self._pairs] != self.index.training_tokens:
            cause = "its captions are not all of the tokens"
        elif not 0 <= lengths.min() <= lengths.max() <= images.longest_caption:
            cause = f"caption {int(np.abs(lengths).argmax()):,} has {int(np.abs(lengths).max())} tokens"
        elif not 0 <= image_of.min() <= image_of.max() < images.count:
            cause = f"it names image {int(image_of[np.abs(image_of).argmax()])} of {images.count}"
        elif (image_of[: self._pairs] >= images.count - images.held_out).any():
            cause = "an image that is held out is among those to train on"
        else:
            return begins, image_of
        raise self._damaged(PAIRS_FILE, cause)

    def batch(self, step: int, microbatch: int) -> Batch:
        """One microbatch; each pass sees each pair once, in another order."""
        return self._batch(self._trained(step, microbatch))

    def tokens(self, step: int, microbatch: int) -> int:
        """Tokens of one microbatch, of separators, images and captions; not those that fill its sequences up."""
        pairs = self._trained(step, microbatch)
        return sum(self._lead - 1 + int(self._begins[pair + 1] - self._begins[pair]) for pair in pairs)

    def held_out_windows(self, count: int) -> list[int]:
        """So many held-out pairs, spread evenly, or all if there are fewer."""
        count = min(count, self._held_out)
        return [index * self._held_out // count for index in range(count)]

    def held_out(self, windows: Sequence[int]) -> Batch:
        """These held-out pairs."""
        return self._batch([self._pairs + window for window in windows])

    def _trained(self, step: int, microbatch: int) -> list[int]:
        sequences = self.recipe.microbatch_sequences
        first = (step * self.recipe.microbatches + microbatch) * sequences
        return [self._pair(sequence) for sequence in range(first, first + sequences)]

    def _pair(self, sequence: int) -> int:
        epoch, position = divmod(sequence, self._pairs)
        return permuted(position, self._pairs, key=f"{self.recipe.seed}/{epoch}")

    def _batch(self, pairs: Sequence[int]) -> Batch:
        window_BT = np.full((len(pairs), self.recipe.sequence_tokens + 1), SEPARATOR, dtype=np.int64)
        window_BT[:, 1 : self._lead] = IMAGE
        if self._has_marks:
            window_BT[:, 1], window_BT[:, self._lead - 1] = self.index.vocab_size, self.index.vocab_size + 1
        weights_BT = np.zeros((len(pairs), self.recipe.sequence_tokens), dtype=np.float32)
        for row, pair in enumerate(pairs):
            caption = self._caption(pair)
            window_BT[row, self._lead : self._lead + len(caption)] = caption
            # The caption, and that it ends there.
            weights_BT[row, self._lead - 1 : self._lead + len(caption)] = 1.0
        pixels_ISSM = self._images[self._image_of[list(pairs)]].astype(np.float32)
        images_IMSS = np.ascontiguousarray(pixels_ISSM.transpose(0, 3, 1, 2)) / np.float32(127.5) - np.float32(1.0)
        return Batch(window_BT, images_IMSS, weights_BT)

    def _caption(self, pair: int) -> NDArray[np.int64]:
        start = int(self._begins[pair]) + 1
        caption = self._tokens[start : self._begins[pair + 1]].astype(np.int64)
        wrong = (caption >= self.index.vocab_size) | (caption == IMAGE)
        if wrong.any():
            place = int(wrong.argmax())
            kinds = f"there are {self.index.vocab_size} kinds, of which {IMAGE} stands for images only"
            raise self._damaged(self.index.tokens_file, f"token {start + place:,} is {caption[place]}, and {kinds}")
        return caption

    def _damaged(self, name: str, cause: str) -> Damaged:
        advice = f"'tenfold data show {self._folder}' checks all"
        return Damaged(self._folder / name, cause, what=WHAT, next_step=advice)
