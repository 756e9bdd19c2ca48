"""What a business sets for its agent; kept with it, and checked when it is written."""

from pydantic import Field

from tenfold.core.frozen import Frozen

HTTP = r"^(https?://\S+)?$"


class WhatsApp(Frozen):
    """A number of WhatsApp's Cloud API."""

    phone_number_id: str = Field(min_length=1, description="of the number that customers write to")
    access_token: str = Field(min_length=1, description="of a system user, for sending")
    app_secret: str = Field(min_length=1, description="of the app: signs what comes")
    verify_token: str = Field(min_length=1, description="any text; entered with the webhook's address")


class Messenger(Frozen):
    """A page on Messenger."""

    page_id: str = Field(min_length=1)
    access_token: str = Field(min_length=1, description="of the page, for sending")
    app_secret: str = Field(min_length=1, description="of the app: signs what comes")
    verify_token: str = Field(min_length=1, description="any text; entered with the webhook's address")


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
