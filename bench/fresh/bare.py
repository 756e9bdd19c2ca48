"""The bare chat model asked the same questions, from memory: what is wrong with that, in the same table."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tenfold.serve.llama_cpp import LlamaCppEngine
from tenfold.serve.model import prepare_smollm2

ABSTAINS = re.compile(
    r"\b(?:do(?:n't| not) (?:know|have)|not (?:aware|sure|able)|unable|cannot|can't|no information|sorry)\b",
    re.IGNORECASE,
)
NAME = "smollm2-135m"


@contextmanager
def bare_model(cache: Path) -> Iterator[Callable[[str], str]]:
    """Give what answers a question by the default chat model alone."""
    engine = LlamaCppEngine(prepare_smollm2(cache), model=NAME, threads=1, parallel=1, context_tokens=1024)
    endpoint = engine.start()

    def answer(question: str) -> str:
        body = {"model": endpoint.model, "max_tokens": 60, "temperature": 0}
        body |= {"messages": [{"role": "user", "content": question}]}
        headers = {"content-type": "application/json", **endpoint.headers}
        url = f"{endpoint.url}/v1/chat/completions"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=300) as response:
            return str(json.load(response)["choices"][0]["message"]["content"])

    try:
        yield answer
    finally:
        engine.close()
