"""What is answered to a comparison: each side in a sentence, and which is the cheaper or larger."""

import re
from collections.abc import Sequence

from tenfold.agents.answer import Found, with_evidence
from tenfold.agents.choose import Choice, choices_of, extreme, fits
from tenfold.agents.currency import currencies_of
from tenfold.agents.reading.cues import Best
from tenfold.agents.reading.question import Reading
from tenfold.agents.shop import Shop
from tenfold.agents.wording import Draft, costs_line, label, listed, options_line, price, values_of


def compared(shop: Shop, readings: Sequence[Reading], best: Best | None, whole: Reading) -> Found | None:
    """Sides of a comparison one after another, and which is the cheaper or larger."""
    sides = []
    for reading in readings:
        choices = [each for each in choices_of([shop.now(i) for i in reading.items]) if fits(each, reading.wishes)]
        if not choices:
            return None
        sides.append(choices)
    draft = Draft()
    shown = []
    for choices in sides:
        low, high = min(choices, key=lambda e: (e.price, not e.is_there)), max(choices, key=lambda e: e.price)
        shown.append(low)
        if len(choices) == 1:
            draft.say(costs_line(low), low)
        else:
            told = f"costs from {price(low)} to {price(high)}" if low.price != high.price else f"costs {price(low)}"
            draft.say(f"{low.item.title} {told}: {options_line(choices)}.", low, high, *choices[:40])
    first = _verdict(draft, sides, best, whole.about)
    if best is not None and re.match(r"\W*(is|are|does|do|was) ", whole.text) and first is not None:
        draft.lead("Yes. " if first == 0 else "No. ")
    weighed = {each.item.id: each.item for choices in sides for each in choices}
    return with_evidence(Found(draft.answer(), tuple(shown)), list(weighed.values()))


def _verdict(draft: Draft, sides: Sequence[Sequence[Choice]], best: Best | None, about: Sequence[str]) -> int | None:
    """Say which side is the cheaper or larger; its number, or none where they are the same or cannot be measured."""
    if best is None or best.of == "price":
        lows = [min(choices, key=lambda each: each.price) for choices in sides]
        ordered = sorted(lows, key=lambda each: each.price, reverse=bool(best and best.is_most))
        first, second = ordered[0], ordered[1]
        if len(currencies_of([each.item for each in lows])) > 1:
            return None
        if first.price == second.price:
            draft.say(f"{label(first)} and {label(second)} cost the same: {price(first)}.", first, second)
            return None
        word = best.word if best else "cheaper"
        gap = f"{{gap:{first.variant.id}|{second.variant.id}}}"
        draft.say(f"The {word} is {label(first)}: {price(first)} against {price(second)}, by {gap}.", first, second)
        return lows.index(first)
    both = [each for choices in sides for each in choices]
    attribute, tops = extreme(both, best, about)
    if not tops:
        return None
    values = listed(values_of(tops, attribute))
    draft.say(f"The {best.word} by {attribute} is {label(tops[0])} with {values}.", *tops[:10])
    at = [number for number, choices in enumerate(sides) if any(each in choices for each in tops)]
    return at[0] if len(at) == 1 else None
