"""What agents say: never a wrong price, nothing unauthorised, and how many questions they resolve.

    python bench/agents.py [--turns 10000] [--attacks 1000] [--suites lies,attacks,questions,drawn,texts,talk]

- **lies**: random shops whose prices and stock change in mid-conversation, with a writer that lies on purpose.
- **attacks**: orders to the agent in product texts, feeds, documents and messages.
- **talk**: the agents' process: 1,000 products to an agent, first replies, 200 conversations at once through a kill.
- **questions**: sets by trade, told apart by how far they were looked at; `resolution` is of those which nobody
  has looked at, and their misses are not shown.
- **drawn**: random catalogs of sixteen trades with options that no set has, each answer checked against the table;
  half of the trades were not tuned on, and their misses are not shown.
- **texts**: questions to texts of twelve more trades, for tuning.
- **freshness**: the assistant over dated sources, of which half were not tuned on (`bench/freshness.py`).

Everything runs on the embedded default, without a language model. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import freshness
from agent import attacks, drawn, lies, questions, talk, texts
from agent.kept import AllKept
from tenfold.agents.shop import Embedder, Shop
from tenfold.core.assets import fetch
from tenfold.core.minilm import MINILM, MINILM_TOKENIZER, load_minilm
from tenfold.core.paths import cache_dir

Figures = dict[str, float | None]
KEYS = (
    "turns wrong_prices unauthorised_writes leaks resolution handoff_precision handoff_recall wrong_assertions "
    "unsupported_denials abstention first_reply_p95_s onboarding_s"
)
NOW = datetime(2026, 11, 28, tzinfo=UTC)


def run_lies(model: Embedder, options: argparse.Namespace) -> Figures:
    told = lies.play(model, options.turns, seed=options.seed)
    for each in told.wrong[:10]:
        print(f"  WRONG {each}")
    print(
        f"lies: {told.turns:,} turns, {told.refused:,} with a sentence that the gate refused, {len(told.wrong)} wrong"
    )
    return {"turns": told.turns, "wrong_prices": len(told.wrong)}


def run_attacks(model: Embedder, options: argparse.Namespace) -> Figures:
    told = attacks.play(model, cache_dir(), options.attacks, options.seed)
    print(
        f"attacks: {told.messages:,} messages, {told.unauthorised_writes} writes, {told.leaks} leaks, "
        f"{told.wrong_prices} wrong prices"
    )
    return {"unauthorised_writes": told.unauthorised_writes, "leaks": told.leaks}


def run_questions(model: Embedder, options: argparse.Namespace) -> Figures:
    asked: dict[str, list[questions.Asked]] = {}
    groups = {
        "tuned on": questions.TUNED,
        "looked at once": questions.HELD_OUT,
        "looked at for classes": questions.CLASSED,
        "written for tuning": questions.TRADES,
        "never looked at": questions.UNSEEN,
    }
    chosen = set(options.sets.split(",")) if options.sets else {name for names in groups.values() for name in names}
    groups = {about: kept for about, names in groups.items() if (kept := [name for name in names if name in chosen])}
    for about, name in ((about, name) for about, names in groups.items() for name in names):
        shop = questions.shop_of(name, cache_dir(), model, NOW)
        began = time.process_time()
        shop.warm()
        onboarded = time.process_time() - began
        asked[name], took = _timed(lambda shop=shop, name=name: questions.ask_all(shop, name, NOW))
        print(
            f"questions {name} ({about}): {questions.figures(asked[name])}; embedded in {onboarded:.1f} CPU-s, "
            f"then {1000 * took / len(asked[name]):.0f} ms of CPU a question"
        )
        if name not in questions.UNSEEN:
            _show(asked[name], options)
    told = {about: questions.figures(each for n in names for each in asked[n]) for about, names in groups.items()}
    for about, row in told.items():
        print(f"{about}: {row}")
    whole = questions.figures(each for some in asked.values() for each in some)
    names = ("handoff_precision", "handoff_recall", "wrong_assertions")
    unseen = told.get("never looked at", {}).get("resolution")
    return {"resolution": unseen, **{name: whole[name] for name in names}}


def run_drawn(model: Embedder, options: argparse.Namespace) -> Figures:
    found: dict[str, list[questions.Asked]] = {"tuned on": [], "not tuned on": []}
    began = time.process_time()
    for seed in range(options.seed, options.seed + 2):
        catalogs = list(drawn.catalogs(seed))
        titles = {name: [item.title for item in gathered.items] for name, _, gathered in catalogs}
        for name, is_tuned, gathered in catalogs:
            others = [title for other, own in titles.items() if other != name for title in own]
            shop = Shop.of(name, gathered.items, (), model, NOW)
            asked = questions.put(shop, drawn.questions(gathered, others, seed), NOW)
            found["tuned on" if is_tuned else "not tuned on"] += asked
            _show(asked if is_tuned else (), options)
    took = (time.process_time() - began) / sum(map(len, found.values()))
    for about, asked in found.items():
        print(f"drawn, trades {about}: {questions.figures(asked)}; {1000 * took:.0f} ms of CPU a question")
    return {}


def run_texts(model: Embedder, options: argparse.Namespace) -> Figures:
    asked = []
    for trade in texts.trades(NOW):
        shop = Shop.of(trade.name, (), trade.passages, model, NOW)
        lines = [
            {"id": f"{trade.name}-{n}", "question": question,
             "expects": [{"check": "anytext", "texts": [has]} if has else {"check": "abstains"}]}
            for n, (question, has) in enumerate(trade.asked, 1)
        ]  # fmt: skip
        found = questions.put(shop, lines, NOW)
        print(f"texts {trade.name}: {questions.figures(found)}")
        _show(found, options)
        asked += found
    print(f"texts: {questions.figures(asked)}")
    return {}


def _show(asked: Iterable[questions.Asked], options: argparse.Namespace) -> None:
    for each in asked if options.show else ():
        if not each.is_right:
            print(f"  {'WRONG' if each.is_wrong else 'missed'} {each.id} {each.question}\n      {each.replied.text}")


def run_freshness(model: Embedder, options: argparse.Namespace) -> Figures:
    found = freshness.suite(model, options.packages, options.show)
    for name, row in found.items():
        print(f"freshness {freshness.line_of(name, 'tuned on' if name in freshness.TUNED else 'not tuned on', row)}")
    abstention = freshness.share(found, set(found), {"unreported"})
    return {"unsupported_denials": sum(row["denials"] for row in found.values()), "abstention": abstention}


def _timed(run: Callable[[], list[questions.Asked]]) -> tuple[list[questions.Asked], float]:
    began = time.process_time()
    return run(), time.process_time() - began


def run_talk(_: Embedder, options: argparse.Namespace) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        home, cache = Path(folder), Path(folder) / "cache"
        cache.mkdir()
        (cache / "assets").symlink_to(cache_dir() / "assets")
        told = asyncio.run(talk.talk(home, cache, products=1000, people=200, turns=3, seed=options.seed, kill=True))
    print(
        f"talk: {told.products:,} products to a working agent in {told.onboarding_s:.1f} s; first reply "
        f"{1000 * told.first_reply_p50_s:.0f} ms p50, {1000 * told.first_reply_p95_s:.0f} ms p95; "
        f"{told.conversations} conversations at once with {told.messages} messages in {told.together_s:.1f} s, the "
        f"process killed in between: {told.lost} lost, {told.doubled} replied to twice"
    )
    lost = {"conversation_messages_lost": told.lost, "conversation_messages_doubled": told.doubled}
    return {"first_reply_p95_s": told.first_reply_p95_s, "onboarding_s": told.onboarding_s, **lost}


SUITES: Mapping[str, Callable[[Embedder, argparse.Namespace], Figures]] = {
    "lies": run_lies,
    "attacks": run_attacks,
    "questions": run_questions,
    "drawn": run_drawn,
    "texts": run_texts,
    "talk": run_talk,
    "freshness": run_freshness,
}
"""Each prints what it found and gives its figures; of two that give the same figure, the later counts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--attacks", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--packages", type=Path, help="folder of fetched packages with dated texts, for freshness")
    parser.add_argument("--show", action="store_true", help="print each question that is not answered rightly")
    parser.add_argument("--kept", type=Path, help="keep embeddings in this folder: the same questions again are quick")
    parser.add_argument("--sets", default="", help="only these sets of questions (all), by comma")
    parser.add_argument("--suites", default=",".join(SUITES))
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    for asset in (MINILM, MINILM_TOKENIZER):
        fetch(asset, cache_dir(), lambda _: None)
    loaded = load_minilm(Path(cache_dir()))
    model = AllKept(loaded, options.kept) if options.kept else loaded
    figures: Figures = dict.fromkeys(KEYS.split())
    for name in options.suites.split(","):
        figures |= SUITES[name](model, options)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
