"""What ads remembers: accounts, campaigns and their money, what was shown, clicked and bought, and what was decided."""

from pathlib import Path

import sqlalchemy as sa

MIGRATIONS = Path(__file__).parent / "migrations"

metadata = sa.MetaData()

campaigns = sa.Table(
    "campaigns",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("edition", sa.Integer, nullable=False),
    sa.Column("wish", sa.JSON, nullable=False),
    sa.Column("made_at", sa.Float, nullable=False),
    sa.Column("live_since", sa.Float, nullable=True),
    sa.Index("campaigns_by_account", "account"),
)
"""``wish``: what the advertiser asked for, as ``contract.Wish``; the budget is a row of ``budgets``."""

budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("node", sa.String, primary_key=True),
    sa.Column("parent", sa.String, nullable=True),
    sa.Column("limit_micro", sa.BigInteger, nullable=False),
    sa.Column("billed_micro", sa.BigInteger, nullable=False),
    sa.Column("leased_micro", sa.BigInteger, nullable=False),
    sa.CheckConstraint("billed_micro >= 0 AND leased_micro >= 0", name="not_below_zero"),
    sa.CheckConstraint("billed_micro + leased_micro <= limit_micro", name="within_limit"),
)
"""The tree of what may be spent: an account, below it its campaigns. The database refuses what exceeds a limit."""

top_ups = sa.Table(
    "top_ups",
    metadata,
    sa.Column("campaign", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("micro", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
"""``id``: the asker's own, so that one that is sent again adds nothing."""

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("beat_at", sa.Float, nullable=False),
    sa.Column("gone", sa.Boolean, nullable=False),
    sa.Column("place", sa.String, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)
"""Processes that bid. The number is the fencing token: none is given twice, and one that is gone gets nothing more."""

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("campaign", sa.String, nullable=False),
    sa.Column("worker", sa.Integer, nullable=False),
    sa.Column("granted_micro", sa.BigInteger, nullable=False),
    sa.Column("settled_micro", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("closes_at", sa.Float, nullable=True),
    sa.CheckConstraint("settled_micro >= 0 AND settled_micro <= granted_micro", name="settled_within_granted"),
    sa.Index("leases_by_worker", "worker", "state"),
    sa.Index("leases_by_state", "state"),
)

charges = sa.Table(
    "charges",
    metadata,
    # SQLite counts up INTEGER only, which has 64 bits there.
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("event", sa.String, nullable=False, unique=True),
    sa.Column("lease", sa.String, nullable=False),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("campaign", sa.String, nullable=False),
    sa.Column("variant", sa.String, nullable=False),
    sa.Column("person", sa.String, nullable=False),
    sa.Column("surface", sa.String, nullable=False),
    sa.Column("price_micro", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("decision", sa.JSON, nullable=False),
    sa.Column("decided_at", sa.Float, nullable=False),
    sa.Column("taken_at", sa.Float, nullable=False),
    sa.Column("invoice", sa.String, nullable=True),
    sa.Index("charges_by_lease", "lease", "number"),
    sa.Index("charges_by_campaign", "campaign", "taken_at"),
    sa.Index("charges_by_person", "person"),
    sa.Index("charges_by_account", "account", "invoice"),
    sqlite_autoincrement=True,
)
"""Impressions, each once. ``state``: billed, credited, or house where nobody pays; ``why`` says why not."""

credits = sa.Table(
    "credits",
    metadata,
    sa.Column("event", sa.String, primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("campaign", sa.String, nullable=False),
    sa.Column("micro", sa.BigInteger, nullable=False),
    sa.Column("why", sa.String, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("invoice", sa.String, nullable=True),
)
"""Charges given back, at most once each."""

invoices = sa.Table(
    "invoices",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("until", sa.Float, nullable=False),
    sa.Column("charged_micro", sa.BigInteger, nullable=False),
    sa.Column("credited_micro", sa.BigInteger, nullable=False),
    sa.Column("made_at", sa.Float, nullable=False),
    sa.Index("invoices_by_account", "account"),
)

clicks = sa.Table(
    "clicks",
    metadata,
    sa.Column("event", sa.String, primary_key=True),
    sa.Column("campaign", sa.String, nullable=False),
    sa.Column("variant", sa.String, nullable=False),
    sa.Column("person", sa.String, nullable=False),
    sa.Column("valid", sa.Boolean, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("clicks_by_campaign", "campaign", "at"),
    sa.Index("clicks_by_person", "person"),
)
"""``event``: that of the impression, so that an impression is clicked once."""

conversions = sa.Table(
    "conversions",
    metadata,
    sa.Column("account", sa.String, primary_key=True),
    sa.Column("event", sa.String, primary_key=True),
    sa.Column("click", sa.String, nullable=True),
    sa.Column("campaign", sa.String, nullable=True),
    sa.Column("person", sa.String, nullable=True),
    sa.Column("value_micro", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("taken_at", sa.Float, nullable=False),
    sa.Index("conversions_by_campaign", "campaign", "at"),
    sa.Index("conversions_by_person", "person"),
)
"""``campaign``: whose click led to it, or none where no click in time did."""

draws = sa.Table(
    "draws",
    metadata,
    sa.Column("campaign", sa.String, primary_key=True),
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("held_out", sa.Boolean, nullable=False),
    sa.Column("chance", sa.Float, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
"""Who would be shown a campaign for the first time: shown it, or for the comparison not. ``chance``: predicted then."""

ticks = sa.Table(
    "ticks",
    metadata,
    sa.Column("campaign", sa.String, primary_key=True),
    sa.Column("at", sa.Float, primary_key=True),
    sa.Column("worker", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("told", sa.JSON, nullable=False),
)
"""What was decided of a campaign in a span of time: chances, wins, reasons of losses, multipliers, what bound it."""

arms = sa.Table(
    "arms",
    metadata,
    sa.Column("share", sa.Float, primary_key=True),
    sa.Column("held_out", sa.Boolean, primary_key=True),
    sa.Column("people", sa.BigInteger, nullable=False),
    sa.Column("charged_micro", sa.BigInteger, nullable=False),
    sa.Column("told_micro", sa.BigInteger, nullable=False),
)
"""Those whose ads are chosen by rank's embeddings, and those held out from it: what their impressions were billed."""

people = sa.Table(
    "people",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("held_out", sa.Boolean, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
)

consents = sa.Table(
    "consents",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("personal", sa.Boolean, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)
"""Whether ads may be chosen by what a person did, where the person has said so; else the settings say."""

stops = sa.Table(
    "stops",
    metadata,
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("what", sa.String, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
)
"""What a person wants no more of: ``campaign/ID`` or ``account/ID``."""

sources = sa.Table(
    "sources",
    metadata,
    sa.Column("campaign", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("text", sa.Text, nullable=False),
)
"""What a campaign's copy is written from, as the advertiser gave it."""

variants = sa.Table(
    "variants",
    metadata,
    sa.Column("campaign", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("body", sa.JSON, nullable=False),
    sa.Column("made_at", sa.Float, nullable=False),
)
"""Copy of a campaign. ``state``: waiting, approved, or rejected by a person."""

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("secret", sa.String, nullable=False),
    sa.Column("made_at", sa.Float, nullable=False),
)
"""What signs impressions and clicks; shared by all processes, so that each can check what another signed."""
