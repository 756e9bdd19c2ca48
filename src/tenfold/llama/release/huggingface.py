"""``config.json`` and its like: the model as transformers makes it again.

Keys as in transformers 5's ``Llama4Config``, ``Llama4TextConfig``, ``Llama4VisionConfig`` and ``LlamaConfig``.
"""

from tenfold.core.errors import UsageError
from tenfold.llama.data.tokenizer import IMAGE_MARKS
from tenfold.llama.release.tokens import Tokens
from tenfold.llama.shape import ModelShape, VisionShape

Table = dict[str, object]


def config(shape: ModelShape, context_tokens: int, tokens: Tokens) -> Table:
    """``config.json``; ``context_tokens``: the longest text that it was trained on.

    Raises:
        UsageError: transformers has no such model.
    """
    ends: Table = {"bos_token_id": tokens.separator, "eos_token_id": tokens.separator, "dtype": "float32"}
    if shape.is_dense and shape.vision is not None:
        raise UsageError(
            "Hugging Face has no Llama without experts that reads images",
            next_step="train a model with num_local_experts of 2 or more",
        )
    if shape.is_dense:
        return {"architectures": ["LlamaForCausalLM"], **_dense(shape, context_tokens), **ends}
    text = {**_text(shape, context_tokens), **ends}
    if shape.vision is None:
        return {"architectures": ["Llama4ForCausalLM"], **text}
    return {
        "architectures": ["Llama4ForConditionalGeneration"],
        "model_type": "llama4",
        "text_config": text,
        "vision_config": _vision(shape.vision),
        "image_token_index": shape.vision.image_token_index,
        **_marks(shape.vision, tokens),
        "tie_word_embeddings": shape.tie_word_embeddings,
        **ends,
    }


def _marks(vision: VisionShape, tokens: Tokens) -> Table:
    if not vision.image_marks:
        return {}
    keys = ("boi_token_index", "eoi_token_index")
    return {key: tokens.number_of(name) for key, name in zip(keys, IMAGE_MARKS, strict=True)}


def generation_config(separator: int) -> Table:
    """``generation_config.json``: where a text ends."""
    return {"bos_token_id": separator, "eos_token_id": separator}


def _sizes(shape: ModelShape, context_tokens: int) -> Table:
    return {
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_attention_heads": shape.num_attention_heads,
        "num_key_value_heads": shape.num_key_value_heads,
        "head_dim": shape.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": context_tokens,
        "rms_norm_eps": shape.rms_norm_eps,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "tie_word_embeddings": shape.tie_word_embeddings,
    }


def _dense(shape: ModelShape, context_tokens: int) -> Table:
    return {
        "model_type": "llama",
        **_sizes(shape, context_tokens),
        "intermediate_size": shape.intermediate_size_mlp,
        "attention_bias": False,
        "mlp_bias": False,
    }


def _text(shape: ModelShape, context_tokens: int) -> Table:
    layers = range(shape.num_hidden_layers)
    return {
        "model_type": "llama4_text",
        **_sizes(shape, context_tokens),
        "intermediate_size_mlp": shape.intermediate_size_mlp,
        "intermediate_size": shape.intermediate_size,
        "num_local_experts": shape.num_local_experts,
        "num_experts_per_tok": 1,
        "interleave_moe_layer_step": shape.interleave_moe_layer_step,
        "moe_layers": [layer for layer in layers if shape.is_mixture(layer)],
        "no_rope_layers": [int(shape.has_rope(layer)) for layer in layers],
        "no_rope_layer_interval": shape.no_rope_layer_interval or shape.num_hidden_layers + 1,
        "use_qk_norm": shape.use_qk_norm,
        # Attention sees the whole text, as it did in training.
        "attention_chunk_size": None,
        "attn_temperature_tuning": False,
        "attention_bias": False,
    }


def _vision(vision: VisionShape) -> Table:
    return {
        "model_type": "llama4_vision_model",
        "hidden_size": vision.hidden_size,
        "hidden_act": "gelu",
        "num_hidden_layers": vision.num_hidden_layers,
        "num_attention_heads": vision.num_attention_heads,
        "num_channels": vision.num_channels,
        "image_size": vision.image_size,
        "patch_size": vision.patch_size,
        "pixel_shuffle_ratio": vision.pixel_shuffle_ratio,
        "intermediate_size": vision.intermediate_size,
        "projector_input_dim": vision.projector_output_dim,
        "projector_output_dim": vision.projector_output_dim,
        "vision_output_dim": vision.projector_output_dim,
        "rope_theta": vision.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": vision.rope_theta},
    }
