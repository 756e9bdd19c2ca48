"""The edge of the OpenAI API: requests checked, and written as an engine may see them."""

from dataclasses import dataclass
from typing import Any

import orjson

from tenfold.serve.bodies import (
    DROPPED,
    READS_IMAGES,
    ChatBody,
    CompletionBody,
    GenerationBody,
    ResponseFormat,
    Tool,
)
from tenfold.serve.dialect import PLAIN, Dialect
from tenfold.serve.images import MOST_IMAGES, Eyes, Looking
from tenfold.serve.json_schema import BadSchema, bounded
from tenfold.serve.rejection import Rejection, no_such_model, read_body

DEFAULT_MAX_TOKENS = 256
LONGEST_TOKEN = 64
"""Characters: a prompt that is longer than this for each token of the context is refused before an engine splits it."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A checked request.

    ``body``: what the engine gets, always streaming. ``stream``: what the client gets. ``dialect``: how what the engine
    says is told to the client.
    """

    body: bytes
    stream: bool
    dialect: Dialect = PLAIN


def read_generation(
    raw: bytes,
    schema: type[GenerationBody],
    *,
    model: str,
    engine_model: str,
    context_tokens: int,
    parallel: int,
    eyes: Eyes | None = None,
) -> Generation:
    """Check a request's body and write the one that the engine gets: of what was asked, what engines know.

    The model's name becomes the engine's, and the number of tokens is bounded: 256 unless the client says otherwise,
    and never more than the context. Images are drawn anew, for which a model needs eyes.

    Raises:
        Rejection: 400 for a body that is not valid or over a bound, 404 for another model.
    """
    asked = read_body(raw, schema, READS_IMAGES if eyes else None)
    if asked.model != model:
        raise no_such_model(asked.model, repr(model))
    if asked.n is not None and asked.n > parallel:
        raise Rejection(400, f"'n': at most {parallel} answers are made together, got {asked.n}", param="n")
    _check_length(asked, context_tokens, eyes)
    wanted = asked.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=DROPPED)
    limit = (asked.max_completion_tokens if isinstance(asked, ChatBody) else None) or asked.max_tokens
    wanted |= {
        "model": engine_model,
        "max_tokens": min(limit or DEFAULT_MAX_TOKENS, context_tokens),
        "stream": True,
    }
    wanted.pop("stream_options", None)
    if not asked.stream or (asked.stream_options and asked.stream_options.include_usage):
        # A whole answer is put together from a stream that tells it.
        wanted["stream_options"] = {"include_usage": True}
    if isinstance(asked, ChatBody):
        _refuse_bound_continuation(asked)
        _bound_schemas(asked, wanted)
        for message in wanted["messages"]:
            # The older name, which every model's template knows.
            message["role"] = "system" if message["role"] == "developer" else message["role"]
        if eyes is not None:
            _draw_images(wanted["messages"], Looking(eyes))
    return Generation(orjson.dumps(wanted), bool(asked.stream))


def _check_length(asked: GenerationBody, context_tokens: int, eyes: Eyes | None) -> None:
    if isinstance(asked, ChatBody):
        param, length = "messages", sum(message.characters for message in asked.messages)
        images = sum(len(message.images) for message in asked.messages)
        if images > MOST_IMAGES:
            raise Rejection(400, f"'messages': {images} images; a request may have {MOST_IMAGES}", param=param)
        if eyes is not None and images * eyes.tokens >= context_tokens:
            message = f"'messages': {images} images do not fit into a context of {context_tokens} tokens"
            raise Rejection(400, message, param=param, code="context_length_exceeded")
    else:
        assert isinstance(asked, CompletionBody), "chats and completions are all there are"
        param, length = "prompt", len(asked.prompt)
    if length > LONGEST_TOKEN * context_tokens:
        message = f"{param!r}: {length} characters do not fit into a context of {context_tokens} tokens"
        raise Rejection(400, message, param=param, code="context_length_exceeded")


def _draw_images(messages: list[dict[str, Any]], looking: Looking) -> None:
    """Put what was drawn in the place of each image."""
    for number, message in enumerate(messages):
        parts = message.get("content")
        for place, part in enumerate(parts if isinstance(parts, list) else []):
            if part["type"] == "image_url":
                url = looking.draw(part["image_url"]["url"], f"messages.{number}.content.{place}.image_url.url")
                part["image_url"] = {"url": url}


def _refuse_bound_continuation(asked: ChatBody) -> None:
    """An assistant's last message is gone on with; llama.cpp ends its process if a grammar does not fit it."""
    has_grammar = asked.tools or (asked.response_format is not None and asked.response_format.type != "text")
    if asked.messages[-1].role == "assistant" and has_grammar:
        message = (
            "'messages': the last message is the assistant's, which cannot be gone on with in a format or with tools"
        )
        raise Rejection(400, message, param="messages")


def _bound_schemas(asked: ChatBody, wanted: dict[str, object]) -> None:
    """Write schemas as an engine may see them."""
    param = ""
    try:
        if isinstance(asked.response_format, ResponseFormat) and asked.response_format.json_schema is not None:
            param = "response_format.json_schema.schema"
            kept = bounded(asked.response_format.json_schema.schema_ or {})
            wanted["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": kept}}
        tools: list[Tool] = asked.tools or []
        written = []
        for index, tool in enumerate(tools):
            param = f"tools.{index}.function.parameters"
            function: dict[str, object] = {"name": tool.function.name, "description": tool.function.description or ""}
            function["parameters"] = bounded(tool.function.parameters or {"type": "object", "properties": {}})
            written.append({"type": "function", "function": function})
        wanted.pop("tools", None)
        if written:
            wanted["tools"] = written
    except BadSchema as error:
        raise Rejection(400, f"{param!r}: {error}", param=param) from error
