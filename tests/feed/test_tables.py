"""Events count once, whatever order and parts they come in, and a person's next feed knows them."""

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tenfold.core.store import open_store
from tenfold.feed import arms, people, stock, tables, taking
from tenfold.feed.contract import FeedEvent
from tenfold.feed.item import Item
from tenfold.product.holdout import is_held_out as drawn

SHARE, NOW = 0.3, 1_000_000.0


@pytest.fixture
def connection(database):
    store = open_store(database("feed"), tables.MIGRATIONS)
    with store.writing() as found:
        yield found
    store.close()


def test_the_migrations_make_the_tables_that_the_feed_uses(connection):
    made = sa.inspect(connection)
    for table in tables.metadata.tables.values():
        columns = {column["name"]: column["nullable"] for column in made.get_columns(table.name)}
        assert columns == {column.name: column.nullable for column in table.columns}


def is_held_out(person, share):
    return drawn(person, share, arms.EXPERIMENT)


def event(number, person="ann", item=1, action="opened", seconds=0.0, at=None):
    return FeedEvent(id=str(number), person=person, surface="home", item=item, action=action, seconds=seconds, at=at)


def read(connection, person="ann", again_before=NOW + 1):
    return people.read_person(connection, person, again_before=again_before)


def test_what_was_chosen_is_the_history_and_the_latest_is_last(connection):
    taking.take(connection, [event(1, item=5, at=30.0), event(2, item=7, at=10.0)], SHARE, NOW)
    taking.take(connection, [event(3, item=7, action="liked", at=50.0)], SHARE, NOW)
    # It comes last and happened first.
    taking.take(connection, [event(4, item=9, action="watched", seconds=60, at=5.0)], SHARE, NOW)
    person = read(connection)
    assert person.history == (9, 5, 7)
    assert person.seen == {5, 7, 9}


def test_what_does_not_interest_is_blocked_and_leaves_the_history(connection):
    taking.take(connection, [event(1, item=5), event(2, item=6), event(3, item=5, action="not_interested")], SHARE, NOW)
    person = read(connection)
    assert (person.history, person.blocked) == ((6,), {5})


def test_what_was_shown_lately_or_three_times_is_not_shown(connection):
    shown = [event(n, item=n % 2, action="shown") for n in range(6)]
    taking.take(connection, [*shown, event(6, item=1)], SHARE, NOW)
    assert read(connection).tired == {0, 1}
    assert read(connection).history == (1,)
    taking.take(connection, [event(7, item=8, action="shown"), event(8, item=9, action="shown")], SHARE, NOW)
    assert read(connection, again_before=NOW - 60).tired == {0, 1, 8, 9}
    assert read(connection, again_before=NOW + 60).tired == {0, 1}


def test_nobody_can_have_happened_later_than_now(connection):
    taking.take(connection, [event(1, item=5, at=NOW + 1e6), event(2, item=6)], SHARE, NOW)
    taking.take(connection, [event(3, item=7)], SHARE, NOW + 1)
    assert read(connection).history == (5, 6, 7)


def sums(connection):
    """Of those served and those held out, whatever their share."""
    found = arms.read_arms(connection)
    return [[value for arm, value in found.items() if arm.held_out is held_out] for held_out in (False, True)]


def test_whoever_does_something_is_counted_into_an_arm_once_and_for_good(connection):
    names = [f"p{n}" for n in range(200)]
    for number, share in enumerate((SHARE, 0.9 * SHARE, 0.01)):
        taking.take(connection, [event(number, name, action="shown") for name in names], share, NOW)
        assert all(read(connection, name).held_out == is_held_out(name, SHARE) for name in names)
    held_out = sum(is_held_out(name, SHARE) for name in names)
    assert 30 < held_out < 90
    assert sums(connection) == [[arms.Sums(200 - held_out)], [arms.Sums(held_out)]]
    # Who comes under another share is compared with those who came under it.
    taking.take(connection, [event(1, f"late{n}", action="shown") for n in range(20)], 0.5, NOW)
    assert {arm.share for arm in arms.read_arms(connection)} == {SHARE, 0.5}


