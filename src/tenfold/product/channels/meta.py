"""WhatsApp's Cloud API and Messenger, by Meta's Graph API: what comes is read, what goes is sent.

Meta signs the raw body of what it sends. It sends batches, sends them again until it is answered 200, and in any order:
messages are told apart by their ids.
"""

import hashlib
import hmac
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import aiohttp
import orjson

from tenfold.product.channels.deliveries import OUTSIDE, ChannelRefused, Delivery, NotSent, OutsideWindow, Receipt
from tenfold.product.channels.settings import Messenger, WhatsApp

log = logging.getLogger(__name__)

MetaChannel = Literal["whatsapp", "messenger"]
SIGNATURE_HEADER = "x-hub-signature-256"
PATIENCE = aiohttp.ClientTimeout(total=20)
LONGEST: dict[MetaChannel, int] = {"whatsapp": 4096, "messenger": 2000}
"""Characters of one message."""
_WHATSAPP_WINDOW = 131047
_MESSENGER_WINDOW = 2018278
"""Codes by which Meta says that it is too late to write."""
_REFUSES_ALL = {0, 3, 10, 33, 102, 190, 368, 131005, 131031, 131037, 131042, 131045, 133010, *range(200, 300)}
"""Codes that speak of the sender: no right or no valid token, a number that is locked, not registered or not paid."""
_NO_RIGHT = (100, 33)
"""Code and subcode by which Meta says that a token has no right to this number or page, or that there is none."""
_REFUSES_ONE = {551, 130472, 130497, 131021, 131026, 131030, 131049, 131050}
_NOT_REACHABLE = 1545041
"""Codes, and a subcode of Messenger's, that speak of the recipient."""
_PASSES = {1, 2, 4, 17, 32, 341, 613, 80007, 130429, 131000, 131016, 131048, 131056, 131057, 133004, 133016}
"""Codes of limits and faults that pass, with whatever status they come."""
_QUOTED = re.compile(r"(\d{1,18})(?:\.(\d{1,9}))?", re.ASCII)
"""Number of a delivery and of its try, as WhatsApp quotes them."""
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message from a customer. ``at``: when the customer sent it, in Unix seconds."""

    id: str
    sender: str
    text: str
    at: float


def is_signed(body: bytes, signature: str, app_secret: str) -> bool:
    """Whether Meta, or who else knows the secret, sent this very body."""
    expected = "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))


def read_whatsapp(body: bytes, settings: WhatsApp) -> tuple[list[Incoming], list[Receipt]]:
    """Read messages to this number, the oldest first, and what is said of our deliveries."""
    found, receipts = [], []
    for entry in _rows(_json(body), "entry"):
        for change in _rows(entry, "changes"):
            value = _part(change, "value")
            if _part(value, "metadata").get("phone_number_id") != settings.phone_number_id:
                continue
            found += [each for row in _rows(value, "messages") if (each := _whatsapp_message(row)) is not None]
            receipts += [each for row in _rows(value, "statuses") if (each := _receipt(row)) is not None]
    return sorted(found, key=lambda each: each.at), receipts


def read_messenger(body: bytes, settings: Messenger) -> list[Incoming]:
    """Read messages to this page, the oldest first; not what the page itself wrote."""
    found = []
    for entry in _rows(_json(body), "entry"):
        if entry.get("id") != settings.page_id:
            continue
        for event in _rows(entry, "messaging"):
            message, sender = _part(event, "message"), str(_part(event, "sender").get("id", ""))
            if not sender or message.get("is_echo") or not message.get("mid"):
                continue
            text = str(message.get("text") or "(an attachment)")
            found.append(Incoming(str(message["mid"]), sender, text, _seconds(event.get("timestamp"), 1e-3)))
    return sorted(found, key=lambda each: each.at)


def parts_of(text: str, longest: int) -> Iterator[str]:
    """Cut a long text at line ends or spaces."""
    while len(text) > longest:
        cut = max(text.rfind("\n", 0, longest), text.rfind(" ", 0, longest))
        cut = cut if cut > longest // 2 else longest
        yield text[:cut].rstrip()
        text = text[cut:].lstrip()
    yield text


async def send(
    session: aiohttp.ClientSession, graph_url: str, delivery: Delivery, settings: WhatsApp | Messenger | None
) -> None:
    """Send a reply by the Graph API.

    Args:
        session: sends it.
        graph_url: address of the Graph API.
        delivery: what is sent, and to whom.
        settings: of the delivery's channel; none if it is not set any more.

    Raises:
        NotSent: it was not taken.
    """
    if settings is None:
        raise NotSent(f"{delivery.business} has no {delivery.channel} any more", for_good=True)
    is_whatsapp = isinstance(settings, WhatsApp)
    sender = settings.phone_number_id if is_whatsapp else settings.page_id
    parts = list(parts_of(str(delivery.content["text"]), LONGEST["whatsapp" if is_whatsapp else "messenger"]))
    taken = cast(int, delivery.content.get("taken", 0))
    for place, part in enumerate(parts[taken:], taken + 1):
        try:
            body = _body(delivery, part, is_last=place == len(parts))
            await _post(session, f"{graph_url}/{sender}/messages", settings.access_token, body)
        except NotSent as error:
            error.parts_taken = place - 1
            raise


def _body(delivery: Delivery, text: str, *, is_last: bool) -> Json:
    if delivery.channel == "messenger":
        return {"recipient": {"id": delivery.address}, "messaging_type": "RESPONSE", "message": {"text": text}}
    to: Json = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": delivery.address}
    # Who has the last part has all: of an earlier one WhatsApp says nothing that would end the delivery.
    quoted = {"biz_opaque_callback_data": f"{delivery.number}.{delivery.tries}"} if is_last else {}
    return {**to, "type": "text", "text": {"body": text}, **quoted}


async def _post(session: aiohttp.ClientSession, url: str, token: str, body: Json) -> None:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    try:
        async with session.post(url, data=orjson.dumps(body), headers=headers, timeout=PATIENCE) as answer:
            text = await answer.text(errors="replace")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NotSent(f"{url} does not answer: {error or type(error).__name__}") from error
    if answer.status != 200:
        raise _refusal(url, answer.status, text)


def _refusal(url: str, status: int, text: str) -> NotSent:
    """What a refusal means, by the code in it, which says more than the status.

    Only what Meta says of this very message, or of its recipient, ends it. https://developers.facebook.com/docs/
    whatsapp/cloud-api/support/error-codes
    """
    error = _part(_json(text.encode()), "error")
    code, subcode = error.get("code"), error.get("error_subcode")
    told = f"{url} answered {status}: {text:.300}"
    if code == _WHATSAPP_WINDOW or subcode == _MESSENGER_WINDOW:
        return OutsideWindow(OUTSIDE)
    if code in _REFUSES_ONE or subcode == _NOT_REACHABLE:
        return NotSent(told, for_good=True)
    if status in (401, 403) or code in _REFUSES_ALL or (code, subcode) == _NO_RIGHT:
        why = error.get("message") or f"it answered {status}"
        return ChannelRefused(f"Meta takes nothing from this account: {why}")
    return NotSent(told, for_good=400 <= status < 429 and isinstance(code, int) and code not in _PASSES)


def _receipt(row: Json) -> Receipt | None:
    """What a status says of a delivery; none if it is of none, or says nothing."""
    told, status = _QUOTED.fullmatch(str(row.get("biz_opaque_callback_data", ""))), row.get("status")
    if told is None or status not in ("sent", "delivered", "read", "failed"):
        return None
    # A Tenfold before this one named no try.
    number, tried = int(told[1]), None if told[2] is None else int(told[2])
    if status != "failed":
        return Receipt(number, tried=tried, is_under_way=status == "sent")
    error: Json = next(iter(_rows(row, "errors")), {})
    why = _part(error, "error_data").get("details") or error.get("message") or error.get("title") or "it says not why"
    code = error.get("code")
    failed = f"WhatsApp took it and could not bring it: {why} (code {code})"
    return Receipt(number, failed, tried, is_late=code == _WHATSAPP_WINDOW)


def _whatsapp_message(row: Json) -> Incoming | None:
    identity, sender, kind = row.get("id"), row.get("from"), row.get("type")
    if not isinstance(identity, str) or not isinstance(sender, str):
        return None
    if kind == "text":
        text = _part(row, "text").get("body")
    elif kind == "button":
        text = _part(row, "button").get("text")
    elif kind == "interactive":
        inside = _part(row, "interactive")
        text = _part(inside, "button_reply").get("title") or _part(inside, "list_reply").get("title")
    elif kind in ("reaction", "system", "unsupported"):
        return None
    else:
        text = _part(row, str(kind)).get("caption") or f"({kind})"
    return Incoming(identity, sender, str(text or f"({kind})"), _seconds(row.get("timestamp"), 1.0))


def _json(body: bytes) -> Json:
    """The body; an empty one where it is no JSON object, which a signed body never is."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        log.warning("a signed webhook's body is no JSON: %r", body[:100])
        return {}
    return found if isinstance(found, dict) else {}


def _rows(of: Json, key: str) -> list[Json]:
    rows = of.get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _part(of: Json, key: str) -> Json:
    part = of.get(key)
    return part if isinstance(part, dict) else {}


def _seconds(value: object, scale: float) -> float:
    try:
        return float(str(value)) * scale
    except ValueError:
        return 0.0
