"""What a business sets for its agent; kept with it, and checked when it is written."""

from pydantic import Field

from tenfold.core.frozen import Frozen
from tenfold.product.channels.settings import Messenger, WhatsApp

HTTP = r"^(https?://\S+)?$"


class BusinessSettings(Frozen):
    """A business's own settings."""

    notify_url: str = Field("", pattern=HTTP, description="told of each hand-off by POST, signed with the secret")
    notify_email: str = Field("", pattern=r"^([^@\s]+@[^@\s]+)?$", description="told of each hand-off")
    orders_url: str = Field("", pattern=HTTP, description="the shop's own carts and orders; default: those kept here")
    checkout_url: str = Field("", pattern=HTTP, description="where a cart kept here is paid, with {cart} in it")
    human_topics: tuple[str, ...] = Field((), description="words on which a human is asked at once")
    usd_per_resolved: float = Field(0.0, ge=0, allow_inf_nan=False, description="worth of a resolved conversation")
    margin: float = Field(0.0, ge=0, le=1, description="share of what is sold that is earned")
    whatsapp: WhatsApp | None = None
    messenger: Messenger | None = None


HIDDEN = "(set)"


def hidden(settings: BusinessSettings) -> BusinessSettings:
    """The settings without their secrets."""
    secret = dict.fromkeys(("access_token", "app_secret", "verify_token"), HIDDEN)
    return settings.model_copy(
        update={
            "whatsapp": settings.whatsapp and settings.whatsapp.model_copy(update=secret),
            "messenger": settings.messenger and settings.messenger.model_copy(update=secret),
        }
    )
