"""What requests of one conversation have in common: a resident that answered the last one has its prompt in memory."""

import orjson

PROMPT_CHARACTERS = 1024


def prefix_of(body: bytes) -> bytes | None:
    """Find a key in a request's body that the next request of its conversation has too.

    It is the client's ``prompt_cache_key`` if there is one; else a chat's or response's messages up to its first of a
    user, or the beginning of a prompt. None where the body is no such request; the resident says what is wrong with it.
    """
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    said: list[object] | None = None
    match told:
        case {"prompt_cache_key": str(key)}:
            return key.encode("utf-8", "replace")
        case {"messages": [*messages]} | {"input": [{}, *_] as messages}:
            said = [told.get("instructions"), *_up_to_a_user(messages)]
        case {"prompt": str(prompt)} | {"input": str(prompt)}:
            said = [told.get("instructions"), prompt[:PROMPT_CHARACTERS]]
    return None if said is None else _written(said)


def _up_to_a_user(messages: list[object]) -> list[object]:
    first = next((n for n, each in enumerate(messages) if isinstance(each, dict) and each.get("role") == "user"), 0)
    return [each.get("content") for each in messages[: first + 1] if isinstance(each, dict)]


def _written(said: list[object]) -> bytes | None:
    try:
        return orjson.dumps(said)
    except orjson.JSONEncodeError:
        # Nested deeper than it writes, though it reads that; or text that is no Unicode.
        return None
