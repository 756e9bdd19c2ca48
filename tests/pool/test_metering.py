"""What is used of models is read from answers' bytes, summed by who asked, and held to budgets."""

import asyncio
import datetime as dt

import orjson
import pytest

from tenfold.core.store import open_store
from tenfold.pool.metering.account import Account, account_of
from tenfold.pool.metering.budget import Budget, read_budget
from tenfold.pool.metering.meter import MIGRATIONS, Meter, Row, add_rows, read_day
from tenfold.pool.metering.usage import EventStream, WholeAnswer
from tenfold.pool.metering.used import NANO, Used
from tenfold.pool.metering.view import meter_view
from tenfold.pool.slot_time import SlotTime

NOON = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC).timestamp()
DAY = "2026-11-28"
ACME = Account("agents", "acme")


def event(**fields: object) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"


def chunks() -> list[bytes]:
    words = [event(choices=[{"delta": {"content": 'one "usage": 9'}}], usage=None) for _ in range(3)]
    usage = event(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10})
    return [*words, usage, b"data: [DONE]\n\n"]


@pytest.mark.parametrize("hides_usage", [True, False])
@pytest.mark.parametrize("size", [1, 5, 80, 10_000])
def test_a_streams_usage_is_read_and_hidden_if_only_the_gateway_asked_for_it(hides_usage, size):
    sent = b"".join(chunks())
    reader = EventStream(hides_usage=hides_usage)
    told = b"".join(reader.take(sent[at : at + size]) for at in range(0, len(sent), size)) + reader.end()
    assert (reader.tokens_in, reader.tokens_out) == (7, 3)
    assert told == (sent if not hides_usage else b"".join(part for part in chunks() if b"prompt_tokens" not in part))


def test_a_stream_that_breaks_off_has_a_token_for_each_event_and_its_bytes_are_passed_on():
    reader = EventStream(hides_usage=True)
    sent = b"".join(chunks()[:2]) + b"data: {half"
    assert reader.take(sent) + reader.end() == sent
    assert (reader.tokens_in, reader.tokens_out) == (None, 2)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}, (5, 2)),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 2}, (5, 2)),
        ({"prompt_tokens": 5, "total_tokens": 5}, (5, 0)),
    ],
)
def test_a_whole_answers_usage_is_read_from_its_end_whatever_its_text_says(usage, tokens):
    text = '"usage": {"prompt_tokens": 999, "completion_tokens": 999}'
    body = orjson.dumps({"choices": [{"message": {"content": text * 200}}], "usage": usage, "note": text})
    reader = WholeAnswer()
    told = b"".join(reader.take(body[at : at + 1000]) for at in range(0, len(body), 1000)) + reader.end()
    assert told == body
    assert (reader.tokens_in, reader.tokens_out) == tokens


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [("200000 tokens", 200_000, "tokens"), ("1_000 token/day", 1000, "tokens"), ("2.50 USD a day", 2.5, "usd")],
)
def test_a_budget_is_read_and_written_in_words(text, amount, unit):
    budget = read_budget(text)
    assert budget == Budget(amount=amount, unit=unit)
    assert read_budget(str(budget)) == budget


@pytest.mark.parametrize("text", ["", "5", "usd 5", "-1 usd", "5 euros"])
def test_what_is_no_budget_is_named_with_what_would_be_right(text):
    with pytest.raises(ValueError, match="write it as '200000 tokens'"):
        read_budget(text)


def test_budgets_hold_by_key_tenant_and_product_until_the_next_day():
    now = [NOON]
    budgets = {"agents/*": read_budget("100 tokens"), "agents": read_budget("1 usd"), "feed": read_budget("0 usd")}
    meter = Meter(budgets, {"abc": read_budget("10 tokens")}.get, lambda: now[0])
    keyed = Account("api", "team", "abc")
    assert meter.overspent(ACME) is None and meter.overspent(keyed) is None
    assert meter.overspent(Account("feed")) is not None
    meter.note(ACME, "m", Used(requests=1, tokens_in=90, tokens_out=10))
    meter.note(keyed, "m", Used(requests=1, tokens_in=4, tokens_out=7))
    over = meter.overspent(ACME)
    assert over is not None and over.whose == "agents/acme" and over.seconds_left == 12 * 3600
    assert meter.overspent(keyed).whose == "key abc"
    assert meter.overspent(Account("api", "team", "other")) is None
    other = Account("agents", "other")
    assert meter.overspent(other) is None
    meter.note(other, "m", Used(requests=1, nano_usd=NANO))
    assert meter.overspent(Account("agents", "third")).whose == "agents"
    now[0] += 86_400
    assert meter.overspent(ACME) is None and meter.today() == {}


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def run(meter: Meter, url: str, condition) -> None:
    writing = asyncio.create_task(meter.write_for_ever(url))
    await until(condition)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)


