"""A server of one model that costs next to nothing, for ``bench/gateway.py``: says the same each time.

python bench/gateway_upstream.py PORT [--events 100] [--every-ms 5] [--think-ms 0]
"""

import argparse
import asyncio
import json

import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

USAGE = {"prompt_tokens": 12, "completion_tokens": 100, "total_tokens": 112}
STAMP = {"id": "chatcmpl-1", "created": 1, "model": "stub"}


def answer() -> bytes:
    message = {"role": "assistant", "content": "word " * 60}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({**STAMP, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()


def event(**fields: object) -> bytes:
    table = {**STAMP, "object": "chat.completion.chunk", **fields}
    return b"data: " + json.dumps(table, separators=(",", ":")).encode() + b"\n\n"


WORD = event(choices=[{"index": 0, "delta": {"role": "assistant", "content": "word "}, "finish_reason": None}])
END = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
TOLD = event(choices=[], usage=USAGE)
DONE = b"data: [DONE]\n\n"


class Upstream:
    """Answers every POST as a chat."""

    def __init__(self, events: int, every_s: float, think_s: float) -> None:
        self._events = events
        self._every_s = every_s
        self._think_s = think_s
        self._answer = answer()

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        body = b""
        while True:
            message = await receive()
            assert message["type"] == "http.request"
            body += message["body"]
            if not message["more_body"]:
                break
        asked = json.loads(body or b"{}")
        if self._think_s:
            await asyncio.sleep(self._think_s)
        if asked.get("stream"):
            await self._stream(bool((asked.get("stream_options") or {}).get("include_usage")), send)
            return
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._answer))]
        await send({"type": "http.response.start", "status": 200, "headers": head, "trailers": False})
        await send({"type": "http.response.body", "body": self._answer, "more_body": False})

    async def _stream(self, with_usage: bool, send: ASGISendCallable) -> None:
        head = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": head, "trailers": False})
        for _ in range(self._events):
            await send({"type": "http.response.body", "body": WORD, "more_body": True})
            await asyncio.sleep(self._every_s)
        rest = END + (TOLD if with_usage else b"") + DONE
        await send({"type": "http.response.body", "body": rest, "more_body": False})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--every-ms", type=float, default=5.0)
    parser.add_argument("--think-ms", type=float, default=0.0)
    args = parser.parse_args()
    app = Upstream(args.events, args.every_ms / 1e3, args.think_ms / 1e3)
    uvicorn.run(app, port=args.port, log_level="warning", access_log=False, lifespan="off", backlog=2048)


if __name__ == "__main__":
    main()
