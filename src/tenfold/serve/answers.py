"""What a whole answer of the OpenAI API holds; fields that engines add beside these may come too."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Any of them."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Usage(Answer):
    """Tokens of a request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AnswerMessage(Answer):
    """What the model said, or the functions that it calls."""

    role: Literal["assistant"]
    content: str | None = None


class ChatChoice(Answer):
    """One answer to a chat."""

    index: int
    message: AnswerMessage
    finish_reason: str | None


class ChatAnswer(Answer):
    """Body of an answer of POST /v1/chat/completions without ``stream``."""

    id: str
    object: Literal["chat.completion"]
    created: int = Field(description="Unix seconds")
    model: str
    choices: list[ChatChoice]
    usage: Usage | None = None


class TextChoice(Answer):
    """One continuation of a prompt."""

    index: int
    text: str
    finish_reason: str | None


class TextAnswer(Answer):
    """Body of an answer of POST /v1/completions without ``stream``."""

    id: str
    object: Literal["text_completion"]
    created: int = Field(description="Unix seconds")
    model: str
    choices: list[TextChoice]
    usage: Usage | None = None
