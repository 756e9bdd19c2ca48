"""The way to models: a request's ``model`` chooses who answers, and what that took is counted in somebody's name.

Models of this pool are asked of residents, through the gateway; others of the backends that serve them. Answers pass
as bytes; of a stream only the event with the usage is read.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenfold.pool.api_error import send_error
from tenfold.pool.backends.backends import Backend, Backends
from tenfold.pool.body import BodyReader, BodyRefused, Disconnected
from tenfold.pool.forward import IN_HAND, while_client_stays
from tenfold.pool.gateway import SLOT_S
from tenfold.pool.metering.account import Account, account_of
from tenfold.pool.metering.meter import Meter, Overspent
from tenfold.pool.metering.usage import EventStream, WholeAnswer
from tenfold.pool.metering.used import NANO, Used
from tenfold.pool.model_plan import ModelPlan

log = logging.getLogger(__name__)

BYTES_PER_TOKEN = 4
"""Of a prompt whose answer broke off before it told its tokens."""
TOKENS_PER_IMAGE = 256
"""Of such a prompt's images: models take some twenty to some thousand, however large its file is."""

NOT_BEGUN = 599
"""In place of the status of an answer."""

_TELLS_USAGE_IF_ASKED = frozenset({"/v1/chat/completions", "/v1/completions"})
"""Paths whose streams tell their usage only where the body asks for it."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the door must know of a body; ``hides_usage``: the gateway asks for the usage, the client has not."""

    body: bytes
    model: str | None
    hides_usage: bool = False


class ModelDoor:
    """An ASGI app for the paths of models, to be wrapped by ``answered``.

    Args:
        gateway: answers for this pool's own models.
        plan: what models there are.
        backends: answer for the others.
        meter: counts, and judges budgets.
        usd_per_unit: the price of a unit of the residents' work now.
        body_limit_bytes: largest request body.
    """

    def __init__(
        self,
        gateway: ASGIApp,
        plan: ModelPlan,
        backends: Backends,
        meter: Meter,
        *,
        usd_per_unit: Callable[[], float],
        body_limit_bytes: int,
    ) -> None:
        self._gateway = gateway
        self._plan = plan
        self._own = frozenset(plan.own)
        self._backends = backends
        self._meter = meter
        self._usd_per_unit = usd_per_unit
        self._bodies = BodyReader(body_limit_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        account = account_of(scope)
        over = self._meter.overspent(account)
        if over is not None:
            self._meter.note(account, "", Used(refused=1))
            await _refuse(over, send)
            return
        try:
            asked = _read(await self._bodies.read(receive), scope["path"])
            await self._answer(asked, account, scope, receive, send)
        except BodyRefused as refusal:
            headers = {} if refusal.was_read else {"connection": "close"}
            await send_error(send, refusal.status, str(refusal), headers=headers)
        except Disconnected:
            log.debug("client left %s", scope["path"])

    async def _answer(self, asked: _Asked, account: Account, scope: Scope, receive: Receive, send: Send) -> None:
        model = asked.model
        elsewhere = model is not None and model not in self._own
        if model is not None and elsewhere and not self._backends.serve(model):
            names = ", ".join(repr(name) for name in self._plan.models)
            text = f"the model {model!r:.80} does not exist; this pool serves {names}"
            await send_error(send, 404, text, code="model_not_found", param="model")
            return
        answer = _Watched(send, hides_usage=asked.hides_usage)
        backend: Backend | None = None

        def trying(tried: Backend) -> None:
            nonlocal backend
            backend = tried

        broken_here = True
        try:
            if model is not None and elsewhere:
                await while_client_stays(self._backends.ask(model, scope, asked.body, answer, trying), receive)
            else:
                await self._gateway(scope, _with_body(asked.body, receive), answer)
            # Answered, or the client has left, of which the gateway says nothing.
            broken_here = False
        except Disconnected:
            broken_here = False
            raise
        finally:
            # Who leaves before the first byte has had the prompt read; whom the pool leaves pays nothing.
            if answer.status < 400 or (answer.status == NOT_BEGUN and IN_HAND in scope and not broken_here):
                self._count(asked, account, scope, answer, backend)

    def _count(
        self, asked: _Asked, account: Account, scope: Scope, answer: "_Watched", backend: Backend | None
    ) -> None:
        tokens_in, tokens_out = answer.tokens_in, answer.tokens_out or 0
        if tokens_in is None:
            tokens_in = _estimate_tokens(asked.body)
        if backend is not None:
            prices = backend.settings
            usd = (tokens_in * prices.usd_per_million_in + tokens_out * prices.usd_per_million_out) / 1e6
        else:
            usd = self._plan.units(scope["path"], tokens_in, tokens_out) * self._usd_per_unit()
        used = Used(
            requests=1,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            slot_s=scope.get(SLOT_S, 0.0),
            nano_usd=round(usd * NANO),
        )
        self._meter.note(account, asked.model or "", used)


class _Watched:
    """Sends an answer on and reads its usage. ``status`` is ``NOT_BEGUN`` until the answer begins."""

    def __init__(self, send: Send, *, hides_usage: bool) -> None:
        self._send = send
        self._hides_usage = hides_usage
        self._reader: WholeAnswer | EventStream = WholeAnswer()
        self.status = NOT_BEGUN

    @property
    def tokens_in(self) -> int | None:
        return self._reader.tokens_in

    @property
    def tokens_out(self) -> int | None:
        return self._reader.tokens_out

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if any(name == b"content-type" and kind.startswith(b"text/event-stream") for name, kind in _head(message)):
                self._reader = EventStream(hides_usage=self._hides_usage)
                kept = [line for line in message["headers"] if line[0].lower() != b"content-length"]
                message = {**message, "headers": kept}
            await self._send(message)
            return
        is_last = not message.get("more_body", False)
        body = self._reader.take(message.get("body", b""))
        if is_last:
            body += self._reader.end()
        if body or is_last:
            await self._send({"type": "http.response.body", "body": body, "more_body": not is_last})


def _head(message: Message) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in message["headers"]]


