"""What a workload's work earns beyond a product's fallback: a holdout of people, and the difference of two means.

A share of people, chosen by a hash of their name, is always served by the fallback. Whatever the workload's work does
for a person, more earned in a visit or more visits, shows in what a person earns. So what it earned in any span of time
is

    served_usd - served_people / held_out_people * held_out_usd

with the people that each group has, whether or not they came in that span. Given the two counts, the draw of the groups
makes this right on average (Neyman 1923), for each span by itself. So spans can be added and recorded as they come, and
weighed by how much they differ among themselves, which is what the price does with them (``policy/price.py``).

A span may come out below zero, most easily with a small holdout: with one of 5% each dollar there counts 19 times. That
is noise to be averaged, and no error to be cut off, which would make every price too high.
"""

from collections.abc import Mapping

from tenfold.experiment.draw import is_drawn


def is_held_out(person: str, share: float, salt: str) -> bool:
    """Whether a person is served by the fallback; always the same answer for the same ``salt``.

    Args:
        person: their name or number.
        share: of people that are held out, 0 to 1.
        salt: of this experiment, so that experiments choose people independently.
    """
    return is_drawn(person, share, salt)


def earned_beyond_fallback(
    served_usd: float, held_out_usd: float, *, served_people: int, held_out_people: int
) -> float | None:
    """USD that a workload's work earned in a span of time; none while nobody is held out, as nothing is known then.

    Args:
        served_usd: what the people served by the workload earned in the span.
        held_out_usd: what those served by the fallback earned.
        served_people: people of the first group so far.
        held_out_people: of the second.
    """
    if not held_out_people:
        return None
    return served_usd - served_people / held_out_people * held_out_usd


def earned_by_share(arms: Mapping[tuple[float, bool], tuple[int, float]]) -> dict[float, float]:
    """USD that a workload's work earned in a span, by the share of people that was held out when they were drawn.

    People of different shares are not compared. While one arm of a share has nobody, nothing is known of it, and it is
    left out.

    Args:
        arms: people so far and USD earned in the span, by share and whether held out.
    """
    earned: dict[float, float] = {}
    for (share, held_out), (people, usd) in arms.items():
        others, their_usd = arms.get((share, True), (0, 0.0))
        if held_out or not people:
            continue
        beyond = earned_beyond_fallback(usd, their_usd, served_people=people, held_out_people=others)
        if beyond is not None:
            earned[share] = beyond
    return earned
