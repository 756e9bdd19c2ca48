"""``[assistant]`` of ``tenfold.toml``."""

from pydantic import Field

from tenfold.core.config import Settings


class AssistantSettings(Settings):
    """What the assistant reads, how it answers, and what that is worth."""

    subscriptions: tuple[str, ...] = Field(
        (), description="addresses of feeds and sitemaps that it reads from the start"
    )
    poll_s: float = Field(900.0, ge=10, description="seconds between two looks at a subscription")
    keep_days: float = Field(90.0, gt=0, description="days after which what it has read is forgotten")
    most_passages: int = Field(5000, ge=1, le=50_000, description="documents kept; the oldest are forgotten first")
    private_hosts: bool = Field(False, description="whether subscriptions may lie on this machine or a private network")
    reply_wait_s: float = Field(10.0, gt=0, le=25, description="seconds that a request waits for its reply")
    usd_per_answer: float = Field(0.002, ge=0, description="USD that an answered request is worth")
    holdout: float = Field(
        0.1,
        ge=0.01,
        le=0.5,
        description="share of threads answered without a language model, so that its worth is known",
    )
    writer: bool = Field(False, description="whether the pool's chat model words answers, each behind the gate")
    writer_deadline_s: float = Field(8.0, gt=0, le=60, description="seconds to wait for its words")
    images_url: str = Field("", description="address of an OpenAI-compatible images endpoint; empty: it draws nothing")
    images_model: str = Field("", description="model named to it; empty: none")
    search_url: str = Field(
        "", description="address of a web search that answers JSON, with {query} in it; empty: it searches nothing"
    )
    services_key_env: str = Field(
        "", description="environment variable with the key that the images endpoint and the search are sent"
    )
    whatsapp_number: str = Field(
        "", description="id of a number of WhatsApp's Cloud API on which it answers too; empty: none"
    )
    messenger_page: str = Field("", description="id of a page on Messenger on which it answers too; empty: none")
    graph_url: str = Field("https://graph.facebook.com/v24.0", description="Meta's Graph API, which sends messages")
    deliveries_keep_days: float = Field(
        30.0, gt=0, description="days after which it is forgotten what was sent on channels, or never will be"
    )
