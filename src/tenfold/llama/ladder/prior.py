"""What other families of runs say before the runs at hand do.

Chosen on four families (Chinchilla, Marin's three corpora, the runs of "(Mis)fitting", a sweep of tiny models), each
judged by constants from the other three; bench/ladder.py prints the figures, bench/ladder_sets has the runs. Families
that were held out had no part in it.

- The loss that no compute takes off cannot be seen in runs that span one or two decades: left free it is too high, and
  so are the predictions (by 2.4% on average). As a share of the lowest loss seen it hardly differs between families.
- Given that share, the best loss falls along compute at nearly one rate everywhere: a tenfold takes off 12%.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FamilyPrior:
    """The prior, and the constants of the fit that go with it."""

    floor_share: float = 0.64
    """E over the lowest loss seen."""
    floor_share_sd: float = 0.05
    """Its standard deviation over families; widens intervals."""
    slope: float = 0.054
    """Fall of the logarithm of the best loss per unit of the logarithm of compute, at the lowest loss seen."""
    slope_log_sd: float = 0.3
    exponents_log_ratio_sd: float = 0.2
    """How far alpha and beta lie apart, in logs."""
    noise: float = 0.005
    """Relative error of a run's loss and of the law together; sets how much the runs weigh against the prior."""
    law_log_sd: float = 0.01
    """Error of the law per tenfold of compute, relative, that no run shows."""
    excess: float = 0.05
    """Runs further above the best of their compute are left out, as a share of it."""
    compute_power: float = 1.5
    """Runs weigh by their FLOPs to this power."""
    allocation_excess: float = 0.02
    """Runs this near the best say which tokens per parameter the best run may have,"""
    allocation_factor: float = 2.0
    """within this factor."""


FAMILY_PRIOR = FamilyPrior()
