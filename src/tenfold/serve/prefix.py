"""What requests of one conversation have in common: a resident that answered the last one has its prompt in memory."""

import orjson

PROMPT_CHARACTERS = 1024


def prefix_of(body: bytes) -> bytes | None:
    """Find a key in a request's body that the next request of its conversation has too.

    It is the client's ``prompt_cache_key`` if there is one; else a chat's messages up to its first of a user, or the
    beginning of a prompt. None where the body is no such request; the resident says what is wrong with it.
    """
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict):
        return None
    match told:
        case {"prompt_cache_key": str(key)}:
            return key.encode("utf-8", "replace")
        case {"messages": [*messages]}:
            first = next(
                (n for n, each in enumerate(messages) if isinstance(each, dict) and each.get("role") == "user"), 0
            )
            said = [each.get("content") for each in messages[: first + 1] if isinstance(each, dict)]
            return _written(said)
        case {"prompt": str(prompt)}:
            return prompt[:PROMPT_CHARACTERS].encode("utf-8", "replace")
    return None


def _written(said: list[object]) -> bytes | None:
    try:
        return orjson.dumps(said)
    except orjson.JSONEncodeError:
        # Nested deeper than it writes, though it reads that.
        return None
