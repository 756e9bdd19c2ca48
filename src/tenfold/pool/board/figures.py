"""Numbers as a person reads them: three figures and a unit."""

import math

ABSENT = "—"
_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def quantity(value: float | None) -> str:
    """Give a count or a rate with three significant figures: ``0.42``, ``12.3``, ``1,240``, ``3.61 M``."""
    if value is None or not math.isfinite(value):
        return ABSENT
    size = abs(value)
    if size >= 999.5e6:
        return f"{value / 1e9:.2f} G"
    if size >= 999.5e3:
        return f"{value / 1e6:.2f} M"
    if size >= 99.95:
        return f"{value:,.0f}"
    if size >= 9.995:
        return f"{value:.1f}"
    return "0" if size < 0.005 else f"{value:.2f}"


def duration(value_s: float | None) -> str:
    """Give a duration in the unit that suits it: ``85 ms``, ``1.24 s``, ``2 min 05 s``."""
    if value_s is None or not math.isfinite(value_s):
        return ABSENT
    if value_s < 0.9995:
        return f"{value_s * 1e3:.0f} ms"
    if value_s < 99.5:
        return f"{value_s:.3g} s"
    minutes, rest_s = divmod(round(value_s), 60)
    return f"{minutes} min {rest_s:02d} s"


def money_rate(value_usd_per_s: float | None) -> str:
    """Give money per second with an SI prefix: ``12.3 µ$/s``, ``1.20 m$/s``, ``0 $/s``."""
    if value_usd_per_s is None or not math.isfinite(value_usd_per_s):
        return ABSENT
    return f"{money(value_usd_per_s)}/s"


def money(usd: float) -> str:
    """Give money with an SI prefix: ``12.3 µ$``, ``0 $``."""
    size = abs(usd)
    if size < 1e-12:
        return "0 $"
    scale, prefix = next(((s, p) for s, p in _PREFIXES if size >= 0.9995 * s), _PREFIXES[-1])
    scaled = usd / scale
    digits = 0 if abs(scaled) >= 99.95 else 1 if abs(scaled) >= 9.995 else 2
    return f"{scaled:,.{digits}f} {prefix}$"


def share(value: float | None) -> str:
    """Give a share of 0 to 1 as a percentage; only exactly all is ``100%``."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return "100%" if value >= 1 else f"{math.floor(value * 1000) / 10:.1f}%"


def count(value: int, noun: str) -> str:
    """Give a number with its noun: ``1 slot``, ``4 slots``."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"
