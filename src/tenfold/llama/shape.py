"""Sizes of the network, and which of its layers does what; names as in Hugging Face's Llama 4 and Llama."""

from typing import Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tenfold.core.frozen import Frozen


class VisionShape(Frozen):
    """Sizes of the part that reads images; names as in Hugging Face's ``Llama4VisionConfig`` where it has them.

    Hugging Face has three more sizes that must equal these: ``intermediate_size`` is both the hidden size of a layer's
    feed-forward and the width after the pixel shuffle, ``projector_input_dim`` and ``vision_output_dim`` are
    ``projector_output_dim``.
    """

    hidden_size: int = Field(64, ge=8)
    num_hidden_layers: int = Field(2, ge=1)
    num_attention_heads: int = Field(4, ge=1)
    num_channels: int = Field(3, ge=1)
    image_size: int = Field(64, ge=2, description="pixels of each side of an image")
    patch_size: int = Field(8, ge=1, description="pixels of each side of a patch")
    pixel_shuffle_ratio: float = Field(0.5, gt=0, le=1, description="1 / ratio squared patches become one token")
    projector_output_dim: int = Field(128, ge=1)
    rope_theta: float = Field(10_000.0, gt=1)
    image_token_index: int = Field(0, ge=0, description="the token that holds a place for a piece of an image")
    image_marks: bool = Field(
        False, description="each image stands between two tokens of its own, as in Llama 4; llama.cpp writes these"
    )

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.image_size % self.patch_size:
            raise ValueError(f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}")
        if self.hidden_size % (4 * self.num_attention_heads):
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of 4 x num_attention_heads "
                f"{self.num_attention_heads}; a head turns pairs of channels by row and by column"
            )
        if 1 / self.pixel_shuffle_ratio % 1 or self.patches_side % self.shuffle:
            raise ValueError(
                f"pixel_shuffle_ratio {self.pixel_shuffle_ratio} does not divide the {self.patches_side} patches of a "
                f"side; set it to 1, or to one part of a whole number that does"
            )
        return self

    @model_serializer(mode="wrap")
    def _as_before_there_were_marks(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Without them it is written as it once was, so that older runs keep their identity."""
        told = handler(self)
        return told if self.image_marks else {key: value for key, value in told.items() if key != "image_marks"}

    @property
    def shuffle(self) -> int:
        """Patches along each side that become one token."""
        return round(1 / self.pixel_shuffle_ratio)

    @property
    def patches_side(self) -> int:
        """Patches along a side of the image."""
        return self.image_size // self.patch_size

    @property
    def image_tokens(self) -> int:
        """Tokens that an image takes in the text."""
        return (self.patches_side // self.shuffle) ** 2

    @property
    def marked_tokens(self) -> int:
        """Tokens that an image takes in the text, with its marks."""
        return self.image_tokens + 2 * self.image_marks

    @property
    def intermediate_size(self) -> int:
        """Hidden size of a layer's feed-forward, and width after the pixel shuffle."""
        return self.hidden_size * self.shuffle**2


class ModelShape(Frozen):
    """Sizes of a Llama-4-like decoder; names as in Hugging Face's ``Llama4TextConfig`` where it has them.

    Without experts it is a Llama as in Hugging Face's ``LlamaForCausalLM``.
    """

    vocab_size: int = Field(4096, ge=257, description="tokens known; 256 bytes and the document separator at least")
    hidden_size: int = Field(192, ge=8)
    num_hidden_layers: int = Field(4, ge=1)
    num_attention_heads: int = Field(6, ge=1)
    num_key_value_heads: int = Field(2, ge=1)
    head_dim: int = Field(32, ge=2)
    intermediate_size_mlp: int = Field(512, ge=1, description="hidden size of the dense layers' feed-forward")
    intermediate_size: int = Field(256, ge=1, description="hidden size of one expert")
    num_local_experts: int = Field(8, ge=0, description="routed experts of a mixture; 0: all layers are dense")
    interleave_moe_layer_step: int = Field(2, ge=1, description="every so many layers the feed-forward is a mixture")
    no_rope_layer_interval: int = Field(
        4, ge=0, description="every so many layers attention has no positions; 0: it has them in all layers"
    )
    use_qk_norm: bool = Field(True, description="queries and keys have unit length where positions turn them")
    rope_theta: float = Field(10_000.0, gt=1)
    rms_norm_eps: float = Field(1e-5, gt=0)
    tie_word_embeddings: bool = Field(False, description="the output matrix is the embedding's")
    expert_bias: bool = Field(
        True, description="experts are kept evenly loaded by a bias each (balance.py), not by a loss of its own"
    )
    vision: VisionShape | None = Field(None, description="of the part that reads images; none: text only")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads {self.num_attention_heads} is not a multiple of "
                f"num_key_value_heads {self.num_key_value_heads}"
            )
        if self.head_dim % 2:
            raise ValueError(f"head_dim {self.head_dim} is odd; rotary positions turn pairs of channels")
        if self.num_local_experts == 1:
            raise ValueError("num_local_experts is 1; a mixture has 2 or more, a dense model 0")
        if self.no_rope_layer_interval == 1:
            raise ValueError("no_rope_layer_interval is 1: no layer would know positions; set 0 (all do), or 2 or more")
        if not self.num_local_experts and (self.use_qk_norm or self.no_rope_layer_interval):
            raise ValueError(
                "a model without experts is a Llama: set use_qk_norm to false and no_rope_layer_interval to 0"
            )
        if self.vision is not None and self.vision.image_token_index >= self.vocab_size:
            raise ValueError(
                f"vision.image_token_index {self.vision.image_token_index} is not below vocab_size {self.vocab_size}"
            )
        return self

    @property
    def is_dense(self) -> bool:
        """Whether it has no experts: then names and the order of rotary channels are those of ``LlamaForCausalLM``."""
        return self.num_local_experts == 0

    def is_mixture(self, layer: int) -> bool:
        """Whether this layer's feed-forward is a mixture of experts (the last of every step, as in Llama 4)."""
        return not self.is_dense and (layer + 1) % self.interleave_moe_layer_step == 0

    def has_rope(self, layer: int) -> bool:
        """Whether this layer's attention turns queries and keys by position (all but every fourth)."""
        return self.no_rope_layer_interval == 0 or (layer + 1) % self.no_rope_layer_interval != 0
