"""How ``tenfold ladder`` prints: tables for people, JSON for machines."""

from dataclasses import asdict

from tenfold.core.show import grid, machine, out
from tenfold.llama.ladder.forecast import Forecast
from tenfold.llama.ladder.frontier import frontier
from tenfold.llama.ladder.law import Law
from tenfold.llama.ladder.prediction import Outcome, Prediction
from tenfold.llama.ladder.runs_table import RunsTable
from tenfold.llama.ladder.vpnls import Fit
from tenfold.page.figures import amount, usd


def law_record(law: Law) -> dict[str, float]:
    """A law as papers print it."""
    a, b = law.plain_factors
    return {
        "E": law.floor,
        "A": a,
        "B": b,
        "alpha": law.size_exponent,
        "beta": law.data_exponent,
        "compute_exponent": law.compute_exponent,
    }


def fit(runs: RunsTable, found: Fit, huber: Law, json: bool) -> None:
    """Print a fit and its cross-check, and the frontier that it goes through."""
    edge = frontier(runs)
    if json:
        machine(
            {
                "runs": len(runs),
                "used": int(found.used_R.sum()),
                "residual": found.residual,
                "vpnls": law_record(found.law),
                "huber": law_record(huber),
                "frontier": [
                    {"flops": float(flops), "loss": float(loss), "fitted": found.best(float(flops)).loss}
                    for flops, loss in zip(edge.flops_F, edge.loss_F, strict=True)
                ],
            }
        )
        return
    table = grid("L = E + A/N^alpha + B/D^beta", "E", "A", "B", "alpha", "beta", words=1)
    for name, law in (("VPNLS, prior of other families", found.law), ("Huber, no prior (cross-check)", huber)):
        a, b = law.plain_factors
        table.add_row(
            name, f"{law.floor:.4g}", f"{a:.4g}", f"{b:.4g}", f"{law.size_exponent:.3f}", f"{law.data_exponent:.3f}"
        )
    out.print(table)
    used = int(found.used_R.sum())
    out.print(
        f"{len(runs)} runs, {used} within 5% of the best of their compute; misses them by {found.residual:.2%}",
        markup=False,
    )
    rows = grid("budget, FLOPs", "best loss", "fitted", "best params", "best tokens", words=0)
    for flops, loss in zip(edge.flops_F, edge.loss_F, strict=True):
        best = found.best(float(flops))
        rows.add_row(f"{flops:.3g}", f"{loss:.4f}", f"{best.loss:.4f}", amount(best.params), amount(best.tokens))
    out.print(rows)


def prediction(told: Prediction, found: Forecast, path: str, json: bool) -> None:
    """Print a prediction, and where it is kept."""
    if json:
        machine({**told.model_dump(mode="json"), "path": path, "origins": [asdict(each) for each in found.origins]})
        return
    out.print(f"run {told.name!r}: {told.flops:.3g} FLOPs, {told.times:.3g} times the largest of {told.runs} runs")
    table = grid("what", "predicted", "interval", words=1)
    table.add_row("loss", f"{told.loss:.4f}", f"{told.low:.4f} to {told.high:.4f} (95%)")
    table.add_row("loss by the Huber fit", f"{told.cross_check:.4f}", "")
    table.add_row("lowest loss so far", f"{told.best_so_far:.4f}", "")
    table.add_row("parameters, without embeddings", amount(told.params), "")
    table.add_row("tokens", amount(told.tokens), "")
    table.add_row("learning rate to start from", f"{told.learning_rate:.3g}", "")
    table.add_row("tokens a step to start from", amount(told.batch_tokens), "")
    low, mid, high = told.accelerator_hours
    table.add_row(f"hours on {told.accelerator}", amount(mid), f"{amount(low)} to {amount(high)} (80%)")
    if told.usd is not None:
        low, mid, high = told.usd
        table.add_row("cost", usd(mid), f"{usd(low)} to {usd(high)} (80%)")
    table.add_row("different tokens wanted", amount(told.unique_tokens), "so that none is seen more than 4 times")
    repeats = "none is owned: --owned-tokens" if told.repeats is None else f"each seen {told.repeats:.2g} times"
    table.add_row("different tokens owned", amount(told.owned_tokens), repeats)
    table.add_row("storage of text and tokens, GB", amount(told.storage_gb), "")
    out.print(table)
    for reason in told.reasons:
        out.print(f"wide: {reason}", markup=False)
    for origin in found.origins:
        out.print(
            f"past: {origin.flops:.3g} FLOPs from {origin.from_flops:.3g}: {origin.predicted:.4f}, "
            f"was {origin.observed:.4f}",
            style="dim",
            markup=False,
        )
    out.print(f"registered in {path}, seal {told.sha256[:12]}", markup=False)


def outcome(told: Prediction, scored: Outcome, json: bool) -> None:
    """Print how a run came out against its prediction."""
    if json:
        machine({"name": told.name, **scored.model_dump(mode="json")})
        return
    place = {"inside": "inside", "better": "below", "worse": "above"}[scored.verdict]
    out.print(
        f"{told.name!r}: predicted {scored.predicted:.4f} on {told.made_at}, reached {scored.observed:.4f}: "
        f"{scored.error:+.2%}, {place} the interval {scored.low:.4f} to {scored.high:.4f}",
        markup=False,
    )
    out.print(
        f"the miss is {abs(scored.share_of_gain):.1%} of what the compute took off the best loss before it",
        markup=False,
    )
