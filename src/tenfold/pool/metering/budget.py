"""How much somebody may use in a day: so many tokens, or so many dollars' worth."""

import re
from typing import Literal

from pydantic import Field

from tenfold.core.frozen import Frozen
from tenfold.pool.metering.used import NANO, Used

_TEXT = re.compile(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?)\s*(tokens?|usd)\s*(?:/\s*day|a day|per day)?\s*", re.IGNORECASE)


class Budget(Frozen):
    """A bound on a day's use, by UTC."""

    amount: float = Field(ge=0)
    unit: Literal["tokens", "usd"]

    def __str__(self) -> str:
        return f"{self.amount:,.10g} {'USD' if self.unit == 'usd' else 'tokens'} a day"

    def left(self, used: Used) -> float:
        """What is left of it, in its unit; below 0 by what requests took that had begun before it was used up."""
        return self.amount - (used.nano_usd / NANO if self.unit == "usd" else used.tokens_in + used.tokens_out)


def read_budget(text: str) -> Budget:
    """Read ``200000 tokens`` or ``2.50 usd``, of a day.

    Raises:
        ValueError: it is neither.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no budget; write it as '200000 tokens' or '2.50 usd', of a day")
    amount = float(match[1].replace("_", "").replace(",", ""))
    return Budget(amount=amount, unit="usd" if match[2].lower() == "usd" else "tokens")
