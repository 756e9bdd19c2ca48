"""Items of any id, told by teams, on several surfaces; what of a history was done where; visits, experiments, hours.

An item's id becomes a text. Tables whose key it is are made anew: neither database changes the type of a key with what
is in it. People who came before take part in the experiment that the holdout is, from now on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make, copy, and take away what is replaced."""
    _events()
    _seen()
    _opened()
    _items()
    _made_new()
    _holdout_as_experiment()


def _events() -> None:
    op.drop_index("events_by_taken", "events")
    op.rename_table("events", "events_before")
    op.create_table(
        "events",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("surface", sa.String, nullable=False),
        sa.Column("item", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("ratio", sa.Float, nullable=True),
        sa.Column("session", sa.String, nullable=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("taken_at", sa.Float, nullable=False),
    )
    op.execute(
        "INSERT INTO events (person, id, surface, item, action, seconds, at, taken_at)"
        " SELECT person, id, surface, CAST(item AS VARCHAR), action, seconds, at, taken_at FROM events_before"
    )
    op.drop_table("events_before")
    op.create_index("events_by_taken", "events", ["taken_at"])


def _seen() -> None:
    op.rename_table("seen", "seen_before")
    op.create_table(
        "seen",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("item", sa.String, primary_key=True),
        sa.Column("shown", sa.Integer, nullable=False),
        sa.Column("shown_at", sa.Float, nullable=True),
        sa.Column("chosen_at", sa.Float, nullable=True),
        sa.Column("surface", sa.String, nullable=False),
        sa.Column("did", sa.Integer, nullable=False),
        sa.Column("watched_s", sa.Float, nullable=False),
        sa.Column("ratio", sa.Float, nullable=True),
        sa.Column("blocked_at", sa.Float, nullable=True),
        sa.Column("less_at", sa.Float, nullable=True),
        sa.Column("allowed_at", sa.Float, nullable=True),
    )
    # That something was chosen is known of old, and not how: 1 is "opened".
    op.execute(
        "INSERT INTO seen (person, item, shown, shown_at, chosen_at, surface, did, watched_s, blocked_at)"
        " SELECT person, CAST(item AS VARCHAR), shown, shown_at, chosen_at, '',"
        " CASE WHEN chosen_at IS NULL THEN 0 ELSE 1 END, 0.0, CASE WHEN blocked THEN 0.0 ELSE NULL END FROM seen_before"
    )
    op.drop_table("seen_before")


def _opened() -> None:
    op.rename_table("opened", "opened_before")
    op.create_table(
        "opened",
        sa.Column("item", sa.String, primary_key=True),
        sa.Column("people", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO opened (item, people) SELECT CAST(item AS VARCHAR), people FROM opened_before")
    op.drop_table("opened_before")


def _items() -> None:
    op.create_table(
        "items",
        sa.Column("item", sa.String, primary_key=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("genres", sa.JSON, nullable=False),
        sa.Column("viewers", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("author", sa.String, nullable=False),
        sa.Column("surfaces", sa.JSON, nullable=False),
        sa.Column("image", sa.String, nullable=False),
        sa.Column("length_s", sa.Float, nullable=True),
        sa.Column("own", sa.Boolean, nullable=False),
        sa.Column("ranked", sa.Boolean, nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
        sa.Column("born_at", sa.Float, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
    )
    op.execute(
        "INSERT INTO items (item, title, genres, viewers, text, author, surfaces, image, own, ranked, gone, born_at,"
        " changed_at) SELECT CAST(item AS VARCHAR), title, genres, viewers, '', '', '[]', '', FALSE, TRUE, FALSE, 0.0,"
        " 0.0 FROM films"
    )
    op.drop_table("films")


def _made_new() -> None:
    op.create_table(
        "visits",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("visit", sa.String, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("visits_by_time", "visits", ["at"])
    op.create_table(
        "subjects",
        sa.Column("experiment", sa.String, primary_key=True),
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("design", sa.String, nullable=False),
        sa.Column("arm", sa.String, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("past_s", sa.Float, nullable=False),
        sa.Column("watched_s", sa.Float, nullable=False),
        sa.Column("clips", sa.Integer, nullable=False),
        sa.Column("clip_squares", sa.Float, nullable=False),
        sa.Column("visits", sa.Integer, nullable=False),
    )
    op.create_index("subjects_by_person", "subjects", ["person"])
    op.create_table(
        "hours",
        sa.Column("surface", sa.String, primary_key=True),
        sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("action", sa.String, primary_key=True),
        sa.Column("cold", sa.Boolean, primary_key=True),
        sa.Column("newcomer", sa.Boolean, primary_key=True),
        sa.Column("times", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("asked_at", sa.Float, nullable=False),
    )


def _holdout_as_experiment() -> None:
    """Let people who came before take part; what they watch counts from now on, and their past says nothing.

    What they watched before is no past in the sense of the comparison: they were held out, or not, all the time.
    """
    connection = op.get_bind()
    people = connection.execute(sa.text("SELECT person, share, held_out, since FROM people")).all()
    subjects = sa.table("subjects", *(sa.column(name) for name in (*_SUBJECT, *_FIGURES)))
    rows = [
        # As feed/subjects.py writes the design of a holdout.
        ("holdout", each.person, f"popular {each.share!r}", "popular" if each.held_out else "ranked", each.since)
        for each in people
    ]
    if rows:
        zeros = dict.fromkeys(_FIGURES, 0)
        connection.execute(sa.insert(subjects), [dict(zip(_SUBJECT, row, strict=True)) | zeros for row in rows])


_SUBJECT = ("experiment", "person", "design", "arm", "since")
_FIGURES = ("past_s", "watched_s", "clips", "clip_squares", "visits")
