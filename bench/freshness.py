"""How the assistant answers from dated sources: ``python bench/freshness.py [--packages FOLDER]``.

Sources: five that packages ship and two hand-made weeks of news, in passages with dates. Half of them were tuned on,
and the other half were written before anything was tuned. Kinds of questions: ``answer``;
``conflict`` (two sources differ: both are to be given); ``false`` (it takes for granted what the source contradicts);
``unreported`` (no source tells). An answer is right if its claims, three at most, have the known words, and each claim
names its source and date. A denial is a reply to what no source reports that says no.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

from fresh import shipped
from fresh.bare import ABSTAINS, NAME, bare_model
from tenfold.assistant.ask import PassageLine, as_line, passages_of
from tenfold.assistant.brain import respond
from tenfold.assistant.sources import Sources
from tenfold.assistant.times import written
from tenfold.catalog.search import Embedder
from tenfold.core.minilm import load_minilm
from tenfold.core.paths import cache_dir

HERE = Path(__file__).parent / "fresh"
NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
LAST = datetime(2026, 11, 23, 12, tzinfo=UTC)
TUNED = ("week_tuned", *shipped.TUNED)
SEEN = ("week_held", "rates", "node", "postgres")
"""Held out from the first tuning; a second one looked at what was wrong in them, see docs/log.md."""
DENIES = re.compile(r"\b(?:no|never|not)\b[^.]*\b(?:happen|true|case|exist|occur)|\bfalse\b|^no\b", re.IGNORECASE)

Set = tuple[str, list[PassageLine], list[dict[str, object]]]


def week(part: str) -> Set:
    """A hand-made week of news, and its questions."""
    lines = []
    for block in re.split(r"^## ", (HERE / f"{part}.md").read_text(), flags=re.MULTILINE)[1:]:
        head, text = block.split("\n", 1)
        url, published, title = (each.strip() for each in head.split("|", 2))
        made = {"url": f"https://{url}", "title": title, "published": published, "text": text.strip()}
        lines.append(PassageLine.model_validate(made))
    return part, lines, [json.loads(line) for line in (HERE / f"{part}.questions.jsonl").read_text().splitlines()]


def sets(packages: Path | None) -> Iterator[Set]:
    """All sets; those that packages ship only if there is a folder for the packages."""
    yield week("week_tuned")
    yield week("week_held")
    yield week("week_last")
    if packages is not None:
        for name, texts, questions in shipped.build(packages):
            yield (
                name,
                [PassageLine(url=t.url, title=t.title, published=t.published, text=t.text) for t in texts],
                [{"id": q.id, "kind": q.kind, "question": q.question, "gold": q.gold} for q in questions],
            )


def is_right(question: dict[str, object], line: dict[str, object]) -> bool:
    """Whether a line of the command's output is right."""
    if question["kind"] == "unreported":
        return line["type"] == "unknown"
    if line["type"] != "answer":
        return False
    told = re.sub(r"\s+", " ", " ".join(claim["text"] for claim in line["claims"])).casefold()
    return all(any(one.casefold() in told for one in group) for group in question["gold"]) and is_cited(line)


def is_cited(line: dict[str, object]) -> bool:
    """Whether each claim has a source and its date in words."""
    return all(
        claim["evidence"] and written(datetime.fromisoformat(claim["evidence"][0]["published"]).date()) in claim["text"]
        for claim in line["claims"]
    )


def suite(embedder: Embedder, packages: Path | None, show: bool = False) -> dict[str, dict[str, object]]:
    """Ask everything; gives, of each set, right and asked by kind, denials, and CPU seconds a question."""
    found = {}
    for name, lines, questions in sets(packages):
        began = process_time()
        now = LAST if name == "week_last" else NOW
        sources = Sources(passages_of(lines, now), embedder)
        asked, right, denials = Counter(), Counter(), 0
        for question in questions:
            line = as_line(respond(sources, str(question["question"]), now))
            asked[question["kind"]] += 1
            right[question["kind"]] += (good := is_right(question, line))
            if question["kind"] == "unreported" and (DENIES.search(str(line["text"])) or line["type"] == "answer"):
                denials += bool(DENIES.search(str(line["text"])))
            if show and not good:
                print(
                    f"{name} {question['kind']}: {question['question']}\n    {str(line['text'])[:600]}", file=sys.stderr
                )
        spent = (process_time() - began) / len(questions)
        found[name] = {"asked": dict(asked), "right": dict(right), "denials": denials, "cpu_s": round(spent, 3)}
    return found


def bare(part: str) -> dict[str, object]:
    """Ask the bare chat model a week's questions; it is right with the known words, dated or not."""
    _, _, questions = week(part)
    asked, right, denials = Counter(), Counter(), 0
    began = process_time()
    with bare_model(cache_dir()) as answer:
        for question in questions:
            text = answer(str(question["question"]))
            asked[question["kind"]] += 1
            if question["kind"] == "unreported":
                right["unreported"] += bool(ABSTAINS.search(text))
                denials += bool(DENIES.search(text))
            else:
                told = text.casefold()
                right[question["kind"]] += all(
                    any(one.casefold() in told for one in group) for group in question["gold"]
                )
    spent = round((process_time() - began) / len(questions), 3)
    return {"asked": dict(asked), "right": dict(right), "denials": denials, "cpu_s": spent}


def share(found: dict[str, dict[str, object]], names: set[str], kinds: set[str]) -> float | None:
    """Share of right replies of some sets and kinds; none where nothing was asked."""
    rows = [found[name] for name in names if name in found]
    asked = sum(row["asked"].get(kind, 0) for row in rows for kind in kinds)
    return round(sum(row["right"].get(kind, 0) for row in rows for kind in kinds) / asked, 3) if asked else None


def line_of(name: str, how: str, row: dict[str, object]) -> str:
    """A set's row of the table."""
    kinds = ", ".join(f"{kind} {row['right'].get(kind, 0)}/{count}" for kind, count in sorted(row["asked"].items()))
    return f"{name:11} {how}: {kinds}; denials {row['denials']}; {row['cpu_s']} CPU-s a question"


def summary_of(found: dict[str, dict[str, object]]) -> dict[str, object]:
    """Shares of right replies, of news and of what packages ship."""
    known = {"answer", "conflict", "false"}
    news, shipped_too = {"week_last"}, set(shipped.SOURCES)
    return {
        "answered_news_held_out": share(found, news, known),
        "abstained_news_held_out": share(found, news, {"unreported"}),
        "answered_news": share(found, {"week_tuned", "week_held", "week_last"}, known),
        "abstained_news": share(found, {"week_tuned", "week_held", "week_last"}, {"unreported"}),
        "answered_shipped": share(found, shipped_too, known),
        "abstained_shipped": share(found, shipped_too, {"unreported"}),
        "unsupported_denials": sum(row["denials"] for row in found.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", type=Path, help="folder of fetched packages; fetched into it where they are not")
    parser.add_argument("--bare", action="store_true", help="ask the bare chat model, too")
    parser.add_argument("--show", action="store_true", help="print what was answered wrongly")
    options = parser.parse_args()
    found = suite(load_minilm(cache_dir()), options.packages, options.show)
    for name, row in found.items():
        print(line_of(name, "tuned on" if name in TUNED else "seen" if name in SEEN else "held out", row))
    if options.bare:
        print(line_of("week_last", f"{NAME} from memory, without sources", bare("week_last")))
    print(json.dumps(summary_of(found)))


if __name__ == "__main__":
    main()
