"""Evenly loaded experts without a loss of its own: a bias per expert, used only to choose (Wang et al. 2024).

After each step the bias of an expert with less than the mean load rises by a rate, that of one with more falls. Hugging
Face's Llama 4 knows no such bias, so before a run ends both the rate and the biases fade to exactly 0
(``Recipe.balance_at``): the network that is released is the one that was trained.

The loads of a step are counts of tokens, and travel in the gradient at the biases' place: sums of whole numbers, exact
in float32.

Letter: E experts.
"""

from torch import Tensor


def move_biases(biases_E: Tensor, loads_E: Tensor, rate: float, share: float, share_before: float) -> None:
    """Move the biases of one mixture in place after a step.

    Args:
        biases_E: one per expert, added to its logit where experts are chosen.
        loads_E: tokens that each had in the step, up to a common factor.
        rate: by how much a bias moves.
        share: how much of balancing is left after the step: 1 until it fades, then down to 0.
        share_before: the same before the step.
    """
    if share <= 0.0:
        biases_E.zero_()
        return
    biases_E.mul_(share / share_before).add_((loads_E.mean() - loads_E).sign(), alpha=rate * share)
    # A common shift changes no choice; without it float32 would lose the differences in a long run.
    biases_E.sub_(biases_E.mean())
