"""``tenfold assistant``: answers from dated sources."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tenfold.core.command import Json
from tenfold.core.paths import cache_dir

app = App(
    name="assistant", help="Answers from dated sources, with who said it and when; or says what it does not know."
)


@app.command
def ask(
    question: Annotated[str | None, Parameter(help="One question; or give --file.")] = None,
    *,
    sources: Annotated[
        Path, Parameter(help='What may be cited, one JSON object a line: {"url", "title", "published", "text"}.')
    ],
    now: Annotated[str | None, Parameter(help="Day or time of asking, e.g. 2026-11-16; default: now.")] = None,
    file: Annotated[Path | None, Parameter(help='Questions, one JSON object a line: {"id", "question"}.')] = None,
    json: Json = False,
) -> None:
    """Answer questions from a file of passages, without a pool."""
    from tenfold.assistant.ask import QuestionLine, answers, passages_of, read_now, read_passages, read_questions
    from tenfold.assistant.sources import Sources
    from tenfold.core.errors import UsageError
    from tenfold.core.minilm import load_minilm
    from tenfold.core.show import record

    if (question is None) == (file is None):
        raise UsageError("give one question, or --file with many", next_step='tenfold assistant ask "..." --sources F')
    asked = read_questions(file) if file is not None else [QuestionLine(id="1", question=question or "")]
    at = read_now(now)
    passages = passages_of(read_passages(sources), at)
    for line in answers(Sources(passages, load_minilm(cache_dir(), threads=min(4, os.cpu_count() or 1))), asked, at):
        record(line, f"{line['id']}: {line['text']}", json)
