"""What is counted of the use of models."""

from dataclasses import dataclass

NANO = 10**9
"""Nano-dollars in a dollar: money is counted in whole nano-dollars, since a token may be worth a few."""


@dataclass(slots=True)
class Used:
    """Sums of use.

    ``refused``: requests over a budget. ``slot_s``: seconds of slots, of which requests that a resident works on
    together have equal parts. ``nano_usd``: what the tokens cost, in billionths of a dollar.
    """

    requests: int = 0
    refused: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    slot_s: float = 0.0
    nano_usd: int = 0

    def add(self, other: "Used") -> None:
        """Add what another has counted."""
        self.requests += other.requests
        self.refused += other.refused
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.slot_s += other.slot_s
        self.nano_usd += other.nano_usd
