"""How well ten times the compute is foreseen: on public sets, and on runs of our own.

    python bench/ladder.py                                  # public sets, own runs, a ladder of minutes, captions
    python bench/ladder.py --without-training               # all but the ladder of minutes and the captions
    python bench/ladder.py --runs runs.csv --budget 1e21    # anyone's: fits all up to a tenth, predicts the best loss

The last line is JSON ``{"predicted", "low", "high", "observed", "error"}``: error relative to the observed loss, low
and high of the 95% interval; without ``--runs`` it is the worst of the own ten-times runs.
"""

import argparse
import itertools
import json
import math
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

import captions
from observed import best_at
from tenfold.core.errors import UsageError
from tenfold.core.paths import cache_dir
from tenfold.llama.data.index import TextSource, read_index
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.ladder.climb import climb, reach_here
from tenfold.llama.ladder.forecast import forecast
from tenfold.llama.ladder.frontier import SAME_BUDGET, frontier
from tenfold.llama.ladder.huber import fit_huber
from tenfold.llama.ladder.library import prediction_path, runs_path, write_outcome
from tenfold.llama.ladder.predicting import Asked, make
from tenfold.llama.ladder.prediction import load_prediction, outcome_of, register
from tenfold.llama.ladder.prior import FAMILY_PRIOR, FamilyPrior
from tenfold.llama.ladder.rungs import rungs_of, target_of
from tenfold.llama.ladder.runs_table import RunsTable, load_runs, parse_runs, sha256_of_runs, shown, text_of_runs
from tenfold.llama.ladder.vpnls import fit_vpnls

HERE = Path(__file__).parent
SETS = HERE / "ladder_sets"
OWN = HERE / "ladder_runs"
FAMILIES = {
    "chinchilla": ("chinchilla",),
    "marin": ("marin_comma", "marin_dclm", "marin_nemotron"),
    "misfitting": ("misfitting",),
    "sweep": ("sweep_edu",),
}
"""Families that constants were chosen on."""
HELD_OUT = ("llama3", "openeurollm", "cerebras", "greek")
TENTH = 10.0
SMALL_BUDGETS = (8e10, 1.6e11, 3.2e11)
SMALL_SIZES = 2
VOCABULARY = 1024
LEAST_BUDGETS = 3


def cases(runs: RunsTable) -> list[tuple[float, float, RunsTable]]:
    """Budgets whose best run beats all cheaper ones, each with its loss and the runs of a tenth of it and less."""
    edge = frontier(runs)
    found = []
    for flops, loss in zip(edge.flops_F, edge.loss_F, strict=True):
        smaller = runs.up_to(float(flops) / TENTH)
        if len(smaller) > LEAST_BUDGETS and len(frontier(smaller).flops_F) >= LEAST_BUDGETS:
            found.append((float(flops), float(loss), smaller))
    return found


def point_errors(name: str, prior: FamilyPrior = FAMILY_PRIOR) -> np.ndarray:
    """Relative errors of the point predictions of a set's cases."""
    return np.array(
        [fit_vpnls(small, prior).best(flops).loss / loss - 1 for flops, loss, small in cases(load_set(name))]
    )


def load_set(name: str) -> RunsTable:
    """A public set."""
    return load_runs(SETS / f"{name}.csv")


def leave_one_out() -> None:
    """Choose the prior's constants on three families, judge the fourth."""
    candidates = [
        replace(FAMILY_PRIOR, floor_share=share, slope=slope, compute_power=power)
        for share, slope, power in itertools.product((0.60, 0.64, 0.68), (0.050, 0.054, 0.058), (1.0, 1.5))
    ]
    table = [
        {name: float(np.abs(point_errors(name, prior)).mean()) for names in FAMILIES.values() for name in names}
        for prior in candidates
    ]
    print("constants chosen on three families, judged on the fourth (mean error by set):")
    total = []
    for family, names in FAMILIES.items():
        others = [other for other in FAMILIES if other != family]
        best = min(range(len(table)), key=lambda place: sum(_mean(table[place], FAMILIES[o]) for o in others))
        chosen = candidates[best]
        for name in names:
            total.append(table[best][name])
            print(
                f"  {name:16s} {table[best][name]:6.2%}   "
                f"floor {chosen.floor_share:g} x lowest, slope {chosen.slope:g}, power {chosen.compute_power:g}"
            )
    print(f"  mean by set      {np.mean(total):6.2%}")


def _mean(errors: Mapping[str, float], names: Iterable[str]) -> float:
    return float(np.mean([errors[name] for name in names]))


def held_out(names: Iterable[str], title: str) -> None:
    """Errors and coverage with the constants as shipped."""
    print(f"{title}: error, bias, share inside the 95% interval, median half-width")
    errors, covers = [], []
    for name in names:
        miss, inside, width = [], [], []
        for flops, loss, small in cases(load_set(name)):
            found = forecast(small, flops)
            miss.append(found.best.loss / loss - 1)
            inside.append(found.low <= loss <= found.high)
            width.append(math.sqrt(found.high / found.low) - 1)
        errors.append(np.abs(miss).mean())
        covers.append(np.mean(inside))
        print(
            f"  {name:16s} {errors[-1]:6.2%} {np.mean(miss):+7.2%}   {sum(inside):2d} of {len(inside):2d}   "
            f"{np.median(width):6.2%}"
        )
    print(f"  mean by set      {np.mean(errors):6.2%}             {np.mean(covers):.0%}")


