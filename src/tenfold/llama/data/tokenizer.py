"""Byte-level BPE: every text has an encoding, and decoding gives it back."""

from collections.abc import Iterable

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer

SEPARATOR = "<|endoftext|>"
"""Leads each document."""
IMAGE = "<|image|>"
"""Holds a place for a piece of an image."""
IMAGE_MARKS = ("<|image_start|>", "<|image_end|>")
"""Stand around an image, where the model has such tokens: the first two beyond those of the captions."""


def train_tokenizer(texts: Iterable[str], vocab_size: int, special: tuple[str, ...] = (SEPARATOR,)) -> Tokenizer:
    """Train a tokenizer of at most so many tokens; ``special`` ones come first and stand for no text."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special),
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
