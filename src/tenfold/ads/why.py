"""Why an ad was shown, and why money was spent: sentences made of stored decisions, and of nothing else."""

from collections.abc import Mapping

MICROS = 1_000_000


def why_shown(advertiser: str, decision: Mapping[str, object]) -> str:
    """Tell the person who saw an ad why they did."""
    interests = decision.get("interests")
    words = ", ".join(map(str, interests)) if isinstance(interests, list) else ""
    if not decision.get("by_rank"):
        chosen = "It was not chosen by what you did: ads for this visit are chosen without that."
    elif words:
        chosen = f"You seem to like {words}."
    else:
        chosen = "It was chosen by what you watched and liked."
    return f"{advertiser} pays for it, and offered the most for this place by what it is likely worth to them. {chosen}"


def why_spent(decision: Mapping[str, object], price_micro: int) -> str:
    """Tell the advertiser why an impression cost what it did."""
    chance, value, bid = (float(str(decision.get(key) or 0.0)) for key in ("chance", "value_micro", "bid_micro"))
    binding = decision.get("binding")
    held = {
        "budget": "the budget held the bid down",
        "cap": "the cap on the cost of an action held the bid down",
    }.get(str(binding), "nothing held the bid down")
    return (
        f"a chance of {chance:.3%} made it worth {value / MICROS:.6f} USD; {held}, to {bid / MICROS:.6f} USD; "
        f"the price was {price_micro / MICROS:.6f} USD"
    )
