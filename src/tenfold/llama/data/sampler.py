"""Which tokens each microbatch of each step holds: a function of seed, step and microbatch alone."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import AssetError, Damaged
from tenfold.llama.data.index import WHAT, read_index
from tenfold.llama.recipe import Recipe

FEISTEL_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Batch:
    """What one call of the model predicts.

    ``window_BT``: tokens with the token after each. ``images_IMSS``: of pairs, one image a sequence, from -1 to 1.
    ``weights_BT``: weight of each prediction; none: all count alike.
    """

    window_BT: NDArray[np.int64]
    images_IMSS: NDArray[np.float32] | None = None
    weights_BT: NDArray[np.float32] | None = None

    @property
    def predicted(self) -> int:
        """Tokens that count."""
        return self.window_BT[:, 1:].size if self.weights_BT is None else int(self.weights_BT.sum())


class Sampler:
    """Which tokens each microbatch of each step holds: a function of seed, step and microbatch alone.

    The training tokens are cut into windows of ``sequence_tokens``. Sequence g of the run (g counts over steps, then
    microbatches, then sequences) gets window ``permutation[g mod windows]``, with a new permutation each pass, so that
    a pass sees each window once. The permutation is a Feistel network with cycle walking (Black and Rogaway 2002): no
    table, no state, any worker can make any microbatch.

    Raises:
        AssetError: the data has fewer windows than one step needs, or more kinds of tokens than the model knows.
    """

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.index = read_index(folder)
        self.recipe = recipe
        if self.index.vocab_size > recipe.model.vocab_size:
            raise AssetError(
                f"{folder} has {self.index.vocab_size} kinds of tokens, the model knows {recipe.model.vocab_size}",
                next_step=f"set vocab_size in [model] to {self.index.vocab_size} or more",
            )
        total = self.index.training_tokens + self.index.held_out_tokens
        self._path = folder / self.index.tokens_file
        self._tokens = np.memmap(self._path, dtype=f"<u{self.index.token_bytes}", mode="r", shape=(total,))
        self.windows = (self.index.training_tokens - 1) // recipe.sequence_tokens
        if self.windows < recipe.microbatches * recipe.microbatch_sequences:
            raise AssetError(
                f"{folder} holds {self.windows} sequences of {recipe.sequence_tokens} tokens, fewer than one step",
                next_step="use a smaller batch or more text",
            )

    def batch(self, step: int, microbatch: int) -> Batch:
        """One microbatch."""
        return Batch(self.microbatch_BT(step, microbatch))

    def tokens(self, _step: int, _microbatch: int) -> int:
        """Tokens of one microbatch."""
        return self.recipe.microbatch_tokens

    def held_out(self, windows: Sequence[int]) -> Batch:
        """These held-out windows."""
        return Batch(self.held_out_BT(windows))

    def window_indices(self, step: int, microbatch: int) -> list[int]:
        """Windows of one microbatch, in order."""
        sequences = self.recipe.microbatch_sequences
        first = (step * self.recipe.microbatches + microbatch) * sequences
        return [self._window(sequence) for sequence in range(first, first + sequences)]

    def microbatch_BT(self, step: int, microbatch: int) -> NDArray[np.int64]:
        """Tokens of one microbatch with the token after each, shape (sequences, sequence_tokens + 1)."""
        return np.stack([self._read_window(window) for window in self.window_indices(step, microbatch)])

    def held_out_windows(self, count: int) -> list[int]:
        """So many windows spread evenly over the held-out documents, or all if there are fewer.

        Raises:
            AssetError: there is none.
        """
        windows = (self.index.held_out_tokens - 1) // self.recipe.sequence_tokens
        if windows < 1:
            raise AssetError(
                f"the data holds out {self.index.held_out_tokens} tokens, fewer than one sequence of "
                f"{self.recipe.sequence_tokens}",
                next_step="hold out more documents, or use shorter sequences",
            )
        count = min(count, windows)
        return [index * windows // count for index in range(count)]

    def held_out_BT(self, windows: Sequence[int]) -> NDArray[np.int64]:
        """Tokens of these held-out windows with the token after each, shape (windows, sequence_tokens + 1)."""
        return np.stack([self._read_window(window, self.index.training_tokens) for window in windows])

    def _read_window(self, window: int, base: int = 0) -> NDArray[np.int64]:
        start = base + window * self.recipe.sequence_tokens
        window_T = self._tokens[start : start + self.recipe.sequence_tokens + 1].astype(np.int64)
        if (most := int(window_T.max())) >= self.index.vocab_size:
            at = start + int(window_T.argmax())
            cause = f"token {at:,} is {most}, and there are {self.index.vocab_size} kinds"
            raise Damaged(self._path, cause, what=WHAT, next_step=f"'tenfold data show {self._path.parent}' checks all")
        return window_T

    def _window(self, sequence: int) -> int:
        epoch, position = divmod(sequence, self.windows)
        return permuted(position, self.windows, key=f"{self.recipe.seed}/{epoch}")


def permuted(position: int, size: int, *, key: str) -> int:
    """Image of ``position`` under a permutation of ``range(size)`` chosen by ``key``."""
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half_bits) - 1
    while True:
        left, right = position >> half_bits, position & mask
        for turn in range(FEISTEL_ROUNDS):
            mixed = hashlib.blake2b(f"{key}/{turn}/{right}".encode(), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(mixed, "little") & mask)
        position = (left << half_bits) | right
        if position < size:
            return position
