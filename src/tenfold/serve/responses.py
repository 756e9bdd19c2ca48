"""``POST /v1/responses``: checked, and asked of the engine as a chat.

Text goes in, and images where the model reads them; text comes out. Nothing is kept between requests: what an answer
builds on is in its ``input``.
"""

from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from tenfold.core.frozen import Frozen
from tenfold.serve.answers import Answer
from tenfold.serve.bodies import MOST_MESSAGES, READS_IMAGES, ChatBody, Text, joined_unless_images
from tenfold.serve.images import Eyes
from tenfold.serve.openai_api import Generation, read_generation
from tenfold.serve.rejection import Rejection, read_body
from tenfold.serve.response_events import ResponseDialect, in_response_terms

_TEXT_PARTS = frozenset({"input_text", "output_text", "text"})


class _Wire(Frozen):
    model_config = ConfigDict(strict=True)


class _Said(BaseModel):
    """What an answer's items carry (``id``, ``annotations``) may come back with them and is dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class InputText(_Said):
    """A text among the parts of a message."""

    type: Literal["input_text", "output_text", "text"]
    text: str

    def in_chat(self) -> dict[str, object]:
        """As a part of a chat's message."""
        return {"type": "text", "text": self.text}


class InputImage(_Said):
    """An image among the parts of a message."""

    type: Literal["input_image"]
    image_url: str = Field(description="a data: URL")
    detail: Literal["auto", "low", "high"] | None = None

    def in_chat(self) -> dict[str, object]:
        """As a part of a chat's message."""
        return {"type": "image_url", "image_url": {"url": self.image_url, "detail": self.detail}}


InputPart = Annotated[InputText | InputImage, Field(discriminator="type")]


class InputMessage(_Said):
    """One message so far."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: str | Annotated[list[InputPart], Field(min_length=1)]

    @field_validator("content", mode="before")
    @classmethod
    def _join_parts(cls, content: object, info: ValidationInfo) -> object:
        return joined_unless_images(content, _TEXT_PARTS, "input_image", info)

    def in_chat(self) -> dict[str, object]:
        """As a chat's message."""
        said = self.content
        return {"role": self.role, "content": said if isinstance(said, str) else [part.in_chat() for part in said]}


class TextFormat(_Wire):
    """What an answer must look like."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = Field(None, pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = Field(None, max_length=4096)
    schema_: dict[str, object] | None = Field(None, alias="schema")
    strict: bool | None = None

    @model_validator(mode="after")
    def _has_schema(self) -> "TextFormat":
        if (self.type == "json_schema") != (self.schema_ is not None and self.name is not None):
            raise PydanticCustomError("schema", "'name' and 'schema' are given if and only if 'type' is 'json_schema'")
        return self


class TextConfig(_Wire):
    """How an answer's text is made."""

    format: TextFormat | None = None
    verbosity: Text | None = None


class StreamOptions(_Wire):
    """What a streamed answer says beside its text."""

    include_obfuscation: bool | None = None


class ResponseBody(_Wire):
    """Body of POST /v1/responses. ``store`` is taken and nothing is stored, which the answer says."""

    model: Text
    input: str | Annotated[list[InputMessage], Field(min_length=1, max_length=MOST_MESSAGES)]
    instructions: str | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    text: TextConfig | None = None
    metadata: Annotated[dict[Text, Annotated[str, Field(max_length=512)]], Field(max_length=16)] | None = None
    previous_response_id: Text | None = None
    conversation: Text | dict[str, object] | None = None
    tools: Annotated[list[dict[str, object]], Field(max_length=0)] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    include: Annotated[list[Text], Field(max_length=0)] | None = None
    background: Literal[False] | None = None
    truncation: Literal["disabled"] | None = None
    reasoning: dict[str, object] | None = None
    store: bool | None = None
    user: Text | None = None
    service_tier: Text | None = None
    safety_identifier: Text | None = None
    prompt_cache_key: Text | None = None
    prompt_cache_retention: Text | None = None

    @field_validator("previous_response_id", "conversation")
    @classmethod
    def _keeps_none(cls, given: object) -> object:
        if given is not None:
            raise PydanticCustomError("kept", "no answers are kept here; send the conversation so far in 'input'")
        return given


class ResponseUsage(Answer):
    """Tokens of a request."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class ResponseAnswer(Answer):
    """Body of an answer of POST /v1/responses without ``stream``."""

    id: str
    object: Literal["response"]
    created_at: int = Field(description="Unix seconds")
    status: Literal["completed", "incomplete"]
    model: str
    output: list[dict[str, object]] = Field(description="messages, with content of type output_text")
    usage: ResponseUsage | None = None


def read_response(
    raw: bytes, *, model: str, engine_model: str, context_tokens: int, parallel: int, eyes: Eyes | None = None
) -> Generation:
    """Check a request's body and write the chat that the engine gets.

    Raises:
        Rejection: 400 for a body that is not valid or over a bound, 404 for another model.
    """
    asked = read_body(raw, ResponseBody, READS_IMAGES if eyes else None)
    try:
        chat = read_generation(
            orjson.dumps(_as_chat(asked)),
            ChatBody,
            model=model,
            engine_model=engine_model,
            context_tokens=context_tokens,
            parallel=parallel,
            eyes=eyes,
        )
    except Rejection as rejection:
        raise in_response_terms(rejection, led_by=int(bool(asked.instructions))) from rejection
    echo = {
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "metadata": asked.metadata or {},
        "model": asked.model,
        "temperature": asked.temperature,
        "text": (asked.text.model_dump(by_alias=True, exclude_none=True) if asked.text else {})
        or {"format": {"type": "text"}},
        "top_p": asked.top_p,
    }
    return Generation(chat.body, bool(asked.stream), ResponseDialect(echo))


def _as_chat(asked: ResponseBody) -> dict[str, object]:
    said = asked.input
    messages: list[dict[str, object]] = (
        [{"role": "system", "content": asked.instructions}] if asked.instructions else []
    )
    if isinstance(said, str):
        messages.append({"role": "user", "content": said})
    else:
        messages.extend(each.in_chat() for each in said)
    chat: dict[str, object] = {
        "model": asked.model,
        "messages": messages,
        "max_completion_tokens": asked.max_output_tokens,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    shape = asked.text.format if asked.text else None
    if shape is not None and shape.type == "json_schema":
        chat["response_format"] = {"type": shape.type, "json_schema": {"name": shape.name, "schema": shape.schema_}}
    elif shape is not None:
        chat["response_format"] = {"type": shape.type}
    return {key: value for key, value in chat.items() if value is not None}
