"""Does an adapter teach the smallest model to write ads that pass the gate, in trades that it has not seen?

    python bench/tune.py [--generations 96] [--each 3] [--adapter FOLDER] [--arms base taught] [--threads 2]

Examples are made of shops of tuning trades (clothes, a bakery, tools, a pharmacy, a hotel) as ``tenfold ads examples``
makes them; SmolLM2-135M is taught by them as ``tenfold llama tune`` does. Then the model alone and the model with the
adapter, both in llama.cpp as ``serve`` runs them, write one ad each for the same subjects and angles of shops that were
held out whole: two general stores, bicycles, a plumber, knitting, a language school.

Told of each arm: drafts that read as the schema says, that pass the gate, and that go out, which is: pass it and nearly
repeat no template. What goes out is read by a checker of its own, too.

The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import aiohttp
import orjson
import torch
from rich.console import Console
from rich.table import Table

from ads_copy import HERE, NOW, PAGES, Shop
from advert.checker import ungrounded
from agent.questions import shop_gathered
from tenfold.ads.campaign import Objective
from tenfold.ads.claim import Subject
from tenfold.ads.copy_gate import CopyGate
from tenfold.ads.copywriter import read_draft, request
from tenfold.ads.examples import examples
from tenfold.ads.facts import fact_sheet
from tenfold.ads.variants import ANGLES, Angle, Draft, admit, from_templates
from tenfold.catalog.ingest.source import read_file
from tenfold.core.assets import fetch
from tenfold.core.paths import cache_dir
from tenfold.core.smollm2 import GGUF, SMOLLM2
from tenfold.llama.tune.tune import Lesson, Tuned, TuneStep, tune
from tenfold.serve.llama_cpp import LlamaCppEngine
from tenfold.serve.model import prepare_smollm2

TUNING = ("larch", "pine", "crumb", "depot", "linden", "quay")
HELD_OUT = ("sim", "tau2", "spoke", "tapfix", "fennel", "hollow", "lingua")
SALES = Objective.SALES
talk = Console(stderr=True, width=140)


def shop(name: str) -> Shop:
    page = HERE / "pages" / f"{name}.html"
    found = read_file(page, NOW) if name in PAGES else shop_gathered(name, cache_dir(), NOW)
    return Shop(name, found, fact_sheet(found))


def taught(folder: Path, each: int, lesson: Lesson) -> Tuned:
    """An adapter taught by examples of the tuning trades."""
    data = folder / "examples.jsonl"
    chats = [chat for name in TUNING for chat in examples(shop(name).sheet, SALES, NOW, each=each, seed=0)]
    data.write_bytes(b"".join(orjson.dumps(chat) + b"\n" for chat in chats))
    model = fetch(SMOLLM2, cache_dir(), lambda _: None) / GGUF

    def told(step: TuneStep) -> None:
        if step.step % 5 == 0:
            talk.print(f"step {step.step}/{step.steps}, loss {step.loss:.3f}, {step.seconds:.0f} s", style="dim")

    return tune(model, data, folder / "adapter", lesson, told)


async def written_by(adapter: Path | None, shops: list[Shop], count: int, threads: int) -> dict[str, Counter[str]]:
    """What became of one draft for each of ``count`` subjects and angles, by shop."""
    engine = LlamaCppEngine(
        prepare_smollm2(cache_dir()), model="m", threads=threads, parallel=4, context_tokens=1024, adapter=adapter
    )
    endpoint = await asyncio.to_thread(engine.start)
    places = asyncio.Semaphore(4)
    asked = []
    for turn in range(count):
        of, place = shops[turn % len(shops)], turn // len(shops)
        # Subjects of a large shop lie far apart, and each has another angle than the one before.
        subject = of.sheet.subjects[place * 17 % len(of.sheet.subjects)]
        asked.append((of, subject, ANGLES[place % len(ANGLES)], turn))
    timeout = aiohttp.ClientTimeout(None)
    async with aiohttp.ClientSession(headers=endpoint.headers, timeout=timeout) as session:

        async def one(of: Shop, subject: Subject, angle: Angle, turn: int) -> Draft | None:
            body = request(of.sheet, subject, angle, SALES, NOW, seed=turn, model=endpoint.model)
            async with places, session.post(f"{endpoint.url}/v1/chat/completions", json=body) as response:
                return read_draft(orjson.loads(await response.read()), angle, SALES)

        came = await asyncio.gather(*(one(*each) for each in asked))
    engine.close()
    figures: dict[str, Counter[str]] = defaultdict(Counter)
    faults: Counter[str] = Counter()
    texts = set()
    for (of, subject, *_), draft in zip(asked, came, strict=True):
        row = figures[of.name]
        row["asked"] += 1
        if draft is None:
            continue
        row["read"] += 1
        wrong = CopyGate(of.sheet, subject.id, NOW).faults(draft.headline, draft.body, draft.call)
        faults.update(fault.partition("'")[0] for fault in wrong[:1])
        row["passes"] += not wrong
        kept, _ = admit([*from_templates(of.sheet, subject, SALES, NOW), draft], of.sheet, subject, NOW)
        if kept and kept[-1].writer == "model":
            row["goes_out"] += 1
            texts.add((subject.id, kept[-1].headline, kept[-1].body))
            lies = [
                each for text in (kept[-1].headline, kept[-1].body) for each in ungrounded(text, of.truth(subject.id))
            ]
            row["ungrounded"] += bool(lies)
            talk.print(f"  {of.name}: {kept[-1].headline} | {kept[-1].body} {lies or ''}", style="dim", markup=False)
    talk.print(f"refused first for {faults.most_common(5)}", style="dim", markup=False)
    return figures


def judged(adapter: Path | None, count: int, threads: int) -> dict[str, object]:
    """Figures of one arm."""
    began = time.process_time()
    by_shop = asyncio.run(written_by(adapter, [shop(name) for name in HELD_OUT], count, threads))
    total = sum(by_shop.values(), Counter())
    return {
        **{key: total[key] for key in ("asked", "read", "passes", "goes_out", "ungrounded")},
        "passes_share": round(total["passes"] / total["asked"], 4),
        "goes_out_share": round(total["goes_out"] / total["asked"], 4),
        "cpu_s": round(time.process_time() - began),
        "by_shop": {name: f"{row['passes']}, {row['goes_out']} of {row['asked']}" for name, row in by_shop.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generations", type=int, default=96)
    parser.add_argument("--each", type=int, default=3, help="examples of each item of the tuning trades")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--adapter", type=Path, help="folder of an adapter that is there already")
    parser.add_argument("--keep", type=Path, help="folder to leave the examples and the adapter in")
    parser.add_argument("--arms", nargs="*", choices=("base", "taught"), default=("base", "taught"))
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    found: dict[str, object] = {}
    folder = asked.adapter
    if folder is None and ("taught" in asked.arms or not asked.arms):
        home = asked.keep or Path(tempfile.mkdtemp(prefix="tenfold-tune-"))
        home.mkdir(exist_ok=True)
        began = time.process_time()
        lesson = Lesson(epochs=asked.epochs, learning_rate=asked.learning_rate)
        tuned = taught(home, asked.each, lesson)
        folder = tuned.folder
        found["tuning"] = {
            "examples": tuned.examples, "tokens": tuned.tokens, "cpu_s": round(time.process_time() - began),
            "wall_s": round(tuned.seconds), "loss_before": tuned.loss_before, "loss_after": tuned.loss_after,
        }  # fmt: skip
        talk.print(found["tuning"])
    table = Table("model", "asked", "as the schema says", "passes the gate", "goes out", "ungrounded", "CPU-s")
    for arm in asked.arms:
        row = judged(folder / "adapter.gguf" if arm == "taught" else None, asked.generations, asked.threads)
        found[arm] = row
        table.add_row(arm, *(str(row[key]) for key in ("asked", "read", "passes", "goes_out", "ungrounded", "cpu_s")))
    if asked.arms:
        Console(width=140).print(table)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
