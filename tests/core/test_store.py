"""A package's tables are there, up to date, and changed in order, on SQLite and on PostgreSQL alike."""

import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa

from tenfold.core.config import StoreSettings
from tenfold.core.errors import ConfigError, StoreError
from tenfold.core.store import open_store, place_of, store_url

NOTES = sa.table("notes", sa.column("word"), sa.column("count"))
FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.create_table("notes", sa.Column("word", sa.String, primary_key=True))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.add_column("notes", sa.Column("count", sa.Integer, nullable=False, server_default="7"))
"""
BROKEN = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.create_table("more", sa.Column("word", sa.String, primary_key=True))
    op.execute("INSERT INTO nowhere VALUES (1)")
"""


@pytest.fixture
def migrations(tmp_path):
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "v0001_notes.py").write_text(FIRST)
    (folder / "v0002_count.py").write_text(SECOND)
    return folder


def opened(url, migrations, **options):
    return closing(open_store(url, migrations, **options))


def words(store) -> dict[str, int]:
    with store.reading() as connection:
        return dict(connection.execute(sa.select(NOTES.c.word, NOTES.c.count)).all())


def add(store, word: str, count: int = 1) -> None:
    with store.writing() as connection:
        connection.execute(sa.insert(NOTES).values(word=word, count=count))


def test_what_was_written_is_there_when_it_is_opened_again_and_elsewhere(database, migrations):
    with opened(database("shop"), migrations) as store, opened(database("shop"), migrations) as elsewhere:
        add(store, "one")
        assert words(elsewhere) == {"one": 1}
    with opened(database("shop"), migrations) as again, opened(database("other"), migrations) as other:
        assert (words(again), words(other)) == ({"one": 1}, {})


def test_a_database_of_the_version_before_keeps_what_it_has(database, migrations):
    (migrations / "v0002_count.py").rename(migrations / "later")
    with opened(database("shop"), migrations) as store, store.writing() as connection:
        connection.execute(sa.text("INSERT INTO notes (word) VALUES ('old')"))
    (migrations / "later").rename(migrations / "v0002_count.py")
    with opened(database("shop"), migrations) as store:
        assert words(store) == {"old": 7}


def test_of_several_that_start_at_once_one_migrates(database, migrations):
    ready = threading.Barrier(4)

    def start(word: str) -> None:
        ready.wait()
        with opened(database("shop"), migrations) as store:
            add(store, word)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(start, "abcd"))
    with opened(database("shop"), migrations) as store:
        assert words(store) == dict.fromkeys("abcd", 1)


def test_a_migration_that_fails_leaves_the_database_as_it_was(database, migrations):
    with opened(database("shop"), migrations) as store:
        add(store, "one")
    (migrations / "v0003_broken.py").write_text(BROKEN)
    with pytest.raises((sa.exc.DatabaseError, StoreError), match="nowhere"):
        open_store(database("shop"), migrations)
    (migrations / "v0003_broken.py").unlink()
    with opened(database("shop"), migrations) as store:
        assert words(store) == {"one": 1}
        assert not sa.inspect(store.engine).has_table("more")


def test_a_database_of_a_newer_tenfold_is_left_alone(database, migrations):
    opened(database("shop"), migrations).__enter__().close()
    (migrations / "v0002_count.py").unlink()
    with pytest.raises(StoreError, match="has revision 0002, and this version of Tenfold knows 0001") as caught:
        open_store(database("shop"), migrations)
    assert "newer" in caught.value.next_step


def test_writers_take_turns_so_no_change_is_lost(database, migrations):
    with opened(database("shop"), migrations) as store:
        add(store, "one", 0)

    def count_up(_: int) -> None:
        # A store each, as in processes of their own.
        with opened(database("shop"), migrations, patience_s=60.0) as store:
            for _ in range(10):
                with store.writing() as connection:
                    found = connection.execute(sa.select(NOTES.c.count)).scalar_one()
                    connection.execute(sa.update(NOTES).values(count=found + 1))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count_up, range(4)))
    with opened(database("shop"), migrations) as store:
        assert words(store) == {"one": 40}


def test_a_reader_sees_one_moment_and_does_not_wait_for_a_writer(database, migrations):
    with opened(database("shop"), migrations) as store:
        add(store, "one")
        with store.reading() as connection:
            assert len(connection.execute(sa.select(NOTES)).all()) == 1
            add(store, "two")
            assert len(connection.execute(sa.select(NOTES)).all()) == 1
        with store.writing() as connection:
            connection.execute(sa.insert(NOTES).values(word="three", count=1))
            assert set(words(store)) == {"one", "two"}
        assert set(words(store)) == {"one", "two", "three"}


def test_what_raises_inside_is_undone(database, migrations):
    with opened(database("shop"), migrations) as store:
        with pytest.raises(ZeroDivisionError), store.writing() as connection:
            connection.execute(sa.insert(NOTES).values(word="one", count=1))
            raise ZeroDivisionError
        assert words(store) == {}


def test_one_that_waits_too_long_for_its_turn_gives_up(database, migrations):
    with opened(database("shop"), migrations) as store:
        with (
            store.writing(),
            opened(database("shop"), migrations, patience_s=0.1) as other,
            pytest.raises(sa.exc.OperationalError, match="lock"),
        ):
            add(other, "late")
        add(store, "one")
        assert words(store) == {"one": 1}


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_a_durable_file_is_synced_at_each_commit_and_gives_space_back(tmp_path, migrations, durable, level):
    with opened(f"sqlite:///{tmp_path / 'shop.db'}", migrations, durable=durable) as store:
        with store.reading() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
                for name in ("synchronous", "auto_vacuum", "journal_mode", "foreign_keys")
            }
        assert found == {"synchronous": level, "auto_vacuum": 2, "journal_mode": "wal", "foreign_keys": 1}


def test_a_server_that_is_started_again_is_used_again(postgres, postgres_settings, tmp_path, migrations):
    with opened(store_url(postgres_settings, tmp_path, "shop"), migrations) as store:
        add(store, "one")
        postgres.stop()
        try:
            with pytest.raises(sa.exc.OperationalError):
                add(store, "two")
        finally:
            postgres.start()
        add(store, "three")
        assert set(words(store)) == {"one", "three"}


def test_a_server_that_is_away_is_named_with_the_next_step_and_without_the_password(tmp_path, migrations):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = StoreSettings(url=f"postgresql://me:secret@127.0.0.1:{port}/tenfold")
    with pytest.raises(StoreError, match="refused") as caught:
        open_store(store_url(settings, tmp_path, "shop"), migrations)
    assert "secret" not in str(caught.value) and f"127.0.0.1:{port}" in str(caught.value)
    assert "PostgreSQL runs" in caught.value.next_step


def test_without_the_driver_it_is_said_what_to_install(tmp_path, migrations, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    url = store_url(StoreSettings(url="postgresql://me@127.0.0.1/tenfold"), tmp_path, "shop")
    with pytest.raises(StoreError, match="driver is not installed") as caught:
        open_store(url, migrations)
    assert caught.value.next_step == "pip install 'tenfold[postgres]'"


def test_without_a_url_tables_are_in_a_file_of_the_home(tmp_path):
    url = store_url(StoreSettings(), tmp_path, "shop")
    assert place_of(url) == str(tmp_path / "shop.db")
    with pytest.raises(ConfigError, match=r"store\.url is no URL"):
        store_url(StoreSettings(url="postgresql://host:port/x"), tmp_path, "shop")
