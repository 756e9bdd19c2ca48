"""Tell from the ledger why a workload has the slots that it has."""

import datetime as dt
from pathlib import Path

from pydantic import Field

from tenfold.cli.show import micro, millionths
from tenfold.core.errors import NotRunning, UsageError
from tenfold.core.frozen import Frozen
from tenfold.ledger.past import open_ledger
from tenfold.page.figures import percent_down
from tenfold.pool.standing import Aim, Standing, Standings
from tenfold.pool.state import MoveView, PriceView

MOVES_SEARCHED = 1000
SHORT_SUPPLY = 0.9
"""Below it, it is told that slots do less because others take their cores."""

MOVES_TOLD = 3


class Why(Frozen):
    """What is known of one workload's slots."""

    at: float = Field(description="Unix seconds of the decision that is explained")
    epoch: int
    slots: int = Field(description="slots of the pool")
    mine: Standing
    others: tuple[Standing, ...]
    next_slot_to: str | None
    moves: tuple[MoveView, ...] = Field(description="the newest moves of its slots, newest first")


def why(home: Path, workload: str) -> Why:
    """Read the newest decision and the newest moves of ``workload``.

    Raises:
        NotRunning: there is no ledger yet, or no decision in it.
        UsageError: the pool has no such workload.
    """
    with open_ledger(home) as ledger:
        decisions = ledger.latest("standings")
        if not decisions:
            raise NotRunning(f"the ledger in {home} has no decision", next_step="start a pool with 'tenfold up'")
        decision = Standings.model_validate(decisions[0].body)
        rows = {row.workload: row for row in decision.workloads}
        if workload not in rows:
            raise UsageError(f"the pool has no workload {workload!r}", next_step=f"it has {', '.join(rows)}")
        moves = [MoveView.model_validate(event.body) for event in ledger.latest("move", MOVES_SEARCHED)]
    mine = [move for move in moves if workload in (move.donor, move.receiver)]
    return Why(
        at=decisions[0].at,
        epoch=decision.epoch,
        slots=decision.slots,
        mine=rows[workload],
        others=tuple(row for row in decision.workloads if row.workload != workload),
        next_slot_to=decision.next_slot_to,
        moves=tuple(mine[:MOVES_TOLD]),
    )


def tell(found: Why) -> str:
    """Put it in sentences, one a line."""
    mine = found.mine
    lines = [
        f"{mine.workload} has {mine.held} of {found.slots} slots "
        f"(floor {mine.floor}, ceiling {mine.ceiling}) at {_clock(found.at)}, epoch {found.epoch}."
    ]
    if mine.demand_units_per_s is None:
        lines.append(f"It always has more to do; a slot does {mine.capacity_units_per_s:,.3g} {mine.unit}s/s.")
    else:
        lines.append(
            f"It must expect {mine.demand_units_per_s:,.3g} {mine.unit}s/s; "
            f"a slot does {mine.capacity_units_per_s:,.3g}."
        )
    if mine.price is not None:
        lines.append(_priced(mine.unit, mine.price))
    if mine.supply < SHORT_SUPPLY:
        lines.append(
            f"Other programs take its cores: its slots had {percent_down(mine.supply):g}% of what they are sure of."
        )
    if mine.aim is not None:
        lines.append(_steered(mine.aim))
        if mine.aim.kept is not None and mine.aim.kept < mine.held:
            kept = "none" if not mine.aim.kept else f"{mine.aim.kept:,}"
            lines.append(
                f"Since it may still miss requests, it would keep {kept} of its slots in a surge of another service."
            )
    if mine.held:
        lines.append(f"Its last slot is worth {micro(mine.last_slot_usd_per_s)} to it{_best_use(found)}.")
    else:
        lines.append(f"It has none because none is worth more to it than to others{_best_use(found)}.")
    if mine.held >= found.slots:
        lines.append("It has all there are.")
    elif mine.held >= mine.ceiling:
        lines.append(f"It would get no further slot: {mine.held} is its ceiling.")
    else:
        lines.append(f"One more would be worth {micro(mine.next_slot_usd_per_s)} to it.")
    receiver = found.next_slot_to
    lines.append(
        "A slot more in the pool would be idle: nobody has use for it."
        if receiver is None
        else f"A slot more in the pool would go to {receiver}."
    )
    return "\n".join([*lines, *[_move(mine.workload, move) for move in found.moves]])


def _priced(unit: str, price: PriceView) -> str:
    """Say what a unit is worth, whether that is measured, and how well it is known."""
    said = f"A {unit} is worth {_micro(price.usd)}"
    if price.low_usd is None or price.high_usd is None:
        how = "a fixed price" if price.source == "fixed" else "the configured price: no product has earned with it"
        return f"{said}, {how}."
    measured = (
        f"products earned {price.earned_usd:,.4g} $ with {_count(price.units)} {unit}s of late, "
        f"which says {_micro(price.low_usd)} to {_micro(price.high_usd)}{_parts(unit, price)}"
    )
    if price.source == "fixed":
        return f"{said}, a fixed price; {measured}."
    return f"{said}, measured: {measured}. Configured: {_micro(price.configured_usd)}."


def _parts(unit: str, price: PriceView) -> str:
    """Of what a unit earned, how much each product did; nothing where only one earns."""
    if len(price.by_product) < 2 or not price.units:
        return ""
    said = [f"{product} {_micro(usd / price.units)}" for product, usd in price.by_product.items()]
    return f" ({', '.join(said)} a {unit})"


def _micro(usd: float) -> str:
    """A price in millionths of a dollar."""
    return f"{millionths(usd)} µ$"


def _count(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _steered(aim: Aim) -> str:
    """Say what it is steered to and how, with shares rounded down."""
    done, asked, share = (f"{percent_down(part):g}%" for part in (aim.attained, aim.attains, aim.provided))
    said = f"It answered {done} of its requests in time and shall answer {asked}"
    if aim.stretched:
        return (
            f"{said}, which is out of reach: an answer is worth {aim.worth:.3g} times its price, and no more, "
            "since further slots would answer next to nothing."
        )
    if aim.attained < aim.attains and aim.worth == 1.0:
        return f"{said}: what it missed beyond that no slots could have answered, so it is not made good."
    if aim.worth > 1.0:
        until = "until then" if aim.attained < aim.attains else "until it has something in reserve"
        return f"{said}: {until} an answer is worth {aim.worth:.3g} times its price."
    if aim.provided < 1.0:
        return f"{said}: {share} of what it must expect is worth the price."
    return f"{said}: that goes by the price."


def _best_use(found: Why) -> str:
    """Say what the best other use of a slot is, where others may have more."""
    wanting = [row for row in found.others if row.held < row.ceiling]
    if not wanting:
        return ""
    best = max(wanting, key=lambda row: row.next_slot_usd_per_s)
    return f", and would be worth {micro(best.next_slot_usd_per_s)} to {best.workload}"


def _move(workload: str, move: MoveView) -> str:
    if move.receiver == workload:
        what = f"got {move.slot} from {move.donor or 'idle'}"
    else:
        what = f"gave {move.slot} to {move.receiver or 'idle'}"
    return f"{_clock(move.at)} {what}: {move.reason}."


def _clock(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at):%H:%M:%S}"
