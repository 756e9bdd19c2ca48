"""One HTTP call with a deadline: an answer, or why there is none."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import aiohttp
import orjson

Json = dict[str, object]
Reason = Literal["deadline", "unreachable", "busy", "refused", "failed", "broken"]

TRY_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Late:
    """There is no answer in time, so the caller does without.

    ``reason``: ``deadline`` (none came by then), ``unreachable`` (nobody took the request), ``busy`` (429 or 503: ask
    later), ``refused`` (another 4xx: the request is wrong), ``failed`` (5xx, or an answer that is no JSON object),
    ``broken`` (the answer began and broke off). ``detail``: in a sentence, for a log.
    """

    reason: Reason
    detail: str


async def call(
    session: aiohttp.ClientSession, url: str, body: Json | None, headers: Mapping[str, str], deadline_s: float
) -> Json | Late:
    """POST ``body``, or GET where there is none, and read a JSON object.

    While no byte of an answer has come and nobody takes the request, as while a process is started again, it is tried
    again until the deadline. Once an answer has begun it is not: what was asked for may be done.
    """
    opened = await _open(session, url, body, headers, deadline_s)
    if isinstance(opened, Late):
        return opened
    response, end = opened
    try:
        async with asyncio.timeout_at(end):
            content = await response.read()
    except TimeoutError:
        return Late("deadline", f"{url} began its answer and did not end it within {deadline_s:g} s")
    except aiohttp.ClientError as error:
        return Late("broken", f"{url} broke off its answer: {error or type(error).__name__}")
    finally:
        response.release()
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        return Late("failed", f"{url} answered what is no JSON: {error}")
    return found if isinstance(found, dict) else Late("failed", f"{url} answered JSON that is no object")


async def _open(
    session: aiohttp.ClientSession, url: str, body: Json | None, headers: Mapping[str, str], deadline_s: float
) -> tuple[aiohttp.ClientResponse, float] | Late:
    """Send a request until somebody takes it; gives the answer that has begun, and the deadline by the loop's clock."""
    end = asyncio.get_running_loop().time() + deadline_s
    cause = ""
    while True:
        try:
            async with asyncio.timeout_at(end):
                response = await _send(session, url, body, headers)
                if response.ok:
                    return response, end
                return await _refusal(url, response)
        except TimeoutError:
            if cause:
                return Late("unreachable", f"{url} could not be reached within {deadline_s:g} s: {cause}")
            return Late("deadline", f"{url} did not answer within {deadline_s:g} s")
        except aiohttp.ClientError as error:
            cause = str(error) or type(error).__name__
            await asyncio.sleep(min(TRY_AGAIN_S, max(0.0, end - asyncio.get_running_loop().time())))


async def _send(
    session: aiohttp.ClientSession, url: str, body: Json | None, headers: Mapping[str, str]
) -> aiohttp.ClientResponse:
    if body is None:
        return await session.get(url, headers=headers)
    return await session.post(url, data=orjson.dumps(body), headers={**headers, "content-type": "application/json"})


async def _refusal(url: str, response: aiohttp.ClientResponse) -> Late:
    try:
        text = (await response.text(errors="replace"))[:300]
    except aiohttp.ClientError as error:
        # Its status is known, and that is what counts.
        text = f"(broken off: {error or type(error).__name__})"
    finally:
        response.release()
    reason: Reason = "busy" if response.status in (429, 503) else "refused" if response.status < 500 else "failed"
    return Late(reason, f"{url} answered {response.status}: {text}")
