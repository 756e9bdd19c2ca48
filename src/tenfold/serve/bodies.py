"""Bodies of the OpenAI API that a client may send: every field by name, each with a bound.

It is an allow-list. An engine understands many more fields, and some of them stop it: ``repeat_last_n`` of 200 million
takes 0.9 GB, ``n_predict`` overrides ``max_tokens``, a nested ``grammar`` of 600 kB ends the process. So what is not
named here is refused, and fields that say nothing to an engine (``user``, ``store``, ...) are taken and dropped.
"""

from collections.abc import Set
from typing import Annotated, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from tenfold.core.frozen import Frozen

MOST_MESSAGES = 1024
"""Writing the prompt of 10,000 messages took the engine 11 CPU-seconds, of 1,000 it took 0.4."""

_SHORT = 256
_TEXT_PARTS = frozenset({"text"})
Text = Annotated[str, Field(max_length=_SHORT)]
_Stop = Annotated[str, Field(min_length=1, max_length=_SHORT)]
_Penalty = Annotated[float, Field(ge=-2, le=2)]


class _Wire(Frozen):
    model_config = ConfigDict(strict=True)


class StreamOptions(_Wire):
    """What a streamed answer says beside its tokens."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class FunctionCall(_Wire):
    """A call that the model made: arguments are a JSON object in a string."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    arguments: str

    @field_validator("arguments")
    @classmethod
    def _are_an_object(cls, arguments: str) -> str:
        try:
            is_object = isinstance(orjson.loads(arguments), dict)
        except orjson.JSONDecodeError:
            is_object = False
        if not is_object:
            raise PydanticCustomError("arguments", "Input should be a JSON object in a string")
        return arguments


class ToolCall(_Wire):
    """One call of an assistant's message."""

    id: Text
    type: Literal["function"] = "function"
    function: FunctionCall


def join_parts(content: object, text_kinds: Set[str]) -> object:
    """Make one text of a list of parts, all of ``text_kinds``; nothing else can be read by a model of text."""
    if not isinstance(content, list):
        return content
    texts = []
    for index, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        text = part.get("text") if isinstance(part, dict) else None
        if kind not in text_kinds or not isinstance(text, str):
            said = {"part": index, "kind": kind if isinstance(kind, str) and len(kind) < _SHORT else "?"}
            raise PydanticCustomError("parts", "part {part} is of type '{kind}'; this model reads text only", said)
        texts.append(text)
    return "\n".join(texts)


class TextPart(_Wire):
    """A text among the parts of a message."""

    type: Literal["text"]
    text: str


class ImageUrl(_Wire):
    """Where an image is: in a ``data:`` URL."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(_Wire):
    """An image among the parts of a message."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]
READS_IMAGES = "reads images"
"""Context in which a body is checked for a model that reads images."""


def joined_unless_images(content: object, text_kinds: Set[str], image_kind: str, info: ValidationInfo) -> object:
    """Make one text of parts; those with an image stay parts where the model reads images (``READS_IMAGES``)."""
    parts = content if info.context == READS_IMAGES and isinstance(content, list) else []
    if any(isinstance(part, dict) and part.get("type") == image_kind for part in parts):
        return content
    return join_parts(content, text_kinds)


class ChatMessage(BaseModel):
    """One message. Keys that answers carry (``refusal``, ``annotations``) may come back with it and are dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | Annotated[list[Part], Field(min_length=1)] | None = None
    name: Text | None = None
    tool_calls: Annotated[tuple[ToolCall, ...], Field(strict=False, max_length=128)] | None = None
    tool_call_id: Text | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _join_parts(cls, content: object, info: ValidationInfo) -> object:
        return joined_unless_images(content, _TEXT_PARTS, "image_url", info)

    @property
    def images(self) -> list[ImageUrl]:
        """Its images, in their order."""
        parts = self.content if isinstance(self.content, list) else []
        return [part.image_url for part in parts if isinstance(part, ImagePart)]

    @property
    def characters(self) -> int:
        """Characters of its text; an engine puts a line's end between parts."""
        if isinstance(self.content, list):
            return sum(len(part.text) + 1 for part in self.content if isinstance(part, TextPart))
        return len(self.content or "")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.images and self.role != "user":
            raise PydanticCustomError("images", "images stand in messages of the user")
        if self.content is None and not (self.role == "assistant" and self.tool_calls):
            raise PydanticCustomError("content", "a message needs 'content', a string or a list of text parts")
        return self


class Function(_Wire):
    """A function that the model may call; ``parameters`` is a JSON schema (see ``json_schema``)."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = Field(None, max_length=4096)
    parameters: dict[str, object] | None = None
    strict: bool | None = None


class Tool(_Wire):
    """A tool is a function."""

    type: Literal["function"]
    function: Function


class NamedFunction(_Wire):
    """The name of a function."""

    name: Text


class ToolChoice(_Wire):
    """The one function that the model must call."""

    type: Literal["function"]
    function: NamedFunction


class JsonSchema(_Wire):
    """The schema that an answer must fit (see ``json_schema``)."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = Field(None, max_length=4096)
    schema_: dict[str, object] | None = Field(None, alias="schema")
    strict: bool | None = None


class ResponseFormat(_Wire):
    """What an answer must look like: any text, any JSON object, or one of a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _has_schema(self) -> Self:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise PydanticCustomError("json_schema", "'json_schema' is given if and only if 'type' is 'json_schema'")
        return self


class GenerationBody(_Wire):
    """What chats and completions have in common.

    ``max_tokens`` is 256 if it is not given, and never more than the context, however much is asked for.
    """

    model: Text
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    n: int | None = Field(None, ge=1, le=128, description="answers; at most serve.parallel")
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    seed: int | None = None
    stop: _Stop | Annotated[list[_Stop], Field(max_length=16)] | None = None
    presence_penalty: _Penalty | None = None
    frequency_penalty: _Penalty | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = Field(None, max_length=1024)
    user: Text | None = None
    # Beyond OpenAI's: what local engines offer.
    top_k: int | None = Field(None, ge=0, le=1000)
    min_p: float | None = Field(None, ge=0, le=1)
    typical_p: float | None = Field(None, gt=0, le=1)
    repeat_penalty: float | None = Field(None, ge=0.5, le=2)
    ignore_eos: bool | None = Field(None, description="go on to max_tokens")

    @field_validator("logit_bias")
    @classmethod
    def _are_tokens(cls, bias: dict[str, float] | None) -> dict[str, float] | None:
        for token in bias or {}:
            if not (token.isascii() and token.isdecimal() and len(token) <= 7):
                raise PydanticCustomError("token", "keys should be ids of tokens")
        return bias


class ChatBody(GenerationBody):
    """Body of POST /v1/chat/completions."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_completion_tokens: int | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    modalities: list[Literal["text"]] | None = None
    metadata: Annotated[dict[Text, Annotated[str, Field(max_length=512)]], Field(max_length=16)] | None = None
    store: bool | None = None
    reasoning_effort: Text | None = None
    verbosity: Text | None = None
    service_tier: Text | None = None
    safety_identifier: Text | None = None
    prompt_cache_key: Text | None = None
    prompt_cache_retention: Text | None = None


class CompletionBody(GenerationBody):
    """Body of POST /v1/completions."""

    prompt: str
    logprobs: int | None = Field(None, ge=0, le=5)
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None
    suffix: None = None


DROPPED = {
    "best_of",
    "echo",
    "max_completion_tokens",
    "metadata",
    "modalities",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "service_tier",
    "store",
    "suffix",
    "user",
    "verbosity",
}
"""Fields that no engine is told of."""