def _read(body: bytes, path: str) -> _Asked:
    """Find the model that a body names, and see to it that a stream will tell its usage."""
    try:
        table = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _Asked(body, None)
    if not isinstance(table, dict) or not isinstance(model := table.get("model"), str):
        return _Asked(body, None)
    options = table.get("stream_options") or {}
    if (
        table.get("stream") is not True
        or path not in _TELLS_USAGE_IF_ASKED
        or not isinstance(options, dict)
        or options.get("include_usage")
    ):
        return _Asked(body, model)
    table["stream_options"] = {**options, "include_usage": True}
    return _Asked(orjson.dumps(table), model, hides_usage=True)


def _estimate_tokens(body: bytes) -> int:
    try:
        images = list(_image_urls(orjson.loads(body)))
    except orjson.JSONDecodeError:
        images = []
    return (len(body) - sum(map(len, images))) // BYTES_PER_TOKEN + TOKENS_PER_IMAGE * len(images)


def _image_urls(table: object) -> Iterator[str]:
    for message in (*_list_in(table, "messages"), *_list_in(table, "input")):
        for part in _list_in(message, "content"):
            match part:
                case {"type": "image_url", "image_url": {"url": str(url)}}:
                    yield url
                case {"type": "input_image", "image_url": str(url)}:
                    yield url


def _list_in(table: object, key: str) -> list[Any]:
    found = table.get(key) if isinstance(table, dict) else None
    return found if isinstance(found, list) else []


def _with_body(body: bytes, receive: Receive) -> Receive:
    """Give a body that has been read, and then what comes after it."""
    is_given = False

    async def give() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


async def _refuse(over: Overspent, send: Send) -> None:
    hours = over.seconds_left / 3600
    text = f"the budget of {over.whose}, {over.budget}, is used up; the next day begins in {hours:.1f} hours (UTC)"
    # OpenAI's clients would ask again at once without the header.
    headers = {"x-should-retry": "false", "retry-after": str(int(over.seconds_left) + 1)}
    await send_error(send, 429, text, code="insufficient_quota", headers=headers)
