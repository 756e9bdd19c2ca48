"""The price of training, as a plan has it: what one more token of a due run costs the plan (``shadow.py``)."""

from pathlib import Path

from tenfold.core.errors import UsageError
from tenfold.plan.result import RunOutlook, load_plan


class NoPrice(UsageError):
    """A plan does not say what a token of training is worth."""


def token_price_usd(path: Path, run: str | None = None) -> float:
    """USD of the study's start that one more token of a run costs, as ``plan.json`` says.

    Args:
        path: of the plan.
        run: which run; may be left out if the plan has one.
    Raises:
        PlanFileError: the file is missing or is no plan.
        NoPrice: the plan has no such run, no price per token of it, or nothing that a token would cost.
    """
    found = _run(path, run)
    price = found.price_usd_per_token
    if price is None:
        raise NoPrice(
            f"{path} has no price per token of the run {found.run!r}: its study gives it no tokens",
            next_step=f"give runs.{found.run}.tokens in the study and solve it again",
        )
    if price <= 0:
        raise NoPrice(
            f"a token of the run {found.run!r} costs nothing more in {path}: accelerators would stand idle without it",
            next_step="keep value_per_unit_usd",
        )
    return price


def _run(path: Path, name: str | None) -> RunOutlook:
    runs = {found.run: found for found in load_plan(path).runs}
    if not runs:
        raise NoPrice(
            f"{path} has no training run, so no price of training",
            next_step="give the study a run with a due date (runs, in docs/plan.md) and solve it again",
        )
    if name is None and len(runs) > 1:
        raise NoPrice(f"{path} has several runs: {', '.join(runs)}", next_step="name one by price_run")
    if name is not None and name not in runs:
        raise NoPrice(
            f"{path} has no run {name!r}; it has {', '.join(runs)}", next_step="name one of them by price_run"
        )
    return runs[name] if name else next(iter(runs.values()))
