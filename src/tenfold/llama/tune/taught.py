"""The model that is taught: weights, tokenizer and chat template of a GGUF file of the architecture ``llama``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits
from tokenizers.pre_tokenizers import Sequence as InTurn

from tenfold.core.errors import Damaged, UsageError
from tenfold.core.gguf import Gguf
from tenfold.llama.model import LlamaForCausalLM
from tenfold.llama.release.gguf import dense_weights
from tenfold.llama.shape import ModelShape
from tenfold.llama.worker import bfloat16_is_fast

_CONTROL, _USER_DEFINED = 3, 4
_WORDS = ByteLevel(add_prefix_space=False)
_SPLITS = {"gpt-2": _WORDS, "smollm": InTurn([Digits(individual_digits=True), _WORDS])}
"""How words are split before they become tokens, by llama.cpp's names."""


@dataclass(frozen=True, slots=True)
class Taught:
    """A model to be taught.

    ``template``: its chat template in Jinja, which may name the tokens in ``special``; empty: it has none. ``leads``:
    tokens that each text begins with.
    """

    file: Path
    name: str
    shape: ModelShape
    network: LlamaForCausalLM
    tokenizer: Tokenizer
    template: str
    special: dict[str, str]
    leads: tuple[int, ...]

    def tokens_of(self, text: str) -> list[int]:
        """Tokens of a text, as llama.cpp reads it; nothing is put before it."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def written(self, messages: Sequence[dict[str, str]], *, asks: bool) -> str:
        """A chat as the model reads it; ``asks``: an answer is to follow.

        Raises:
            UsageError: there is no template, or it refuses the chat.
        """
        if not self.template:
            raise UsageError(
                f"{self.file} has no chat template", next_step="give prompt and completion in place of messages"
            )
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)

        def refuse(message: str) -> str:
            raise TemplateError(message)

        try:
            template = environment.from_string(self.template, globals={"raise_exception": refuse})
            return template.render(messages=messages, add_generation_prompt=asks, **self.special)
        except TemplateError as error:
            raise UsageError(
                f"the chat template of {self.file} refuses a chat: {error}",
                next_step="give roles in the order that the model was taught, or prompt and completion",
            ) from error


def read_taught(path: Path) -> Taught:
    """Read a model; matrices become bfloat16 where the CPU multiplies in it, all else stays float32.

    Raises:
        UsageError: there is none, or it is of an architecture, or splits words in a way, that is not taught here.
        Damaged: it is no whole GGUF file.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}", next_step="give --base the GGUF file of a model")
    read = Gguf(path)
    told = read.metadata
    if told.get("general.architecture") != "llama":
        raise UsageError(
            f"{path} is of the architecture {told.get('general.architecture')!r}; taught are dense models, 'llama'",
            next_step="give --base a GGUF file of a Llama, e.g. SmolLM2, or of a run that was trained without experts",
        )
    try:
        shape = _shape(read)
        tokenizer = _tokenizer(read, path)
        names = [str(each) for each in _list(told["tokenizer.ggml.tokens"])]
        first, end = _token(read, "bos"), _token(read, "eos")
        if end is None:
            raise ValueError("no token ends a text")
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(path, f"its metadata are not a model's: {error}", what="model") from error
    tensors = {name: read.tensor(name) for name in read.names if name != "rope_freqs.weight"}
    try:
        weights = dense_weights(tensors, shape)
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"{path} has tensors that no dense Llama has, such as experts or biases: {error}",
            next_step="give --base another model",
        ) from error
    return Taught(
        file=path,
        name=str(told.get("general.name", path.stem)),
        shape=shape,
        network=_network(shape, {name: torch.from_numpy(weight) for name, weight in weights.items()}, path),
        tokenizer=tokenizer,
        template=str(told.get("tokenizer.chat_template", "")),
        special={"bos_token": names[end if first is None else first], "eos_token": names[end]},
        leads=(first,) if first is not None and told.get("tokenizer.ggml.add_bos_token") else (),
    )


def _shape(read: Gguf) -> ModelShape:
    told = read.metadata
    heads, width = told["llama.attention.head_count"], told["llama.embedding_length"]
    if not isinstance(heads, int) or not isinstance(width, int):
        raise TypeError(f"{heads!r} heads on a width of {width!r}")
    return ModelShape.model_validate(
        {
            "vocab_size": told.get("llama.vocab_size") or len(_list(told["tokenizer.ggml.tokens"])),
            "hidden_size": width,
            "num_hidden_layers": told["llama.block_count"],
            "num_attention_heads": heads,
            "num_key_value_heads": told.get("llama.attention.head_count_kv", heads),
            "head_dim": told.get("llama.attention.key_length", width // heads),
            "intermediate_size_mlp": told["llama.feed_forward_length"],
            "num_local_experts": 0,
            "no_rope_layer_interval": 0,
            "use_qk_norm": False,
            "rope_theta": told.get("llama.rope.freq_base", 10_000.0),
            "rms_norm_eps": told["llama.attention.layer_norm_rms_epsilon"],
            "tie_word_embeddings": "output.weight" not in read.names,
        }
    )


def _tokenizer(read: Gguf, path: Path) -> Tokenizer:
    told = read.metadata
    kind = (told["tokenizer.ggml.model"], told["tokenizer.ggml.pre"])
    if kind[0] != "gpt2" or kind[1] not in _SPLITS:
        raise UsageError(
            f"{path} splits text as {kind[1]!r} ({kind[0]}); taught are models that split it as {', '.join(_SPLITS)}",
            next_step="give --base another model",
        )
    names = [str(each) for each in _list(told["tokenizer.ggml.tokens"])]
    merges = [str(each).partition(" ") for each in _list(told.get("tokenizer.ggml.merges", []))]
    tokenizer = Tokenizer(
        BPE(vocab={name: place for place, name in enumerate(names)}, merges=[(one, other) for one, _, other in merges])
    )
    tokenizer.pre_tokenizer = _SPLITS[str(kind[1])]
    tokenizer.decoder = ByteLevelDecoder()
    special = [
        AddedToken(name, special=True, normalized=False)
        for name, of in zip(names, _list(told["tokenizer.ggml.token_type"]), strict=True)
        if of in (_CONTROL, _USER_DEFINED)
    ]
    tokenizer.add_special_tokens(special)
    return tokenizer


def _token(read: Gguf, which: str) -> int | None:
    """The token that begins a text (``bos``) or ends it (``eos``)."""
    found = read.metadata.get(f"tokenizer.ggml.{which}_token_id")
    return found if isinstance(found, int) else None


def _network(shape: ModelShape, weights: dict[str, torch.Tensor], path: Path) -> LlamaForCausalLM:
    # Drawing 135M starting weights would take longer than reading them.
    with torch.device("meta"):
        network = LlamaForCausalLM(shape)
    if shape.tie_word_embeddings:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    if bfloat16_is_fast():
        weights = {name: each.bfloat16() if each.dim() > 1 else each for name, each in weights.items()}
    try:
        network.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise Damaged(path, f"its tensors are not those of its sizes: {error}", what="model") from error
    return network.requires_grad_(False)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value
