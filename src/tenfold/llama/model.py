"""A small Llama-4-like decoder: interleaved dense and mixture-of-experts layers, top-1 routing, shared expert.

Architecture as in Llama 4 (Meta, 2025) and parameter names as in Hugging Face's ``Llama4ForCausalLM``, so that weights
load both ways: rotary positions in all but every fourth layer, query-key norm where positions turn, a sigmoid gate that
scales the routed expert's input, SwiGLU, RMSNorm, untied output matrix. Written as plain eager torch: tokens are sorted
by expert and each expert multiplies its own slice once.

Shape letters: B sequences, T positions, N = B x T tokens, D width, H query heads, K key-value heads, S = T x H / K,
C channels of a head, E experts, F hidden width of a feed-forward, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.llama.recipe import ModelShape

INITIAL_DEVIATION = 0.02

ROWS_MULTIPLE = 32
"""Of an expert's rows. oneDNN compiles and keeps a kernel for each shape that it meets; with any count of rows a worker
grew from 0.5 to 1.4 GB and was a tenth slower."""


@dataclass(frozen=True, slots=True)
class Positions:
    """What attention knows of T positions.

    ``cos_TC``, ``sin_TC``: rotation of each pair of channels, shape (T, C / 2).
    ``future_TT``: 0 where position t may look at position s, minus infinity where s > t.
    """

    cos_TC: Tensor
    sin_TC: Tensor
    future_TT: Tensor


class RMSNorm(nn.Module):
    """Root-mean-square norm with a learned scale."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Normalise along the last axis."""
        return functional.rms_norm(x_BTD, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):
    """Causal grouped-query attention; with rotary positions and query-key norm, or with neither (NoPE)."""

    def __init__(self, shape: ModelShape, *, rope: bool) -> None:
        super().__init__()
        self.shape, self.rope = shape, rope
        query, key = shape.num_attention_heads * shape.head_dim, shape.num_key_value_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden_size, query, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, key, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, key, bias=False)
        self.o_proj = nn.Linear(query, shape.hidden_size, bias=False)

    def forward(self, x_BTD: Tensor, positions: Positions) -> Tensor:
        """Mix each position with those before it."""
        b, t, _ = x_BTD.shape
        shape = self.shape
        q_BHTC = self.q_proj(x_BTD).view(b, t, shape.num_attention_heads, shape.head_dim).transpose(1, 2)
        k_BKTC = self.k_proj(x_BTD).view(b, t, shape.num_key_value_heads, shape.head_dim).transpose(1, 2)
        v_BKTC = self.v_proj(x_BTD).view(b, t, shape.num_key_value_heads, shape.head_dim).transpose(1, 2)
        if self.rope:
            q_BHTC = _unit_rms(_turn(q_BHTC, positions), shape.rms_norm_eps).to(v_BKTC.dtype)
            k_BKTC = _unit_rms(_turn(k_BKTC, positions), shape.rms_norm_eps).to(v_BKTC.dtype)
        mixed_BHTC = self._mix(q_BHTC, k_BKTC, v_BKTC, positions.future_TT)
        return self.o_proj(mixed_BHTC.transpose(1, 2).reshape(b, t, -1))

    def _mix(self, q_BHTC: Tensor, k_BKTC: Tensor, v_BKTC: Tensor, future_TT: Tensor) -> Tensor:
        """Weigh the values of earlier positions by softmax of the scaled scores.

        Two products: the bfloat16 backward of torch's fused attention is 1.8 times slower on CPU at T = 256. Autocast
        would do the softmax in float32, which copies the scores twice; torch's bfloat16 softmax sums in float32 anyway.
        """
        b, h, t, c = q_BHTC.shape
        groups = b * k_BKTC.shape[1]
        with torch.autocast("cpu", enabled=False):
            q_GSC = q_BHTC.reshape(groups, -1, c) * c**-0.5
            scores_GSTT = (q_GSC @ k_BKTC.reshape(groups, t, c).mT).view(groups, -1, t, t)
            shares_GSTT = torch.softmax(scores_GSTT + future_TT.to(q_GSC.dtype), dim=-1)
            return (shares_GSTT.view(groups, -1, t) @ v_BKTC.reshape(groups, t, c)).view(b, h, t, c)


def _turn(x_BHTC: Tensor, positions: Positions) -> Tensor:
    """Rotate neighbouring pairs of channels by their position's angle (Su et al. 2021; pairs interleaved)."""
    pairs = x_BHTC.unflatten(-1, (-1, 2))
    even, odd = pairs[..., 0], pairs[..., 1]
    cos_TC, sin_TC = positions.cos_TC, positions.sin_TC
    return torch.stack((even * cos_TC - odd * sin_TC, even * sin_TC + odd * cos_TC), dim=-1).flatten(-2)


def _unit_rms(x: Tensor, eps: float) -> Tensor:
    return functional.rms_norm(x, x.shape[-1:], None, eps)