async def test_a_meter_that_is_started_again_goes_on_from_what_was_written(tmp_path):
    url = f"sqlite:///{tmp_path / 'meter.db'}"
    budgets = {"agents/acme": read_budget("10 tokens")}
    first = Meter(budgets, clock=lambda: NOON)
    first.note(ACME, "m", Used(requests=1, tokens_out=6, slot_s=0.5))
    await run(first, url, lambda: first._store is not None)
    second = Meter(budgets, clock=lambda: NOON)
    second.note(ACME, "m", Used(requests=1, tokens_out=5, slot_s=0.25))
    assert second.overspent(ACME) is None
    await run(second, url, lambda: second.overspent(ACME) is not None)
    store = open_store(url, MIGRATIONS)
    assert read_day(store, DAY) == {Row(DAY, ACME, "m"): Used(requests=2, tokens_out=11, slot_s=0.75)}
    store.close()


async def test_without_its_database_the_meter_counts_and_judges_and_says_so_and_writes_all_once_it_can(tmp_path):
    (tmp_path / "meter.db").mkdir()
    url = f"sqlite:///{tmp_path / 'meter.db'}"
    meter = Meter({"agents": read_budget("5 tokens")}, clock=lambda: NOON)
    meter.note(ACME, "m", Used(requests=1, tokens_out=6))
    await run(meter, url, lambda: "counted and not recorded" in meter.trouble)
    assert meter.overspent(ACME) is not None
    (tmp_path / "meter.db").rmdir()
    await run(meter, url, lambda: meter.trouble == "" and meter._store is not None)
    store = open_store(url, MIGRATIONS)
    assert [used.tokens_out for used in read_day(store, DAY).values()] == [6]
    store.close()


async def test_a_day_is_shown_by_product_tenant_key_and_model(tmp_path):
    url = f"sqlite:///{tmp_path / 'meter.db'}"
    store = open_store(url, MIGRATIONS)
    add_rows(store, {Row("2026-11-27", ACME, "m"): Used(requests=3, nano_usd=2 * NANO)})
    store.close()
    meter = Meter({}, clock=lambda: NOON)
    meter.note(ACME, "m", Used(requests=1, tokens_in=3))
    writing = asyncio.create_task(meter.write_for_ever(url))
    await until(lambda: meter._store is not None)
    today, yesterday = await meter_view(meter, None), await meter_view(meter, dt.date(2026, 11, 27))
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert today.day == dt.date(2026, 11, 28) and today.rows[0].tokens_in == 3
    assert (yesterday.rows[0].product, yesterday.rows[0].requests, yesterday.rows[0].usd) == ("agents", 3, 2.0)


def test_who_asks_is_read_from_what_the_doorkeeper_has_put_there():
    def told(**headers: str) -> Account:
        lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return account_of({"type": "http", "headers": lines})

    assert told(x_tenfold_for="agents/acme", x_tenfold_tenant="") == ACME
    assert told(x_tenfold_tenant="team", x_tenfold_key="abc") == Account("api", "team", "abc")
    assert told() == Account("api")


def test_requests_in_one_residents_hands_share_its_time():
    now = [0.0]
    time = SlotTime(lambda: now[0])
    first = time.begin("a")
    now[0] = 1.0
    second = time.begin("a")
    now[0] = 3.0
    assert time.end("a", first) == pytest.approx(2.0)
    now[0] = 4.0
    assert time.end("a", second) == pytest.approx(2.0)
    now[0] = 9.0
    third = time.begin("a")
    now[0] = 10.0
    assert time.end("a", third) == pytest.approx(1.0)
