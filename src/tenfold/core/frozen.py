"""What every record at an edge is: of a file, of HTTP, of another process."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A record that nobody changes, and in which an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