class FeedForward(nn.Module):
    """SwiGLU feed-forward of a dense layer, and the shared expert of a mixture."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x_ND: Tensor) -> Tensor:
        """Transform each token on its own."""
        return self.down_proj(functional.silu(self.gate_proj(x_ND)) * self.up_proj(x_ND))


class Experts(nn.Module):
    """The routed experts' matrices, stacked along E."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        experts, width, hidden = shape.num_local_experts, shape.hidden_size, shape.intermediate_size
        self.gate_up_proj = nn.Parameter(torch.empty(experts, width, 2 * hidden))
        self.down_proj = nn.Parameter(torch.empty(experts, hidden, width))

    def forward(self, x_ND: Tensor, counts_E: list[int]) -> Tensor:
        """Apply expert e to its ``counts_E[e]`` rows; the rows come sorted by expert.

        ``unbind`` rather than indexing: its backward stacks the experts' gradients once, where each index would fill
        a zero tensor of all experts. Rows are padded with zeros to a multiple of ``ROWS_MULTIPLE``.
        """
        outputs = []
        experts = zip(self.gate_up_proj.unbind(0), self.down_proj.unbind(0), x_ND.split(counts_E), strict=True)
        for gate_up_DF, down_FD, rows_ND in experts:
            padded_ND = functional.pad(rows_ND, (0, 0, 0, -len(rows_ND) % ROWS_MULTIPLE))
            gate_NF, up_NF = (padded_ND @ gate_up_DF).chunk(2, dim=-1)
            outputs.append(((up_NF * functional.silu(gate_NF)) @ down_FD)[: len(rows_ND)])
        return torch.cat(outputs)


class Mixture(nn.Module):
    """Top-1 mixture of experts beside a shared expert.

    The sigmoid of the chosen logit scales the expert's input, so the router gets its gradient from the prediction
    loss as well as from the balancing loss.
    """

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.router = nn.Linear(shape.hidden_size, shape.num_local_experts, bias=False)
        self.experts = Experts(shape)
        self.shared_expert = FeedForward(shape.hidden_size, shape.intermediate_size)

    def forward(self, x_ND: Tensor) -> tuple[Tensor, Tensor]:
        """Transform each token by its expert and the shared one.

        Returns:
            The tokens, shape (N, D), and the balancing loss: E x sum over experts of the share of tokens routed there
            x the mean router probability, 1 when even (Fedus et al. 2021).
        """
        experts = self.router.out_features
        with torch.autocast("cpu", enabled=False):
            logits_NE = self.router(x_ND.float())
            best_N1, chosen_N1 = logits_NE.max(dim=-1, keepdim=True)
            gate_N1 = torch.sigmoid(best_N1)
        chosen_N = chosen_N1.squeeze(-1)
        counts_E = torch.bincount(chosen_N, minlength=experts)
        balance = experts * (torch.softmax(logits_NE, dim=-1).mean(0) * (counts_E / chosen_N.numel())).sum()
        order_N = torch.argsort(chosen_N, stable=True)
        routed_ND = self.experts((x_ND * gate_N1)[order_N], counts_E.tolist())
        return self.shared_expert(x_ND) + routed_ND[torch.argsort(order_N)], balance


class Layer(nn.Module):
    """One decoder layer: attention, then a dense or mixture feed-forward."""

    def __init__(self, shape: ModelShape, index: int) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.self_attn = Attention(shape, rope=shape.has_rope(index))
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.feed_forward: Mixture | FeedForward = (
            Mixture(shape) if shape.is_mixture(index) else FeedForward(shape.hidden_size, shape.intermediate_size_mlp)
        )

    def forward(self, x_BTD: Tensor, positions: Positions) -> tuple[Tensor, Tensor | None]:
        """Return the layer's output, shape (B, T, D), and its balancing loss if it is a mixture."""
        x_BTD = x_BTD + self.self_attn(self.input_layernorm(x_BTD), positions)
        normed_ND = self.post_attention_layernorm(x_BTD).flatten(0, 1)
        if isinstance(self.feed_forward, Mixture):
            out_ND, balance = self.feed_forward(normed_ND)
        else:
            out_ND, balance = self.feed_forward(normed_ND), None
        return x_BTD + out_ND.view_as(x_BTD), balance


class Decoder(nn.Module):
    """Embedding, layers and final norm: ``model.*`` of the checkpoint."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape, index) for index in range(shape.num_hidden_layers))
        self.norm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)


class LlamaForCausalLM(nn.Module):
    """The whole model: tokens in, logits or loss out."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Decoder(shape)
        self.lm_head = nn.Linear(shape.hidden_size, shape.vocab_size, bias=False)

    def initialise(self, seed: int) -> None:
        """Draw the matrices from a normal distribution, those that write to the residual stream scaled by depth."""
        generator = torch.Generator().manual_seed(seed)
        residual = INITIAL_DEVIATION / (2 * self.shape.num_hidden_layers) ** 0.5
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.dim() == 1:
                    parameter.fill_(1.0)
                else:
                    writes = name.endswith(("o_proj.weight", "down_proj.weight", "down_proj"))
                    parameter.normal_(0.0, residual if writes else INITIAL_DEVIATION, generator=generator)

    def forward(self, tokens_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of each next token, shape (B, T, V), and the mean balancing loss of the mixtures."""
        positions = _positions(tokens_BT.shape[1], self.shape)
        x_BTD = self.model.embed_tokens(tokens_BT)
        balances = []
        for layer in self.model.layers:
            x_BTD, balance = layer(x_BTD, positions)
            if balance is not None:
                balances.append(balance)
        balance = torch.stack(balances).mean() if balances else x_BTD.new_ones(())
        return self.lm_head(self.model.norm(x_BTD)), balance

    def losses(self, window_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean cross entropy in nats of predicting each next token of (B, T + 1), and the balancing loss."""
        logits_BTV, balance = self(window_BT[:, :-1])
        targets_N = window_BT[:, 1:].flatten()
        return functional.cross_entropy(logits_BTV.flatten(0, 1).float(), targets_N), balance


def _positions(count: int, shape: ModelShape) -> Positions:
    channels = torch.arange(0, shape.head_dim, 2, dtype=torch.float32)
    angles_TC = torch.outer(torch.arange(count), shape.rope_theta ** (-channels / shape.head_dim))
    return Positions(angles_TC.cos(), angles_TC.sin(), torch.full((count, count), float("-inf")).triu(1))
