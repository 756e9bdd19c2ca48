"""The feed's tables.

The events are the truth. The other tables are kept beside them in the same transactions, so that a feed reads the rows
of one person and not a life of events.
"""

from pathlib import Path

import sqlalchemy as sa

from tenfold.feed.item import IdColumn

MIGRATIONS = Path(__file__).parent / "migrations"

metadata = sa.MetaData()

people = sa.Table(
    "people",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("held_out", sa.Boolean, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
)
events = sa.Table(
    "events",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("surface", sa.String, nullable=False),
    sa.Column("item", IdColumn, nullable=False),
    sa.Column("action", sa.String, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("ratio", sa.Float, nullable=True),
    sa.Column("session", sa.String, nullable=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("taken_at", sa.Float, nullable=False),
    sa.Index("events_by_taken", "taken_at"),
)
seen = sa.Table(
    "seen",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("item", IdColumn, primary_key=True),
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
"""``surface``: on which it was chosen last. ``did``: bits of the choices, in the order of ``CHOICES``."""

opened = sa.Table(
    "opened",
    metadata,
    sa.Column("item", IdColumn, primary_key=True),
    sa.Column("people", sa.BigInteger, nullable=False),
)
arms = sa.Table(
    "arms",
    metadata,
    sa.Column("share", sa.Float, primary_key=True),
    sa.Column("held_out", sa.Boolean, primary_key=True),
    sa.Column("people", sa.BigInteger, nullable=False),
    sa.Column("watched_s", sa.Float, nullable=False),
    sa.Column("told_s", sa.Float, nullable=False),
)
items = sa.Table(
    "items",
    metadata,
    sa.Column("item", IdColumn, primary_key=True),
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
"""``gone``: deleted by its team; the row keeps ranking's catalog from bringing it back."""

visits = sa.Table(
    "visits",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("visit", sa.String, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("visits_by_time", "at"),
)
subjects = sa.Table(
    "subjects",
    metadata,
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
    sa.Index("subjects_by_person", "person"),
)
"""Who takes part in an experiment: what they watched before (``past_s``) and since, in how many clips and visits."""

hours = sa.Table(
    "hours",
    metadata,
    sa.Column("surface", sa.String, primary_key=True),
    sa.Column("hour", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("action", sa.String, primary_key=True),
    sa.Column("cold", sa.Boolean, primary_key=True),
    sa.Column("newcomer", sa.Boolean, primary_key=True),
    sa.Column("times", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)
"""What was done on a surface in an hour (Unix hours), with cold items and others, by newcomers and others."""

erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("asked_at", sa.Float, nullable=False),
)
"""Who is forgotten here and still has to be taken out of the files that ranking learns from."""
