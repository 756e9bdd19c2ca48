"""What agents send by themselves: replies on WhatsApp and Messenger, and the word to a human that a customer waits."""

import sqlalchemy as sa

from tenfold.agents.tables import messages, metadata
from tenfold.product.channels.deliveries import Deliveries


def _last_of(business: sa.ColumnElement[str], thread: sa.ColumnElement[str]) -> sa.ScalarSelect[float]:
    """When the customer of a thread wrote last."""
    mine = (messages.c.business == business) & (messages.c.thread == thread) & (messages.c.role == "customer")
    return sa.select(sa.func.max(messages.c.at)).where(mine).scalar_subquery()


DELIVERIES = Deliveries(metadata, _last_of)
