"""A run's byte-level BPE tokenizer, as transformers and llama.cpp take it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from tenfold.core.errors import Damaged, UsageError
from tenfold.core.gguf import Value
from tenfold.llama.data.tokenizer import IMAGE_MARKS

_NORMAL, _CONTROL, _UNUSED = 1, 3, 5
_GPT2_SPLIT = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
"""The model was taught no chat: it goes on with what was said, line after line."""
IMAGE_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{{ '' if loop.last else '\\n' }}{% endfor %}"
"""A model that reads images was taught what follows an image at once: its caption."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A tokenizer: ``table`` is its ``tokenizer.json``; ``separator`` leads each document, and ends the one before."""

    table: dict[str, object]
    names: tuple[str, ...]
    merges: tuple[str, ...]
    special: frozenset[int]
    separator: int
    chat_template: str = CHAT_TEMPLATE

    @property
    def separator_name(self) -> str:
        """The separator as it is written."""
        return self.names[self.separator]

    def of_images(self, *, marks: bool) -> "Tokens":
        """The tokenizer of a model that reads images; with the marks around them if the model has these."""
        if not marks:
            return replace(self, chat_template=IMAGE_TEMPLATE)
        first = len(self.names)
        flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        added = [{"id": first + place, "content": name, **flags} for place, name in enumerate(IMAGE_MARKS)]
        before = self.table["added_tokens"]
        assert isinstance(before, list), "read_tokens has seen that it is one"
        return replace(
            self,
            table={**self.table, "added_tokens": [*before, *added]},
            names=(*self.names, *IMAGE_MARKS),
            special=self.special | {first, first + 1},
            chat_template=IMAGE_TEMPLATE,
        )

    def number_of(self, name: str) -> int:
        """A token's number, by its name."""
        return self.names.index(name)

    def tokenizer_json(self) -> str:
        """``tokenizer.json`` whose texts begin with the separator, as all documents did in training."""
        mark = {"id": self.separator_name, "type_id": 0}
        lead = {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": mark}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [
                {"SpecialToken": mark},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {
                mark["id"]: {"id": mark["id"], "ids": [self.separator], "tokens": [self.separator_name]},
            },
        }
        return json.dumps({**self.table, "post_processor": lead}, ensure_ascii=False)

    def tokenizer_config(self, context_tokens: int) -> dict[str, object]:
        """``tokenizer_config.json`` of transformers."""
        return {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": self.separator_name,
            "eos_token": self.separator_name,
            "model_max_length": context_tokens,
            "clean_up_tokenization_spaces": False,
            "chat_template": self.chat_template,
        }

    def metadata(self, vocab_size: int) -> dict[str, Value]:
        """The keys of a GGUF file; tokens that the model has beyond the tokenizer's are marked as unused.

        Raises:
            UsageError: the model has fewer tokens than the tokenizer.
        """
        spare = vocab_size - len(self.names)
        if spare < 0:
            raise UsageError(
                f"the tokenizer has {len(self.names)} tokens, the model only {vocab_size}",
                next_step="give the data folder that the run was trained on with --data",
            )
        kinds = [_CONTROL if index in self.special else _NORMAL for index in range(len(self.names))]
        found: dict[str, Value] = {
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.pre": "gpt-2",
            "tokenizer.ggml.tokens": [*self.names, *(f"[unused{index}]" for index in range(spare))],
            "tokenizer.ggml.token_type": kinds + [_UNUSED] * spare,
            "tokenizer.ggml.bos_token_id": self.separator,
            "tokenizer.ggml.eos_token_id": self.separator,
            "tokenizer.ggml.add_bos_token": True,
            "tokenizer.chat_template": self.chat_template,
        }
        return found | ({"tokenizer.ggml.merges": list(self.merges)} if self.merges else {})


def read_tokens(path: Path, separator: str) -> Tokens:
    """Read ``tokenizer.json`` of prepared data.

    Raises:
        Damaged: it is not such a file.
        UsageError: it splits text in a way that llama.cpp has no name for.
    """
    try:
        table = json.loads(path.read_bytes())
        model = table["model"]
        by_name = {**model["vocab"], **{added["content"]: added["id"] for added in table["added_tokens"]}}
        special = frozenset(added["id"] for added in table["added_tokens"] if added["special"])
        merges = tuple(each if isinstance(each, str) else " ".join(each) for each in model["merges"])
        names = tuple(sorted(by_name, key=by_name.__getitem__))
        if [by_name[name] for name in names] != list(range(len(names))):
            raise ValueError("its tokens' numbers have gaps")
        separator_id = by_name[separator]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Damaged(path, str(error), what="tokenizer") from error
    split = table["pre_tokenizer"] or {}
    if (
        model["type"] != "BPE"
        or table["normalizer"]
        or any(split.get(key) != said for key, said in _GPT2_SPLIT.items())
    ):
        raise UsageError(
            f"{path} is no byte-level BPE that splits words as GPT-2 did; llama.cpp has no name for it",
            next_step="leave GGUF out with --no-gguf",
        )
    return Tokens(table, names, merges, special, separator_id)
