"""Feed-forwards: dense, and a mixture of routed experts beside a shared one.

Shape letters: N tokens, D width, E experts, F hidden width of a feed-forward.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tenfold.llama.kernels import Gated
from tenfold.llama.products import Reordered, multiply_grouped
from tenfold.llama.shape import ModelShape


class FeedForward(nn.Module):
    """SwiGLU feed-forward of a dense layer, and the shared expert of a mixture."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)
        self.by_kernels = False

    def forward(self, x_ND: Tensor) -> Tensor:
        """Transform each token on its own."""
        if self.by_kernels:
            weights = torch.cat((self.gate_proj.weight, self.up_proj.weight))
            return self.down_proj(Gated.apply(functional.linear(x_ND, weights)))
        return self.down_proj(functional.silu(self.gate_proj(x_ND)) * self.up_proj(x_ND))


class Experts(nn.Module):
    """The routed experts' matrices, stacked along E."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        experts, width, hidden = shape.num_local_experts, shape.hidden_size, shape.intermediate_size
        self.gate_up_proj = nn.Parameter(torch.empty(experts, width, 2 * hidden))
        self.down_proj = nn.Parameter(torch.empty(experts, hidden, width))
        self.by_kernels = False

    def forward(self, x_ND: Tensor, counts_E: Tensor) -> Tensor:
        """Apply expert e to its ``counts_E[e]`` rows; the rows come sorted by expert."""
        gate_up_N2F = multiply_grouped(x_ND, self.gate_up_proj, counts_E)
        if self.by_kernels:
            return multiply_grouped(Gated.apply(gate_up_N2F), self.down_proj, counts_E)
        gate_NF, up_NF = gate_up_N2F.chunk(2, dim=-1)
        return multiply_grouped(up_NF * functional.silu(gate_NF), self.down_proj, counts_E)


class Mixture(nn.Module):
    """Top-1 mixture of experts beside a shared expert.

    The sigmoid of the chosen logit scales the expert's input, so the router gets its gradient from the prediction loss.
    ``expert_bias`` is added to the logits to choose, and only for that; its gradient holds the experts' loads.
    """

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.router = nn.Linear(shape.hidden_size, shape.num_local_experts, bias=False)
        self.experts = Experts(shape)
        self.shared_expert = FeedForward(shape.hidden_size, shape.intermediate_size)
        self.expert_bias: nn.Parameter | None = None
        if shape.expert_bias:
            self.expert_bias = nn.Parameter(torch.zeros(shape.num_local_experts), requires_grad=False)

    def forward(self, x_ND: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Transform each token by its expert and the shared one.

        Returns:
            The tokens, shape (N, D); the tokens that each expert had, shape (E,); and the balancing loss: E x sum over
            experts of the share of tokens routed there x the mean router probability, 1 when even (Fedus et al. 2021),
            or 0 where biases balance.
        """
        experts = self.router.out_features
        logits_NE = self.router(x_ND.float())
        biased_NE = logits_NE if self.expert_bias is None else logits_NE + self.expert_bias
        chosen_N = biased_NE.detach().argmax(-1)
        gate_N1 = torch.sigmoid(logits_NE.gather(1, chosen_N[:, None])).type_as(x_ND)
        # Comparison and sum, since what bincount returns has a size that a compiled layer cannot know.
        counts_E = (chosen_N[:, None] == torch.arange(experts, device=x_ND.device)).sum(0)
        balance = logits_NE.new_zeros(())
        if self.expert_bias is None:
            balance = experts * (torch.softmax(logits_NE, dim=-1).mean(0) * (counts_E / chosen_N.numel())).sum()
        order_N = torch.argsort(chosen_N, stable=True)
        inverse_N = torch.argsort(order_N)
        sorted_ND = Reordered.apply(x_ND * gate_N1, order_N, inverse_N)
        routed_ND = Reordered.apply(self.experts(sorted_ND, counts_E), inverse_N, order_N)
        return self.shared_expert(x_ND) + routed_ND, counts_E, balance

    def tell(self, loads_E: Tensor) -> None:
        """Leave the experts' loads where ``balance.py`` finds them: as the gradient of the biases, if there are any."""
        if self.expert_bias is not None:
            self.expert_bias.grad = loads_E.float()
