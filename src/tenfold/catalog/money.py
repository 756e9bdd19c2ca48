"""An amount of money: exact, in millionths of a currency's unit."""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

MICROS = 1_000_000
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """``micros`` millionths of one unit of ``currency``, an ISO 4217 code such as ``USD``.

    Raises:
        ValueError: the currency is not three capital letters.
    """

    currency: str
    micros: int

    def __post_init__(self) -> None:
        if not _CURRENCY.fullmatch(self.currency):
            raise ValueError(f"a currency is three capital letters, as 'USD', not {self.currency!r}")

    @classmethod
    def of(cls, amount: Decimal | int | str, currency: str) -> "Money":
        """Read an amount of whole units, as ``Money.of("19.99", "USD")``.

        Raises:
            ValueError: it is not a number, or finer than a millionth.
        """
        try:
            micros = Decimal(amount) * MICROS
        except InvalidOperation as error:
            raise ValueError(f"an amount is a number, as '19.99', not {amount!r}") from error
        if not micros.is_finite() or micros != micros.to_integral_value():
            raise ValueError(f"an amount has at most six decimals, not {amount!r}")
        return cls(currency, int(micros))

    @property
    def amount(self) -> Decimal:
        """Whole units."""
        return Decimal(self.micros) / MICROS

    def __str__(self) -> str:
        """Write it with two decimals, or as many as it needs: ``19.99 USD``."""
        cents, rest = divmod(self.micros, MICROS // 100)
        return f"{Decimal(cents) / 100:,.2f} {self.currency}" if not rest else f"{self.amount:,f} {self.currency}"
