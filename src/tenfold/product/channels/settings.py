"""What a channel needs to be told; Meta gives all but the verify token."""

from pydantic import Field

from tenfold.core.frozen import Frozen


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