def other_fits() -> None:
    """Fits of the notes and of papers, where their points can be had."""
    runs = load_set("chinchilla")
    law = fit_huber(runs)
    a, b = law.plain_factors
    print("Chinchilla's points, Huber-LSE, all five free (Besiroglu et al. on 240 points: 1.82 482 2085 .348 .366):")
    print(f"  {len(runs)} points here: E {law.floor:.3f} A {a:.0f} B {b:.0f} alpha {law.size_exponent:.3f}", end=" ")
    print(f"beta {law.data_exponent:.3f}")
    print("  Porian et al.'s points are pickles that this machine does not reach: their exponents are not fitted here")


def judge(runs: RunsTable, budget: float) -> dict[str, float]:
    """Predict a budget's best loss from a tenth of it and less."""
    # Budgets are nominal: sizes are whole layers and steps, so a tenth is one to within 3%.
    small = runs.only(runs.flops_R <= budget / TENTH * SAME_BUDGET)
    try:
        observed = best_at(runs, budget)
    except LookupError as error:
        raise SystemExit(f"--budget {budget:g}: {error}") from error
    if not len(small):
        raise SystemExit(f"--budget {budget:g}: no run has a tenth of it or less")
    found = forecast(small, budget)
    print(f"{len(small)} of {len(runs)} runs have up to a tenth of {budget:.3g} FLOPs", end="; ")
    print(f"their largest budget is {small.flops_R.max():.3g}")
    for reason in found.reasons:
        print(f"wide: {reason}")
    return record(found.best.loss, found.low, found.high, observed)


def record(predicted: float, low: float, high: float, observed: float) -> dict[str, float]:
    """The last line."""
    return {
        "predicted": predicted,
        "low": low,
        "high": high,
        "observed": observed,
        "error": abs(predicted / observed - 1),
    }


def own() -> dict[str, float]:
    """Own ten-times runs, registered before they started; the worst of them."""
    found = []
    print("own ten-times runs (registered in git before each started):")
    for path in sorted(OWN.glob("*.json")):
        if path.name.endswith(".outcome.json"):
            continue
        told = load_prediction(path)
        outcome = outcome_of(told, path)
        if outcome is None:
            print(f"  {told.name}: predicted {told.loss:.4f}, not run yet")
            continue
        found.append(record(told.loss, told.low, told.high, outcome.observed))
        print(
            f"  {told.name:12s} predicted {told.loss:.4f} ({told.low:.4f} to {told.high:.4f}), reached "
            f"{outcome.observed:.4f}: {outcome.error:+.2%}, {abs(outcome.share_of_gain):.0%} of what the compute took "
            f"off, {outcome.verdict}"
        )
    if not found:
        raise SystemExit(f"no registered run in {OWN} has an outcome")
    return max(found, key=lambda each: each["error"])


def ladder_of_minutes() -> None:
    """Train rungs, register what ten times the largest reaches, train that, and score it: all of it in minutes."""
    home = Path(tempfile.mkdtemp(prefix="ladder-"))
    folder = prepare(cache_dir(), lambda _what, _share: None, TextSource(vocab_size=VOCABULARY))
    index = read_index(folder)
    began = time.monotonic()
    rungs = rungs_of(SMALL_BUDGETS, SMALL_SIZES, folder)
    stop = threading.Event()
    climb(
        rungs,
        home,
        lambda rung: reach_here(rung, home, 1, stop),
        lambda rung, done: print(f"  {rung.run.name}: {done.evaluation_loss:.4f}"),
    )
    text = text_of_runs(runs_path(home))
    runs = parse_runs(text)
    asked = Asked("minutes", TENTH * max(SMALL_BUDGETS), "h100", "hyperscale", owned_tokens=index.training_tokens)
    told, _ = make(runs, sha256_of_runs(text), asked)
    path = prediction_path(home, told.name)
    register(told, text, path)
    target = target_of(told.name, told.params, told.flops, index.vocab_size, folder)
    done = reach_here(target, home, 1, stop)
    assert done.evaluation_loss is not None
    _, outcome = write_outcome(path, done.evaluation_loss, done.flops)
    print(
        f"  {told.flops:.3g} FLOPs from {max(SMALL_BUDGETS):.3g}: predicted {told.loss:.4f} ({told.low:.4f} to "
        f"{told.high:.4f}), reached {outcome.observed:.4f}: {outcome.error:+.2%}, "
        f"{abs(outcome.share_of_gain):.0%} of what the compute took off, {outcome.verdict}; "
        f"{time.monotonic() - began:.0f} s"
    )
    for reason in told.reasons:
        print(f"  wide: {reason}")
    shutil.rmtree(home)


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, help="CSV: run, params, tokens, flops, loss")
    parser.add_argument("--budget", type=float, help="with --runs: FLOPs whose best loss is predicted")
    parser.add_argument("--without-training", action="store_true", help="leave out the ladder of minutes and captions")
    given = parser.parse_args()
    if (given.runs is None) != (given.budget is None):
        parser.error("--runs and --budget go together")
    if given.runs is not None:
        if not 0 < given.budget < math.inf:
            parser.error(f"--budget is FLOPs above 0, as 1e21, not {given.budget}")
        try:
            runs = load_runs(given.runs)
        except UsageError as error:
            parser.error(f"{error}\n{error.next_step}")
        if runs.left_out:
            print("\n".join(["left out:", *shown(runs.left_out)]))
        print(json.dumps(judge(runs, given.budget)))
        return
    leave_one_out()
    held_out([name for names in FAMILIES.values() for name in names], "families that constants were chosen on")
    held_out(HELD_OUT, "families held out")
    other_fits()
    if not given.without_training:
        print("a ladder of minutes, trained now:")
        ladder_of_minutes()
        print("a model that reads images, trained now:")
        captions.measure()
    print(json.dumps(own()))


if __name__ == "__main__":
    main()
