"""A model as llama.cpp reads it: our names, shapes and tokenizer in a GGUF file.

A mixture is of llama.cpp's architecture ``llama4``, a dense model of its ``llama``. What llama.cpp has fixed for
``llama4`` (``src/models/llama4.cpp``) is checked here, so that no file is written that it would read as another model:
no positions in every fourth layer, and queries and keys normed unless there are 128 experts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenfold.core.errors import UsageError
from tenfold.core.gguf import Value
from tenfold.llama.release import mmproj
from tenfold.llama.release.tokens import Tokens
from tenfold.llama.shape import ModelShape

Weights = Mapping[str, NDArray[np.float32]]

NOPE_INTERVAL = 4
WITHOUT_NORM = 128
"""Experts of Maverick, which llama.cpp knows by their count as the model whose queries and keys are not normed."""

_OUTER = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_INNER = {
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "feed_forward.gate_proj.weight": "ffn_gate.weight",
    "feed_forward.up_proj.weight": "ffn_up.weight",
    "feed_forward.down_proj.weight": "ffn_down.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
    "feed_forward.router.weight": "ffn_gate_inp.weight",
    "feed_forward.shared_expert.gate_proj.weight": "ffn_gate_shexp.weight",
    "feed_forward.shared_expert.up_proj.weight": "ffn_up_shexp.weight",
    "feed_forward.shared_expert.down_proj.weight": "ffn_down_shexp.weight",
}
_GATE_UP, _DOWN = "feed_forward.experts.gate_up_proj", "feed_forward.experts.down_proj"


@dataclass(frozen=True, slots=True)
class Named:
    """What a model calls itself in its file. ``context_tokens``: the longest text that it was trained on."""

    name: str
    licence: str
    context_tokens: int


def check_loadable(shape: ModelShape) -> None:
    """See that llama.cpp would read this very model.

    Raises:
        UsageError: it would not; says which size stands against it.
    """
    if shape.vision is not None:
        mmproj.check_readable(shape.vision)
    if shape.is_dense:
        return
    advice = "leave GGUF out with --no-gguf, or train a model with another value"
    if shape.no_rope_layer_interval != NOPE_INTERVAL:
        raise UsageError(
            f"llama.cpp leaves positions out of every {NOPE_INTERVAL}th layer of a Llama 4, not of every "
            f"{shape.no_rope_layer_interval}th (no_rope_layer_interval)",
            next_step=advice,
        )
    if shape.use_qk_norm != (shape.num_local_experts != WITHOUT_NORM):
        raise UsageError(
            f"llama.cpp norms the queries and keys of a Llama 4 unless it has {WITHOUT_NORM} experts; this one has "
            f"{shape.num_local_experts} and use_qk_norm {shape.use_qk_norm}",
            next_step=advice,
        )


def metadata(shape: ModelShape, named: Named, tokens: Tokens) -> dict[str, Value]:
    """What the file says before its tensors."""
    kind = "llama" if shape.is_dense else "llama4"
    found: dict[str, Value] = {
        "general.architecture": kind,
        "general.type": "model",
        "general.name": named.name,
        "general.license": named.licence,
        "general.file_type": 0,
        f"{kind}.vocab_size": shape.vocab_size,
        f"{kind}.block_count": shape.num_hidden_layers,
        f"{kind}.context_length": named.context_tokens,
        f"{kind}.embedding_length": shape.hidden_size,
        f"{kind}.feed_forward_length": shape.intermediate_size_mlp,
        f"{kind}.attention.head_count": shape.num_attention_heads,
        f"{kind}.attention.head_count_kv": shape.num_key_value_heads,
        f"{kind}.attention.key_length": shape.head_dim,
        f"{kind}.attention.value_length": shape.head_dim,
        f"{kind}.attention.layer_norm_rms_epsilon": float(shape.rms_norm_eps),
        f"{kind}.rope.dimension_count": shape.head_dim,
        f"{kind}.rope.freq_base": float(shape.rope_theta),
    }
    if not shape.is_dense:
        found |= {
            "llama4.expert_count": shape.num_local_experts,
            "llama4.expert_used_count": 1,
            "llama4.expert_feed_forward_length": shape.intermediate_size,
            "llama4.interleave_moe_layer_step": shape.interleave_moe_layer_step,
        }
    return found | tokens.metadata(shape.vocab_size)


def tensors(weights: Weights, shape: ModelShape) -> dict[str, NDArray[np.float32]]:
    """The model's weights under llama.cpp's names and in its shapes.

    Experts lie there as (expert, out, in), gate and up apart; a dense model's queries and keys have the channels that
    turn together side by side, where Hugging Face's Llama has them half a head apart.

    Raises:
        UsageError: a weight has a name that llama.cpp knows nothing of.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for name, weight in weights.items():
        if name in _OUTER:
            found[_OUTER[name]] = weight
            continue
        _, _, layer, inner = name.split(".", 3) if name.startswith("model.layers.") else ("", "", "", name)
        block = f"blk.{layer}"
        if inner == _GATE_UP:
            gate, up = np.split(weight, 2, axis=2)
            found[f"{block}.ffn_gate_exps.weight"] = gate.transpose(0, 2, 1)
            found[f"{block}.ffn_up_exps.weight"] = up.transpose(0, 2, 1)
        elif inner == _DOWN:
            found[f"{block}.ffn_down_exps.weight"] = weight.transpose(0, 2, 1)
        elif layer and inner in _INNER:
            heads = _turned_heads(inner, shape)
            found[f"{block}.{_INNER[inner]}"] = paired(weight, heads) if heads else weight
        else:
            raise UsageError(
                f"llama.cpp has no place for the weight {name!r}", next_step="leave GGUF out with --no-gguf"
            )
    return found


