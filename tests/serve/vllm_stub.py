"""A stub with the endpoints of ``vllm serve`` that Tenfold calls; it generates the word "stub". Not vLLM."""

import argparse
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HEALTHY_AFTER_S = 0.3


class Handler(BaseHTTPRequestHandler):
    started = time.monotonic()
    asleep = False
    key = os.environ.get("VLLM_API_KEY")
    sleeps = True

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(200 if time.monotonic() - self.started > HEALTHY_AFTER_S else 503)
        elif self.path == "/is_sleeping":
            self.answer(200, {"is_sleeping": Handler.asleep})
        else:
            self.answer(404)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.path.startswith("/v1/") and self.headers.get("Authorization") != f"Bearer {self.key}":
            self.answer(401)
        elif self.path in ("/sleep?level=1", "/wake_up") and self.sleeps:
            Handler.asleep = self.path != "/wake_up"
            self.answer(200)
        elif self.path == "/v1/chat/completions" and not Handler.asleep:
            self.generate(json.loads(body))
        else:
            self.answer(404)

    def generate(self, body: dict[str, object]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for index, word in enumerate(["", "stub ", "stub ", "stub"]):
            delta = {"content": word} if index else {"role": "assistant", "content": word}
            self.event(body, [{"index": 0, "delta": delta, "finish_reason": "stop" if index == 3 else None}])
        if body.get("stream_options"):
            self.event(body, [], usage={"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def event(self, body: dict[str, object], choices: list[dict[str, object]], **more: object) -> None:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": body["model"], "choices": choices}
        self.wfile.write(b"data: " + json.dumps(chunk | more).encode() + b"\n\n")

    def answer(self, status: int, body: dict[str, object] | None = None) -> None:
        self.send_response(status)
        data = b"" if body is None else json.dumps(body).encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--enable-sleep-mode", action="store_true")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--max-num-seqs", type=int, required=True)
    parser.add_argument("--max-model-len", type=int, required=True)
    arguments = parser.parse_args()
    if arguments.model == "broken":
        raise SystemExit(3)
    Handler.sleeps = arguments.enable_sleep_mode and os.environ.get("VLLM_SERVER_DEV_MODE") == "1"
    ThreadingHTTPServer((arguments.host, arguments.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
