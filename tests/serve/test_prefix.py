"""Requests of one conversation have one key, and other bodies are left to the resident."""

import orjson

from tenfold.serve.prefix import prefix_of


def chat(*contents: str, **more: object) -> bytes:
    roles = ["system", *["user", "assistant"] * len(contents)]
    messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]
    return orjson.dumps({"model": "m", "messages": messages, **more})


def test_the_turns_of_a_conversation_have_one_key_and_another_conversation_has_its_own():
    first = prefix_of(chat("You are brief.", "Hello"))
    assert first == prefix_of(chat("You are brief.", "Hello", "Hi.", "And now?", stream=True))
    assert first != prefix_of(chat("You are brief.", "Good morning"))


def test_a_client_may_name_its_key():
    assert prefix_of(chat("a", "b", prompt_cache_key="mine")) == b"mine" == prefix_of(b'{"prompt_cache_key": "mine"}')


def test_prompts_that_begin_alike_have_one_key():
    long = "x" * 2000
    assert prefix_of(orjson.dumps({"prompt": long + "a"})) == prefix_of(orjson.dumps({"prompt": long + "b"}))


def test_the_turns_of_a_response_have_one_key():
    one = [{"role": "user", "content": "Hello"}]
    two = [*one, {"role": "assistant", "content": "Hi."}, {"role": "user", "content": "And now?"}]
    asked = [orjson.dumps({"instructions": "You are brief.", "input": said}) for said in (one, two)]
    assert prefix_of(asked[0]) == prefix_of(asked[1])
    assert prefix_of(orjson.dumps({"instructions": "You are long.", "input": one})) != prefix_of(asked[0])


def test_what_is_no_request_has_no_key():
    for body in (b"", b"[1]", b"{", b'{"messages": 3}', b'{"prompt": ["a"]}', b"{}"):
        assert prefix_of(body) is None
    assert prefix_of(b'{"messages": [1, {"role": "user"}]}') is not None