def _turned_heads(inner: str, shape: ModelShape) -> int:
    """How many heads a matrix has whose channels turn in another order there; 0: none."""
    if not shape.is_dense:
        return 0
    return {
        "self_attn.q_proj.weight": shape.num_attention_heads,
        "self_attn.k_proj.weight": shape.num_key_value_heads,
    }.get(inner, 0)


def paired(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of each head reordered so that channels half a head apart come to lie side by side."""
    return weight.reshape(heads, 2, -1, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def halved(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """The inverse of ``paired``."""
    return weight.reshape(heads, -1, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def dense_weights(read: Mapping[str, NDArray[np.float32]], shape: ModelShape) -> dict[str, NDArray[np.float32]]:
    """A dense model's weights under our names, of those of a GGUF file of the architecture ``llama``."""
    ours = {there: here for here, there in _OUTER.items()}
    inner = {there: here for here, there in _INNER.items() if not here.startswith("feed_forward.")}
    found = {}
    for name, weight in read.items():
        if name in ours:
            found[ours[name]] = weight
            continue
        _, layer, rest = name.split(".", 2)
        heads = _turned_heads(inner[rest], shape)
        found[f"model.layers.{layer}.{inner[rest]}"] = halved(weight, heads) if heads else weight
    return found


def adapter_tensors(weights: Weights, shape: ModelShape) -> dict[str, NDArray[np.float32]]:
    """The matrices of a LoRA adapter under llama.cpp's names, of ``NAME.lora_A`` and ``NAME.lora_B`` of a dense model.

    What comes out of a query's or key's matrix has its channels in another order there, and so has ``lora_B``.
    """
    found = {}
    for name, weight in weights.items():
        inner, _, which = name.partition(".lora_")
        _, _, layer, place = f"{inner}.weight".split(".", 3)
        heads = _turned_heads(place, shape) if which == "B" else 0
        told = f"blk.{layer}.{_INNER[place]}.lora_{which.lower()}"
        found[told] = paired(weight, heads) if heads else weight
    return found
