"""The part that reads images as llama.cpp reads it: a GGUF file of its own, of the projector that it calls ``llama4``.

llama.cpp draws the same network (``tools/mtmd/models/llama4.cpp``) but for two things. Its GELU is the approximation by
tanh from a table of half floats. And it hands out an image's vectors column by column, where Llama 4 has them row by
row (a permutation there is commented out). So the file is written for pictures whose rows and columns are swapped, with
all weights that know rows from columns swapped too: then the vectors come in the order of training. The file says so by
its key ``TRANSPOSED``.

What llama.cpp has fixed is checked here. It writes ``<|image_start|>`` before an image and ``<|image_end|>`` behind it,
so a model must have been taught with these.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import UsageError
from tenfold.core.gguf import Value
from tenfold.llama.shape import ModelShape, VisionShape

Weights = Mapping[str, NDArray[np.float32]]

TEXT, PROJECTOR = "language_model.", "multi_modal_projector."
"""How the names of the other parts begin."""
ROPE_THETA, CHANNELS = 10_000.0, 3
TRANSPOSED = "tenfold.vision.transposed"
"""Key that says whether pictures are to be shown with rows and columns swapped; serve reads it."""
NORM_EPSILON = 1e-5
"""PyTorch's, and Hugging Face's for Llama 4."""

_OUTER = {
    "vision_model.class_embedding": "v.class_embd",
    "vision_model.positional_embedding_vlm": "v.position_embd.weight",
    "vision_model.patch_embedding.linear.weight": "v.patch_embd.weight",
    "vision_model.layernorm_pre.weight": "v.pre_ln.weight",
    "vision_model.layernorm_pre.bias": "v.pre_ln.bias",
    "vision_model.layernorm_post.weight": "v.post_ln.weight",
    "vision_model.layernorm_post.bias": "v.post_ln.bias",
    "vision_model.vision_adapter.mlp.fc1.weight": "mm.model.mlp.1.weight",
    "vision_model.vision_adapter.mlp.fc2.weight": "mm.model.mlp.2.weight",
    "multi_modal_projector.linear_1.weight": "mm.model.fc.weight",
}
_LAYERS = "vision_model.model.layers."
_INNER = {
    "input_layernorm": "ln1",
    "post_attention_layernorm": "ln2",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_out",
    "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down",
}


def check_readable(vision: VisionShape) -> None:
    """See that llama.cpp would read images as this model does.

    Raises:
        UsageError: it would not; says which setting stands against it.
    """
    for wrong, why in (
        (not vision.image_marks, "between two marks, which this model was not taught with (image_marks)"),
        (vision.rope_theta != ROPE_THETA, f"with a rope_theta of {ROPE_THETA:g}, not of {vision.rope_theta:g}"),
        (vision.num_channels != CHANNELS, f"of {CHANNELS} channels, not of {vision.num_channels} (num_channels)"),
    ):
        if wrong:
            raise UsageError(
                f"llama.cpp reads images {why}",
                next_step="leave GGUF out with --no-gguf, or train a model with another value in [model.vision]",
            )


def metadata(shape: ModelShape, vision: VisionShape, name: str, licence: str) -> dict[str, Value]:
    """What the file says before its tensors."""
    return {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "general.name": name,
        "general.license": licence,
        "general.file_type": 0,
        TRANSPOSED: True,
        "clip.has_vision_encoder": True,
        "clip.projector_type": "llama4",
        "clip.use_gelu": True,
        "clip.vision.projection_dim": shape.hidden_size,
        "clip.vision.image_size": vision.image_size,
        "clip.vision.patch_size": vision.patch_size,
        "clip.vision.embedding_length": vision.hidden_size,
        "clip.vision.feed_forward_length": vision.intermediate_size,
        "clip.vision.block_count": vision.num_hidden_layers,
        "clip.vision.attention.head_count": vision.num_attention_heads,
        "clip.vision.attention.layer_norm_epsilon": NORM_EPSILON,
        "clip.vision.projector.scale_factor": vision.shuffle,
        "clip.vision.image_mean": [0.5] * CHANNELS,
        "clip.vision.image_std": [0.5] * CHANNELS,
    }


def tensors(weights: Weights, vision: VisionShape) -> dict[str, NDArray[np.float32]]:
    """The weights of what reads images, for swapped pictures, under llama.cpp's names; none of the text's."""
    found = {}
    for name, weight in _swapped(weights, vision).items():
        if name in _OUTER:
            found[_OUTER[name]] = weight
        elif name.startswith(_LAYERS):
            layer, inner = name.removeprefix(_LAYERS).split(".", 1)
            place, _, kind = inner.rpartition(".")
            found[f"v.blk.{layer}.{_INNER[place]}.{kind}"] = weight
        else:
            assert name.startswith(TEXT), name
    return found


def _swapped(weights: Weights, vision: VisionShape) -> dict[str, NDArray[np.float32]]:
    """The weights with which a picture whose rows and columns are swapped gives what the picture itself gave."""
    found, side, heads = dict(weights), vision.patches_side, vision.num_attention_heads
    patch = found["vision_model.patch_embedding.linear.weight"]
    pixels = patch.reshape(-1, vision.num_channels, vision.patch_size, vision.patch_size)
    found["vision_model.patch_embedding.linear.weight"] = pixels.swapaxes(2, 3).reshape(patch.shape)
    places = found["vision_model.positional_embedding_vlm"]
    grid = places[:-1].reshape(side, side, -1).swapaxes(0, 1).reshape(side**2, -1)
    found["vision_model.positional_embedding_vlm"] = np.concatenate([grid, places[-1:]])
    # The first half of a head's channels turns by column, the second by row.
    for name in weights:
        if name.startswith(_LAYERS) and ".self_attn." in name and name.split(".")[-2] in ("q_proj", "k_proj"):
            halves = weights[name].reshape(heads, 2, -1)
            found[name] = halves[:, ::-1].reshape(weights[name].shape)
    # A token's channels are those of a square of patches, row by row.
    first = found["vision_model.vision_adapter.mlp.fc1.weight"]
    squares = first.reshape(len(first), vision.shuffle, vision.shuffle, -1)
    found["vision_model.vision_adapter.mlp.fc1.weight"] = squares.swapaxes(1, 2).reshape(first.shape)
    return found


def text_weights(weights: Weights) -> dict[str, NDArray[np.float32]]:
    """The weights of the text, under the names that a model of text has."""
    return {name.removeprefix(TEXT): weight for name, weight in weights.items() if name.startswith(TEXT)}
