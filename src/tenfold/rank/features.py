"""What the network is told of items beside their ids: attributes as numbers, and their embedded text.

Shapes: I items, C numbers of an embedded text.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from tenfold.rank.network import Features
from tenfold.rank.person import Vectors
from tenfold.rank.stream import Item, Mask

Embed = Callable[[Sequence[str]], Vectors]
"""Texts to vectors, (N, C)."""


def features_of(
    items: Sequence[Item], attributes: Sequence[str], content: int, embed: Embed | None, known_I: Mask | None = None
) -> Features:
    """Attributes that the network knows, and the embedded text of each item; zeros for an item without text.

    Args:
        items: seen or never seen.
        attributes: of the network, in its order; an item's others are left out.
        content: numbers of an embedded text, 0 for a network that reads none.
        embed: how texts are embedded; needed where ``content`` is not 0 and any item has text.
        known_I: which items have events to learn from; by default none.
    """
    place = {attribute: index for index, attribute in enumerate(attributes)}
    known = [[place[word] for word in item.attributes if word in place] for item in items]
    flat = np.array([index for listed in known for index in listed], dtype=np.int64)
    start_I = np.concatenate([[0], np.cumsum([len(listed) for listed in known])]).astype(np.int64)
    content_IC = np.zeros((len(items), content), dtype=np.float32)
    texts = [(row, item.words()) for row, item in enumerate(items) if content and item.words()]
    if texts:
        assert embed is not None, "a network that reads texts comes with what embeds them"
        content_IC[[row for row, _ in texts]] = embed([words for _, words in texts])
    known_I = np.zeros(len(items), np.bool_) if known_I is None else known_I
    return Features(*(torch.from_numpy(column) for column in (flat, start_I, content_IC, known_I)))
