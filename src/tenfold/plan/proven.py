"""What a proven bound promises: no plan costs less, and a plan of a study with something denied is a plan of the study.

A cost below it says that one of the two models, or the solver, is wrong. It is never rounded away.
"""

from tenfold.core.errors import TenfoldError

TOLERANCE = 1e-5
"""Share of the cost by which sums of a solver's own tolerances may pass a bound."""


class BelowBound(TenfoldError):
    """A cost lies below what was proven to be the least."""


def require_not_below(bound_usd: float, cost_usd: float, what: str) -> None:
    """Check that a cost is not below a bound that is proven for it.

    Args:
        bound_usd: what nothing can cost less than.
        cost_usd: the cost; infinite where there is no plan.
        what: whose cost it is, for the message.
    Raises:
        BelowBound: it is, by more than a solver's tolerances.
    """
    if cost_usd < bound_usd - TOLERANCE * max(abs(bound_usd), abs(cost_usd)):
        raise BelowBound(
            f"{what} costs {cost_usd:,.2f} USD, less than the {bound_usd:,.2f} USD that nothing can cost less than: "
            "the planner's model is wrong",
            next_step="report it with the study; 'tenfold plan solve --no-worth' makes the plan alone",
        )
