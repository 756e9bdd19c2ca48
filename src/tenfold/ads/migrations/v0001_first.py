"""Accounts, campaigns and their money, what was shown, clicked and bought, and what was decided."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("edition", sa.Integer, nullable=False),
        sa.Column("wish", sa.JSON, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
        sa.Column("live_since", sa.Float, nullable=True),
    )
    op.create_index("campaigns_by_account", "campaigns", ["account"])
    op.create_table(
        "budgets",
        sa.Column("node", sa.String, primary_key=True),
        sa.Column("parent", sa.String, nullable=True),
        sa.Column("limit_micro", sa.BigInteger, nullable=False),
        sa.Column("billed_micro", sa.BigInteger, nullable=False),
        sa.Column("leased_micro", sa.BigInteger, nullable=False),
        sa.CheckConstraint("billed_micro >= 0 AND leased_micro >= 0", name="not_below_zero"),
        sa.CheckConstraint("billed_micro + leased_micro <= limit_micro", name="within_limit"),
    )
    op.create_table(
        "top_ups",
        sa.Column("campaign", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("micro", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("beat_at", sa.Float, nullable=False),
        sa.Column("gone", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "leases",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("campaign", sa.String, nullable=False),
        sa.Column("worker", sa.Integer, nullable=False),
        sa.Column("granted_micro", sa.BigInteger, nullable=False),
        sa.Column("settled_micro", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("closes_at", sa.Float, nullable=True),
        sa.CheckConstraint("settled_micro >= 0 AND settled_micro <= granted_micro", name="settled_within_granted"),
    )
    op.create_index("leases_by_state", "leases", ["state"])
    op.create_index("leases_by_worker", "leases", ["worker", "state"])
    op.create_table(
        "charges",
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
        sqlite_autoincrement=True,
    )
    op.create_index("charges_by_account", "charges", ["account", "invoice"])
    op.create_index("charges_by_campaign", "charges", ["campaign", "taken_at"])
    op.create_index("charges_by_lease", "charges", ["lease", "number"])
    op.create_index("charges_by_person", "charges", ["person"])
    op.create_table(
        "credits",
        sa.Column("event", sa.String, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("campaign", sa.String, nullable=False),
        sa.Column("micro", sa.BigInteger, nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("invoice", sa.String, nullable=True),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("charged_micro", sa.BigInteger, nullable=False),
        sa.Column("credited_micro", sa.BigInteger, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
    )
    op.create_index("invoices_by_account", "invoices", ["account"])
    op.create_table(
        "clicks",
        sa.Column("event", sa.String, primary_key=True),
        sa.Column("campaign", sa.String, nullable=False),
        sa.Column("variant", sa.String, nullable=False),
        sa.Column("person", sa.String, nullable=False),
        sa.Column("valid", sa.Boolean, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("clicks_by_campaign", "clicks", ["campaign", "at"])
    op.create_index("clicks_by_person", "clicks", ["person"])
    op.create_table(
        "conversions",
        sa.Column("account", sa.String, primary_key=True),
        sa.Column("event", sa.String, primary_key=True),
        sa.Column("click", sa.String, nullable=True),
        sa.Column("campaign", sa.String, nullable=True),
        sa.Column("person", sa.String, nullable=True),
        sa.Column("value_micro", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("taken_at", sa.Float, nullable=False),
    )
    op.create_index("conversions_by_campaign", "conversions", ["campaign", "at"])
    op.create_index("conversions_by_person", "conversions", ["person"])
    op.create_table(
        "draws",
        sa.Column("campaign", sa.String, primary_key=True),
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("held_out", sa.Boolean, nullable=False),
        sa.Column("chance", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "ticks",
        sa.Column("campaign", sa.String, primary_key=True),
        sa.Column("at", sa.Float, primary_key=True),
        sa.Column("worker", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("told", sa.JSON, nullable=False),
    )
    op.create_table(
        "arms",
        sa.Column("share", sa.Float, primary_key=True),
        sa.Column("held_out", sa.Boolean, primary_key=True),
        sa.Column("people", sa.BigInteger, nullable=False),
        sa.Column("charged_micro", sa.BigInteger, nullable=False),
        sa.Column("told_micro", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "people",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("held_out", sa.Boolean, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
    )
    op.create_table(
        "consents",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("personal", sa.Boolean, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "stops",
        sa.Column("person", sa.String, primary_key=True),
        sa.Column("what", sa.String, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_table(
        "sources",
        sa.Column("campaign", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "variants",
        sa.Column("campaign", sa.String, primary_key=True),
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("secret", sa.String, nullable=False),
        sa.Column("made_at", sa.Float, nullable=False),
    )
