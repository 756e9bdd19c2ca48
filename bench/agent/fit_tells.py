"""Fits when a text tells what a customer asked, on all trades that are tuned on: weights of the signs of windows.

    python bench/agent/fit_tells.py [--write] [--kept FOLDER]

Windows of a shop compete with one another and with nothing telling it, so that the loss is that of a choice: of a
question that a text answers, the windows that hold the answer; of any other, none. Shops with a catalog have a fit of
their own; shops with texts only have one to which the questions of ``sets/texts.txt`` are added, since most of their
short questions are answered by a text and most of those to a catalog are not. Prints, for each trade left out, how many
questions are told rightly before so many wrongly and at the agents' bound, then fits on all; ``--write`` puts the
weights where the agents read them. L-BFGS with a ridge.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent import questions, texts
from agent.kept import AllKept
from tenfold.agents import brain, tells
from tenfold.agents.lookup import worth_quoting
from tenfold.agents.memory import Memory
from tenfold.agents.reading.question import Reading, read
from tenfold.agents.shop import Embedder, Shop
from tenfold.core.minilm import load_minilm
from tenfold.core.paths import cache_dir

RIDGE = 0.3
TRADES = (*questions.TRADES, *questions.CLASSED)
ABSTAINS = {"abstains", "no or abstains", "unknown", "no or unknown"}
Array = NDArray[np.floating]


@dataclass(frozen=True)
class Asked:
    """A question: its windows with their signs (window W, sign S), and which of them hold the answer (W,)."""

    trade: str
    windows: list[tells.Window]
    signs_WS: Array
    is_told_W: NDArray[np.bool_]


def asked(trade: str, model: Embedder, now: datetime) -> Iterator[Asked]:
    """Questions of a trade that come to its texts."""
    shop = questions.shop_of(trade, cache_dir(), model, now)
    threads = dict[str, Memory]()
    for line in (questions.SETS / f"{trade}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        checks = {each["check"]: each for each in row["expects"]}
        memory = threads.get(row.get("thread", ""), Memory())
        if "thread" in row:
            threads[row["thread"]] = brain.respond(shop, row["question"], memory, now)[1]
        if "handoff" in checks:
            continue
        said = read(shop, row["question"], memory)
        found = _asked(trade, shop, model, said, row["question"], lambda window, of=checks: _holds(of, window))
        if found is not None and ("url" not in checks or found.is_told_W.any()):
            yield found


def asked_of_texts(model: Embedder, now: datetime) -> Iterator[Asked]:
    """Questions to businesses that have texts only."""
    for trade in texts.trades(now):
        shop = Shop.of(trade.name, (), trade.passages, model, now)
        for question, has in trade.asked:
            said = read(shop, question, Memory())
            found = _asked(trade.name, shop, model, said, question, lambda window, of=has: _says(of, window))
            if found is not None and (not has or found.is_told_W.any()):
                yield found


def _asked(
    trade: str, shop: Shop, model: Embedder, said: Reading, question: str, holds: Callable[[tells.Window], bool]
) -> Asked | None:
    found = brain.of_texts(shop, question, said, brain.meant(said))
    if found is None:
        return None
    windows = tells.weighed(shop, question, cache(lambda: model.embed([question])[0]), found[1])
    if not windows:
        return None
    signs_WS = np.array([[{**found[0], **own, "bias": 1.0}[name] for name in signs()] for _, own in windows])
    is_told_W = np.array([holds(window) for window, _ in windows])
    return Asked(trade, [window for window, _ in windows], signs_WS, is_told_W)


def signs() -> list[str]:
    """Names of the signs that are weighed, and the bias, in the order of the file."""
    return list(tells.weights_of("catalog"))


def _holds(checks: dict, window: tells.Window) -> bool:
    text, source = window
    if "url" not in checks:
        return False
    said, url = f"{source.title}: {text}".casefold(), f"{source.id} {getattr(source, 'url', '')}"
    any_of = [checks["anytext"]["texts"]] if "anytext" in checks else []
    any_of += [[checks["has"]["text"]]] if "has" in checks else []
    return checks["url"]["text"] in url and all(any(each.casefold() in said for each in texts) for texts in any_of)


def _says(has: str, window: tells.Window) -> bool:
    return bool(has) and has.casefold() in window[0].casefold()


def fit(rows: list[Asked]) -> Array:
    """Weights, shape (S,)."""
    most, width = max(len(row.windows) for row in rows), rows[0].signs_WS.shape[1]
    signs_QWS = np.zeros((len(rows), most, width))
    there_QW, told_QW = np.zeros((len(rows), most), bool), np.zeros((len(rows), most), bool)
    for at, row in enumerate(rows):
        signs_QWS[at, : len(row.windows)], there_QW[at, : len(row.windows)] = row.signs_WS, True
        told_QW[at, : len(row.windows)] = row.is_told_W
    is_none_Q = ~told_QW.any(axis=1)

    def loss(weights_S: Array) -> tuple[float, Array]:
        chance_QW = _chances(np.where(there_QW, signs_QWS @ weights_S, -1e9))
        right_Q = np.where(is_none_Q, 1 - chance_QW.sum(axis=1), (chance_QW * told_QW).sum(axis=1)).clip(1e-9)
        wanted_QW = np.where(is_none_Q[:, None], 0, chance_QW * told_QW / right_Q[:, None])
        ridge_S = RIDGE * weights_S
        ridge_S[-1] = 0
        slope_S = ((chance_QW - wanted_QW)[:, :, None] * signs_QWS).sum(axis=(0, 1)) + ridge_S
        return float(-np.log(right_Q).sum() + ridge_S @ weights_S / 2), slope_S

    return minimize(loss, np.zeros(width), jac=True, method="L-BFGS-B", options={"maxiter": 100}).x


def _chances(told_QW: Array) -> Array:
    top = np.maximum(told_QW.max(axis=1, keepdims=True), 0)
    weight = np.exp(told_QW - top)
    return weight / (weight.sum(axis=1, keepdims=True) + np.exp(-top))


def left_out(rows: list[Asked]) -> tuple[Array, NDArray[np.bool_]]:
    """Sureness of what is quoted of each question by a fit to the other trades, and whether that holds the answer."""
    sure, right = [], []
    for trade in dict.fromkeys(row.trade for row in rows):
        weights_S = fit([row for row in rows if row.trade != trade])
        for row in (row for row in rows if row.trade == trade):
            chance_W = _chances((row.signs_WS @ weights_S)[None])[0]
            told = worth_quoting(tells.merged(row.windows, chance_W.tolist()))
            sure.append(sum(each.sureness for each in told))
            held = {each.window for each in told}
            right.append(any(of[0] in held for of, is_told in zip(row.windows, row.is_told_W, strict=True) if is_told))
    return np.array(sure), np.array(right)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--kept", type=Path, help="keep embeddings in this folder")
    options = parser.parse_args()
    loaded, now = load_minilm(Path(cache_dir())), datetime.now(UTC)
    model = AllKept(loaded, options.kept) if options.kept else loaded
    of_catalogs = [row for trade in TRADES for row in asked(trade, model, now)]
    rows: dict[tells.Kind, list[Asked]] = {
        "catalog": of_catalogs,
        "texts": [*of_catalogs, *asked_of_texts(model, now)],
    }
    report(of_catalogs, rows["texts"])
    if options.write:
        text = "# Fitted by bench/agent/fit_tells.py: weights of the signs, and the bias, by what a shop has.\n"
        for kind, of in rows.items():
            weights = zip(signs(), fit(of), strict=True)
            text += f"\n[{kind}]\n" + "".join(f"{name} = {each:.3f}\n" for name, each in weights)
        (Path(tells.__file__).parent / "tells.toml").write_text(text, encoding="utf-8")


def report(of_catalogs: list[Asked], of_all: list[Asked]) -> None:
    """Print what each kind of shop is told, each trade left out."""
    for kind, rows in (("catalog", of_catalogs), ("texts", of_all)):
        sure_Q, right_Q = left_out(rows)
        # A shop with a catalog is no shop with texts only.
        is_of_kind = np.array([kind == "catalog" or row.trade not in TRADES for row in rows])
        sure_Q, right_Q = sure_Q[is_of_kind], right_Q[is_of_kind]
        order = np.argsort(-sure_Q)
        told, wrong = np.cumsum(right_Q[order]), np.cumsum(~right_Q[order])
        many_told = sum(row.is_told_W.any() for row, is_kept in zip(rows, is_of_kind, strict=True) if is_kept)
        print(f"{kind}: {len(sure_Q)} questions, {many_told} told by a text")
        for many in (5, 10, 20, 30):
            at = int(np.searchsorted(wrong, many, side="right")) - 1
            print(f"before {many} wrong: {told[at]} right, from a sureness of {sure_Q[order][at]:.2f}")
        is_sure = sure_Q >= brain.SURE
        print(f"from {brain.SURE}: {right_Q[is_sure].sum()} right, {(~right_Q[is_sure]).sum()} wrong")


if __name__ == "__main__":
    main()
