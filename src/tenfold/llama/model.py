"""A small Llama-4-like decoder: interleaved dense and mixture-of-experts layers, top-1 routing, shared expert.

Architecture as in Llama 4 (Meta, 2025) and parameter names as in Hugging Face's ``Llama4ForCausalLM``, so that weights
load both ways: rotary positions in all but every fourth layer, query-key norm where positions turn, a sigmoid gate that
scales the routed expert's input, SwiGLU, RMSNorm, untied output matrix. Without experts it is a Llama with the names of
``LlamaForCausalLM``. Llama 4's scaling of queries by position and its attention in chunks begin at 8,192 positions, and
are not here.

Shape letters: B sequences, T positions, N = B x T tokens, D width, V vocabulary.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.llama.attention import Attention, Positions, RMSNorm
from tenfold.llama.experts import FeedForward, Mixture
from tenfold.llama.shape import ModelShape

INITIAL_DEVIATION = 0.02


class Layer(nn.Module):
    """One decoder layer: attention, then a dense or mixture feed-forward."""

    def __init__(self, shape: ModelShape, index: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.self_attn = Attention(shape, rope=shape.has_rope(index))
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.dense_name = "mlp" if shape.is_dense else "feed_forward"
        if shape.is_mixture(index):
            self.feed_forward = Mixture(shape)
        else:
            self.add_module(self.dense_name, FeedForward(shape.hidden_size, shape.intermediate_size_mlp))

    def forward(self, x_BTD: Tensor, positions: Positions) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the layer's output, shape (B, T, D), and of a mixture its experts' loads and balancing loss."""
        x_BTD = x_BTD + self.self_attn(self.input_layernorm(x_BTD), positions)
        normed_ND = self.post_attention_layernorm(x_BTD).flatten(0, 1)
        feed_forward, loads_E, balance = getattr(self, self.dense_name), None, None
        if isinstance(feed_forward, Mixture):
            out_ND, loads_E, balance = feed_forward(normed_ND)
        else:
            out_ND = feed_forward(normed_ND)
        return x_BTD + out_ND.view_as(x_BTD), loads_E, balance


class Decoder(nn.Module):
    """Embedding, layers and final norm: ``model.*`` of the checkpoint."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape, index) for index in range(shape.num_hidden_layers))
        self.norm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)

    def ordered(self) -> list[Layer]:
        """The layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]


class LlamaForCausalLM(nn.Module):
    """The whole model: tokens in, logits or loss out."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Decoder(shape)
        self.lm_head = nn.Linear(shape.hidden_size, shape.vocab_size, bias=False)
        if shape.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def initialise(self, seed: int) -> None:
        """Draw the matrices from a normal distribution, those that write to the residual stream scaled by depth."""
        generator = torch.Generator().manual_seed(seed)
        residual = INITIAL_DEVIATION / (2 * self.shape.num_hidden_layers) ** 0.5
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.dim() == 1:
                    parameter.fill_(0.0 if name.endswith("expert_bias") else 1.0)
                else:
                    writes = name.endswith(("o_proj.weight", "down_proj.weight", "down_proj"))
                    parameter.normal_(0.0, residual if writes else INITIAL_DEVIATION, generator=generator)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """Return the logits of each next token, shape (B, T, V)."""
        return self._read_out(self._hidden(tokens_BT)[0])

    def losses(self, window_BT: Tensor, weights_BT: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Predict each next token of a window of (B, T + 1) tokens.

        The loads of experts with biases are left as the biases' gradients.

        Args:
            window_BT: the tokens.
            weights_BT: weight of each prediction, shape (B, T); none: all count alike.

        Returns:
            The mean cross entropy in nats, and the mean balancing loss of mixtures without biases, or else 0.
        """
        x_BTD, balance = self._hidden(window_BT[:, :-1])
        logits_NV = self._read_out(x_BTD).flatten(0, 1).float()
        loss_N = functional.cross_entropy(logits_NV, window_BT[:, 1:].flatten(), reduction="none")
        if weights_BT is None:
            return loss_N.mean(), balance
        return (loss_N * weights_BT.flatten()).sum() / weights_BT.sum(), balance

    def _hidden(self, tokens_BT: Tensor) -> tuple[Tensor, Tensor]:
        """What the output matrix reads, shape (B, T, D), and the mean balancing loss."""
        positions = Positions.of(tokens_BT.shape[1], self.shape, tokens_BT.device)
        layers = self.model.ordered()
        x_BTD = self.model.embed_tokens(tokens_BT).to(layers[0].self_attn.q_proj.weight.dtype)
        balances = []
        for layer in layers:
            x_BTD, loads_E, balance = layer(x_BTD, positions)
            if loads_E is not None and isinstance(layer.feed_forward, Mixture):
                balances.append(balance)
                layer.feed_forward.tell(loads_E)
        balance = torch.stack(balances).mean() if balances else x_BTD.new_zeros((), dtype=torch.float32)
        return self.model.norm(x_BTD), balance

    def _read_out(self, x_BTD: Tensor) -> Tensor:
        return functional.linear(x_BTD, self.lm_head.weight.to(x_BTD.dtype))