def test_what_was_watched_is_told_once_and_never_while_nobody_is_held_out(connection):
    held_out = {is_held_out(name, SHARE): name for name in ("a", "b", "c", "d", "e", "f")}
    taking.take(connection, [event(1, held_out[False], action="watched", seconds=30)], SHARE, NOW)
    assert arms.has_untold(connection)
    assert arms.take_untold(connection) is None
    taking.take(connection, [event(1, held_out[True], action="watched", seconds=20)], SHARE, NOW)
    # One person each: of those served nothing is new, of the other 20 seconds.
    assert arms.take_untold(connection) == -20.0
    assert not arms.has_untold(connection)
    taking.take(connection, [event(2, held_out[True], action="watched", seconds=5)], SHARE, NOW)
    assert arms.take_untold(connection) == -5.0
    assert sums(connection) == [[arms.Sums(1, 30.0, 30.0)], [arms.Sums(1, 25.0, 25.0)]]


def test_no_table_is_read_whole_for_a_few_events(tmp_path):
    # PostgreSQL plans by statistics, which an empty table has not.
    store = open_store(f"sqlite:///{tmp_path / 'feed.db'}", tables.MIGRATIONS)
    asked = []
    with store.writing() as connection:
        sa.event.listen(connection, "before_cursor_execute", lambda *all_of: asked.append(all_of[2:4]))
        taking.take(connection, [event(n, f"p{n % 3}", item=n, action="opened") for n in range(20)], SHARE, NOW)
        reads = [(text, values) for text, values in asked if text.startswith("SELECT")]
        assert len(reads) == 11
        for text, values in reads:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all()
            assert not [row for row in plan if row.detail.startswith("SCAN")], (text, plan)
    store.close()


def test_the_catalog_is_replaced_whole(connection):
    films = [Item(1, "Alien", ("Horror", "Sci-Fi"), 10), Item(2, "Babe", (), 3)]
    stock.write_catalog(connection, films)
    stock.write_catalog(connection, films[1:])
    assert stock.read_catalog(connection) == films[1:]


def test_what_is_forgotten_is_gone_and_what_was_watched_stays_in_the_sums(connection):
    taking.take(connection, [event(1, action="watched", seconds=30), event(2, person="bob")], SHARE, NOW)
    assert people.forget(connection, "ann") == 1
    assert read(connection) is None
    assert read(connection, "bob") is not None
    assert people.count_events(connection, "ann") == 0
    # One person less, who may come again and is then counted again.
    served, held_out = sums(connection)
    assert sum(each.people for each in served + held_out) == 1
    assert sum(each.watched_s for each in served + held_out) == 30.0


EVENTS = st.lists(
    st.builds(
        event,
        st.integers(0, 12),
        person=st.sampled_from(["ann", "bob", "eve"]),
        item=st.integers(0, 4),
        action=st.sampled_from(["shown", "opened", "watched", "liked", "not_interested"]),
        seconds=st.integers(0, 100).map(float),
        at=st.integers(0, 100).map(float),
    ),
    max_size=20,
    unique_by=lambda e: (e.person, e.id),
)


def told(connection):
    return (
        {name: read(connection, name) for name in ("ann", "bob", "eve")},
        arms.read_arms(connection),
        sorted(stock.read_opened(connection)),
    )


@given(EVENTS, st.data())
def test_order_parts_and_repetitions_change_nothing(came, data):
    engine = sa.create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as connection:
        outer = connection.begin()
        if came:
            noted = taking.take(connection, came, SHARE, NOW)
            assert (noted.new, noted.repeated) == (len(came), 0)
        once = told(connection)
        outer.rollback()
        again = data.draw(st.permutations(came + came[::2]))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(again)), max_size=3)))
        for start, end in zip([0, *cuts], [*cuts, len(again)], strict=True):
            if again[start:end]:
                taking.take(connection, again[start:end], SHARE, NOW)
        assert told(connection) == once
    engine.dispose()
