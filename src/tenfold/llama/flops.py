"""How many parameters a shape has, and how many floating-point operations training takes: counted, not measured.

A product of (m, k) and (k, n) is 2 m k n operations; the backward takes twice the forward's. Attention is counted over
all positions, as is the custom (Chowdhery et al. 2022, appendix B), though half of them are masked. Norms, softmax, the
router's choice and other steps along an axis are left out: they are below 2% from a width of 128 on.
"""

from dataclasses import dataclass

from tenfold.llama.shape import ModelShape

TRAINING = 3
"""Forward and backward, in forwards."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Counts of weights of matrices and embeddings; norms, some thousandths of them, are left out.

    ``total``: all. ``active``: those that take part in one token's prediction: one routed expert of each mixture.
    ``embedding``: of these, the rows that tokens look up, which multiply nothing; none where the output is tied.
    ``head``: of these, the output matrix.
    """

    total: int
    active: int
    embedding: int
    head: int

    @property
    def without_embeddings(self) -> int:
        """Active parameters of the layers: the N of scaling laws (Kaplan et al. 2020)."""
        return self.active - self.embedding - self.head


def parameters_of(shape: ModelShape) -> Parameters:
    """Count a text model's parameters; what reads images is not among them."""
    width = shape.hidden_size
    head = shape.vocab_size * width
    embedding = 0 if shape.tie_word_embeddings else head
    active = embedding + head + sum(_layer(shape, layer) for layer in range(shape.num_hidden_layers))
    mixtures = sum(map(shape.is_mixture, range(shape.num_hidden_layers)))
    idle = mixtures * max(0, shape.num_local_experts - 1) * 3 * width * shape.intermediate_size
    return Parameters(active + idle, active, embedding, head)


def _layer(shape: ModelShape, layer: int) -> int:
    width = shape.hidden_size
    attention = 2 * width * shape.head_dim * (shape.num_attention_heads + shape.num_key_value_heads)
    if shape.is_mixture(layer):
        return attention + width * shape.num_local_experts + 2 * 3 * width * shape.intermediate_size
    return attention + 3 * width * shape.intermediate_size_mlp


def flops_per_token(shape: ModelShape, sequence_tokens: int) -> float:
    """Floating-point operations of training on one token of a sequence of this length, forward and backward."""
    counted = parameters_of(shape)
    attention = 4 * shape.num_hidden_layers * sequence_tokens * shape.num_attention_heads * shape.head_dim
    return float(TRAINING * (2 * (counted.active - counted.embedding) + attention))
