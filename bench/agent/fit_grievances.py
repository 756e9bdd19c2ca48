"""Fits when a customer's words are a grievance, on all sets that are tuned on and ``sets/grievances.txt``.

    python bench/agent/fit_grievances.py [--write]

Prints, for each trade left out, how many of its hand-offs are found and how many others are taken for one, then fits on
all; ``--write`` puts the weights where the agents read them. Ridge-penalised logistic regression by Newton's method.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent import questions, texts
from tenfold.agents.reading import grievance
from tenfold.core.minilm import WIDTH, load_minilm
from tenfold.core.paths import cache_dir

WRITTEN = "written"
PENALTY, SIGNS_PENALTY = 0.3, 3.3
"""Of the embedding's weights, and of those of the signs of form; chosen by the trades left out."""
GRIEVANCE_WEIGHT = 2.0
STEPS = 8
Array = NDArray[np.floating]


def rows() -> Iterator[tuple[str, str, bool]]:
    """Each sentence with the trade that it is of, and whether a person must answer it."""
    for name in (*questions.TUNED, *questions.HELD_OUT, *questions.CLASSED, *questions.TRADES):
        for line in (questions.SETS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            asked = json.loads(line)
            yield name, asked["question"], any(each["check"] == "handoff" for each in asked["expects"])
    for trade in texts.trades(datetime.now(UTC)):
        yield from ((trade.name, question, False) for question, _ in trade.asked)
    for line in (questions.SETS / "grievances.txt").read_text(encoding="utf-8").splitlines():
        yield WRITTEN, line[2:], line.startswith("+")


def fit(features_NF: Array, is_grievance_N: Array) -> Array:
    """Weights and bias, shape (F + 1,)."""
    count, width = features_NF.shape
    with_one = np.hstack([features_NF, np.ones((count, 1))])
    penalty = np.full(width + 1, PENALTY)
    penalty[WIDTH:], penalty[-1] = SIGNS_PENALTY, 1e-9
    counts = np.where(is_grievance_N > 0, GRIEVANCE_WEIGHT, 1.0)
    weights = np.zeros(width + 1)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-with_one @ weights))
        slope = with_one.T @ (counts * (chance - is_grievance_N)) + penalty * weights
        curve = (with_one * (counts * chance * (1 - chance))[:, None]).T @ with_one + np.diag(penalty)
        weights -= np.linalg.solve(curve, slope)
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    trades, said, labels = zip(*rows(), strict=True)
    model = load_minilm(Path(cache_dir()))
    found = zip(model.embed(said), said, strict=True)
    features_NF = np.stack([grievance.features(vector, text) for vector, text in found]).astype(np.float64)
    label_N, trade_N = np.array(labels, float), np.array(trades)
    told = np.zeros(len(said))
    for trade in dict.fromkeys(trades):
        if trade != WRITTEN:
            is_out = trade_N == trade
            weights = fit(features_NF[~is_out], label_N[~is_out])
            told[is_out] = features_NF[is_out] @ weights[:-1] + weights[-1]
    judged = trade_N != WRITTEN
    for sure in (0.5, 0.6, 0.7, grievance.SURE):
        taken = judged & (told > np.log(sure / (1 - sure)))
        rightly = int((taken & (label_N == 1)).sum())
        wanted, others = int(label_N[judged].sum()), int(taken.sum()) - rightly
        print(f"from {sure:.1f}: {rightly} of {wanted} found, {others} others taken")
    if options.write:
        thousandths = [round(1000 * each) for each in fit(features_NF, label_N)]
        lines = [", ".join(map(str, thousandths[at : at + 16])) for at in range(0, len(thousandths), 16)]
        text = "# Fitted by bench/agent/fit_grievances.py: weights of the embedding, of signs of form, and the bias.\n"
        path = Path(grievance.__file__).parent / "grievance.toml"
        path.write_text(text + "thousandths = [\n  " + ",\n  ".join(lines) + ",\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
