"""What runs reached at a budget, against which the ladder's bench and its tests hold a prediction."""

from tenfold.llama.ladder.frontier import SAME_BUDGET
from tenfold.llama.ladder.runs_table import RunsTable


def best_at(runs: RunsTable, flops: float) -> float:
    """Lowest loss of the runs of a budget; of those nearest to it, if none is within ``SAME_BUDGET``.

    Raises:
        LookupError: no run is within a third of it.
    """
    for reach in (SAME_BUDGET, 1.1, 1.33):
        at_R = (runs.flops_R <= flops * reach) & (runs.flops_R >= flops / reach)
        if at_R.any():
            return float(runs.loss_R[at_R].min())
    raise LookupError(f"no run has {flops:.3g} FLOPs, nor within a third of it")
