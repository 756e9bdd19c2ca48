"""What a model is taught by: a JSONL of chats or of prompts with completions, as tokens of which the replies count.

A line is ``{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}``, as OpenAI's
fine-tuning takes it, or ``{"prompt": "...", "completion": "..."}``.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from tenfold.core.errors import UsageError
from tenfold.core.frozen import Frozen
from tenfold.llama.tune.taught import Taught


class Message(Frozen):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class Chat(Frozen):
    """A chat; what the assistant says in it is learned."""

    messages: tuple[Message, ...] = Field(min_length=1)


class Pair(Frozen):
    """A text, and how it goes on, which is learned."""

    prompt: str
    completion: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Example:
    """A text of T tokens. ``is_reply_T``: which of them the model shall learn to say."""

    tokens_T: NDArray[np.int64]
    is_reply_T: NDArray[np.bool_]

    @property
    def reply_tokens(self) -> int:
        """Tokens that are learned."""
        return int(self.is_reply_T.sum())


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples to learn, and others to judge by. ``too_long``: lines left out. ``sha256``: of the file."""

    learned: tuple[Example, ...]
    held_out: tuple[Example, ...]
    too_long: int
    sha256: str


def read_examples(path: Path, taught: Taught, *, held_out: float, longest: int) -> Examples:
    """Read a file of examples.

    Which are held out goes by a hash of what comes before the first reply, so that replies to the same stay together.

    Args:
        path: the JSONL.
        taught: whose tokens and chat template count.
        held_out: share to judge by.
        longest: tokens of an example at most; longer ones are left out.

    Raises:
        UsageError: it is no such file, or nothing is left of it to learn; names the line.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", next_step="give a JSONL of chats") from error
    learned: list[Example] = []
    judged: list[Example] = []
    too_long = 0
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        read = _read(line, path, number)
        try:
            parts = _parts(read, taught)
        except UsageError as error:
            raise UsageError(f"line {number} of {path}: {error}", next_step=error.next_step) from error
        example = _example(parts, taught)
        if not example.reply_tokens:
            raise UsageError(f"line {number} of {path} has no reply", next_step="end it with what the assistant says")
        if len(example.tokens_T) > longest:
            too_long += 1
        elif _drawn(parts[0][0]) < held_out:
            judged.append(example)
        else:
            learned.append(example)
    if not learned:
        why = f"; {too_long} of its lines are longer than {longest} tokens" if too_long else ""
        raise UsageError(f"{path} has nothing to learn{why}", next_step="give more lines, or a larger --longest")
    return Examples(tuple(learned), tuple(judged), too_long, hashlib.sha256(content).hexdigest())


def _read(line: bytes, path: Path, number: int) -> Chat | Pair:
    try:
        table = json.loads(line)
        return (Chat if "messages" in table else Pair).model_validate(table)
    except (ValueError, TypeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        raise UsageError(
            f"line {number} of {path} is no example: {why}",
            next_step='write {"messages": [...]} or {"prompt": "...", "completion": "..."}',
        ) from error


def _parts(read: Chat | Pair, taught: Taught) -> list[tuple[str, bool]]:
    """Pieces of the text in turn, and whether each is a reply."""
    if isinstance(read, Pair):
        return [(read.prompt, False), (read.completion + taught.special["eos_token"], True)]
    messages = [each.model_dump() for each in read.messages]
    parts: list[tuple[str, bool]] = []
    written = ""
    for place, message in enumerate(read.messages):
        if message.role != "assistant":
            continue
        asked = taught.written(messages[:place], asks=True)
        answered = taught.written(messages[: place + 1], asks=False)
        if not asked.startswith(written) or not answered.startswith(asked):
            raise UsageError(
                f"the chat template of {taught.file} writes a chat anew when it goes on",
                next_step="give prompt and completion in place of messages",
            )
        parts += [(asked.removeprefix(written), False), (answered.removeprefix(asked), True)]
        written = answered
    return parts or [(taught.written(messages, asks=False), False)]


def _example(parts: Sequence[tuple[str, bool]], taught: Taught) -> Example:
    """Tokens of the pieces, each by itself: a reply begins with a token of its own, as when it is generated."""
    tokens, is_reply = list(taught.leads), [False] * len(taught.leads)
    for text, counts in parts:
        own = taught.tokens_of(text)
        tokens += own
        is_reply += [counts] * len(own)
    # The first token has none before it to be predicted from.
    is_reply[:1] = [False] * len(is_reply[:1])
    return Example(np.array(tokens, np.int64), np.array(is_reply, np.bool_))


def _drawn(text: str) -> float:
    """A number from 0 to 1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
