"""Tells a human that a customer waits for one: by a webhook of the business, or by e-mail."""

import asyncio
import hashlib
import hmac
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import aiohttp
import orjson
from sqlalchemy import Connection

from tenfold.agents.business_settings import BusinessSettings
from tenfold.agents.deliveries import DELIVERIES
from tenfold.agents.settings import AgentsSettings
from tenfold.agents.tables import Business, Thread
from tenfold.product.channels.deliveries import NotSent

SIGNATURE_HEADER = "x-tenfold-signature"
PATIENCE = aiohttp.ClientTimeout(total=10)
SMTP_PATIENCE_S = 20.0


def tell_of_hand_off(
    connection: Connection, business: Business, thread: Thread, reason: str, summary: str, now: float
) -> None:
    """Have the business told, in the transaction that hands over."""
    settings = BusinessSettings.model_validate(business.settings)
    content = {"business": business.id, "thread": thread.id, "channel": thread.channel, "reason": reason}
    told = {**content, "summary": summary, "at": now}
    if settings.notify_url:
        DELIVERIES.send_later(connection, business.id, thread.id, "webhook", settings.notify_url, told, now)
    if settings.notify_email:
        text = (
            f"A customer of {business.name} waits for a person ({reason}), on {thread.channel}.\n\n{summary}\n\n"
            f"Answer from the inbox: /agents in the console, or: tenfold agents inbox {business.id} {thread.id}\n"
        )
        mail = {"subject": f"A customer of {business.name} waits for you", "text": text}
        DELIVERIES.send_later(connection, business.id, thread.id, "email", settings.notify_email, mail, now)


async def post_notice(session: aiohttp.ClientSession, url: str, content: Mapping[str, object], secret: str) -> None:
    """Tell a webhook; the signature is the HMAC-SHA256 of the raw body by the business's secret.

    Raises:
        NotSent: it was not taken.
    """
    body = orjson.dumps(dict(content))
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", SIGNATURE_HEADER: f"sha256={signature}"}
    try:
        async with session.post(url, data=body, headers=headers, timeout=PATIENCE) as answer:
            if answer.status // 100 != 2:
                raise NotSent(f"{url} answered {answer.status}")
    except (aiohttp.ClientError, TimeoutError) as error:
        raise NotSent(f"{url} does not answer: {error or type(error).__name__}") from error


async def send_mail(settings: AgentsSettings, address: str, content: Mapping[str, object]) -> None:
    """Send an e-mail by ``smtp_url``.

    Raises:
        NotSent: there is no such server, or it did not take the mail.
    """
    if settings.smtp_url is None:
        raise NotSent("no mail is sent: [agents] smtp_url is not set", for_good=True)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = settings.smtp_from, address, str(content["subject"])
    mail.set_content(str(content["text"]))
    try:
        await asyncio.to_thread(_send_mail, settings.smtp_url, mail)
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(f"the mail server did not take it: {error}") from error


def _send_mail(url: str, mail: EmailMessage) -> None:
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    if parts.scheme == "smtps":
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=SMTP_PATIENCE_S)
    else:
        server = smtplib.SMTP(host, parts.port or 25, timeout=SMTP_PATIENCE_S)
    with server:
        if parts.scheme == "smtp+starttls":
            server.starttls(context=ssl.create_default_context())
        if parts.username is not None:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(mail)
