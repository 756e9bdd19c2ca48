"""``[agents]`` of ``tenfold.toml``."""

from typing import Literal

from pydantic import Field

from tenfold.core.config import Settings


class AgentsSettings(Settings):
    """How agents answer, and what their work is worth."""

    public_url: str = Field("", description="address under which customers reach this pool; default: its own")
    reply_wait_s: float = Field(
        10.0, gt=0, le=25, description="seconds that a request waits for its reply; later it is fetched"
    )
    writer: Literal["templates", "serve"] = Field(
        "templates", description="who words replies; what serve writes must pass the gate, or the template is used"
    )
    writer_model: str = Field("", description="the pool's model that words them; empty: its first")
    writer_deadline_s: float = Field(3.0, gt=0, le=20, description="seconds to wait for serve's words")
    holdout: float = Field(
        0.1, ge=0.01, le=0.5, description="share of people who get templates, so that serve's worth is known"
    )
    smtp_url: str | None = Field(None, description="mail server, smtp://, smtp+starttls:// or smtps://user:word@host")
    smtp_from: str = Field("agents@localhost", description="sender of mails")
    graph_url: str = Field("https://graph.facebook.com/v24.0", description="Meta's Graph API, which sends messages")
    deliveries_keep_days: float = Field(
        30.0, gt=0, description="days after which it is forgotten what was sent on channels, or never will be"
    )
