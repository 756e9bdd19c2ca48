"""What became of ads that were sold, and what the predictions learn of it.

An ad that was seen and not clicked for a while was not clicked. A click is learned from when its conversion has come,
or after an hour: that one may still come later is counted in (``predict.Delays``). Each lesson is predicted before
it is learned, and the calibration learns from these predictions only.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tenfold.ads.candidates import Chances, look_up
from tenfold.ads.predict import Calibration, Delays, Head

Singles = NDArray[np.float32]

CLICK_WAIT_S = 120.0
"""An ad that was seen for so long and not clicked counts as not clicked."""

CONVERT_WAIT_S = 3600.0
"""A click is learned from so long after it, whether it has converted or not."""

MOST_PENDING = 50_000
"""Ads of which it is remembered whose they were; beyond, the oldest teach nothing."""

PROGRAMS = 0.01
"""Share of those who see ads who are programs, before anything is known of one."""

ALIKE = 10.0
"""How alike people's rates of clicks are: they are spread around what was predicted as after so many ads seen."""

PROGRAM_CLICKS, PROGRAM_PASSES = 9.0, 1.0
"""Programs click nearly all that they see: their rates are spread as after so many ads clicked, and not."""

LEAST_CLICKS = 2
"""One click is nobody's habit."""


@dataclass(slots=True)
class _Sold:
    """An ad, until it is known what became of it."""

    person: str
    person_D: Singles
    campaign: str
    chance: float
    seen_at: float | None = None
    clicked_at: float | None = None
    converted_at: float | None = None
    taught_click: bool = False


@dataclass(slots=True)
class Habit:
    """What somebody does with ads: how many they saw and clicked, as far as is remembered.

    ``expected``: clicks on what they saw, as predicted when it was sold.
    """

    seen: int = 0
    clicked: int = 0
    expected: float = 0.0

    @property
    def is_of_a_program(self) -> bool:
        """Whether this is a program's habit rather than a person's, by Bayes's rule.

        Both have rates of clicks that differ: beta distributions, a person's around what was predicted. So two clicks
        on the first two ads tell a program where few click, and nothing where an ad suits somebody well; and who passes
        most ads by is no program, however often they click. Earlier than money is given back, since a wrong lesson
        costs everybody.
        """
        if self.clicked < LEAST_CLICKS:
            return False
        rate = min(max(self.expected / max(1, self.seen), 1e-6), 1.0 - 1e-6)
        person = self._log_likelihood(ALIKE * rate, ALIKE * (1.0 - rate))
        program = self._log_likelihood(PROGRAM_CLICKS, PROGRAM_PASSES)
        return program - person > math.log((1.0 - PROGRAMS) / PROGRAMS)

    def _log_likelihood(self, clicks: float, passes: float) -> float:
        """Of the habit, where rates have a beta distribution."""
        # Who was forgotten meanwhile may click more than is remembered that they saw.
        passed = max(0, self.seen - self.clicked)
        return _log_beta(clicks + self.clicked, passes + passed) - _log_beta(clicks, passes)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


@dataclass
class Lessons:
    """Two heads, and what they learn from.

    Args:
        width: of embeddings.
    """

    width: int
    click: Head = field(init=False)
    conversion: Head = field(init=False)
    delays: Delays = field(default_factory=Delays)
    _calibrations: tuple[Calibration, Calibration] = field(default_factory=lambda: (Calibration(), Calibration()))
    _own: dict[str, int] = field(default_factory=dict)
    _sold: dict[str, _Sold] = field(default_factory=dict)
    _clicks: dict[str, float] = field(default_factory=dict)
    _habits: dict[str, Habit] = field(default_factory=dict)
    _order: deque[str] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.click = Head(self.width, base=0.02)
        self.conversion = Head(self.width, base=0.05)

    def chances(self, ids: Sequence[str], item_CD: Singles) -> tuple[Chances, Chances]:
        """Make what predicts clicks, and conversions after one, of some campaigns."""
        for id in ids:
            self._own.setdefault(id, len(self._own))
        own_C = np.array([self._own[id] for id in ids], dtype=np.int64)
        heads = self.click, self.conversion
        for head in heads:
            head.grow(len(self._own))
        clicks, conversions = (
            Chances.of(*head.against(item_CD, own_C), look_up(calibration.logit))
            for head, calibration in zip(heads, self._calibrations, strict=True)
        )
        return clicks, conversions

    # ---- what became of ads

    def sold(self, event: str, campaign: str, person: str, person_D: Singles, chance: float) -> None:
        """Note an ad that was sold; ``chance``: of a click on it, as predicted."""
        self._sold[event] = _Sold(person, person_D, campaign, chance)
        self._order.append(event)
        while len(self._order) > MOST_PENDING:
            self._sold.pop(self._order.popleft(), None)

    def seen(self, event: str, now: float) -> None:
        """Note that an ad was seen."""
        found = self._sold.get(event)
        if found is not None and found.seen_at is None:
            found.seen_at = now
            # The last who saw an ad are remembered: a program is not forgotten because it came early.
            habit = self._habits[found.person] = self._habits.pop(found.person, None) or Habit()
            habit.seen += 1
            habit.expected += found.chance
            if len(self._habits) > MOST_PENDING:
                del self._habits[next(iter(self._habits))]

    def drop_unseen(self, event: str) -> bool:
        """Forget an ad that is not seen any more; whether it was not seen, as far as is remembered."""
        found = self._sold.get(event)
        if found is None or found.seen_at is not None:
            return False
        del self._sold[event]
        return True

    def drop(self, event: str) -> None:
        """Learn nothing from an ad: what was done with it, no person did."""
        self._sold.pop(event, None)

    def clicked(self, event: str, now: float) -> None:
        """Note that an ad was clicked; then it was seen."""
        self.seen(event, now)
        found = self._sold.get(event)
        if found is None or found.clicked_at is not None:
            return
        found.clicked_at = now
        self._habits.setdefault(found.person, Habit()).clicked += 1
        self._clicks[event] = now
        if len(self._clicks) > MOST_PENDING:
            del self._clicks[next(iter(self._clicks))]

    def converted(self, event: str, now: float) -> None:
        """Note that the click on an ad has led to a conversion."""
        clicked_at = self._clicks.pop(event, None)
        if clicked_at is not None:
            self.delays.note(clicked_at, now - clicked_at)
        found = self._sold.get(event)
        if found is not None and found.clicked_at is not None and found.converted_at is None:
            found.converted_at = now

    # ---- learning

    def learn(self, items: Mapping[str, Singles], now: float) -> int:
        """Learn from what is old enough; gives how many ads taught something.

        Args:
            items: embedding of each campaign; those that are gone teach nothing.
            now: Unix seconds.
        """
        clicks: list[_Sold] = []
        conversions: list[_Sold] = []
        for event in list(self._order):
            sold = self._sold.get(event)
            if sold is None or sold.seen_at is None or sold.campaign not in items:
                continue
            if sold.person in self._habits and self._habits[sold.person].is_of_a_program:
                del self._sold[event]
                continue
            if not sold.taught_click and now - sold.seen_at >= CLICK_WAIT_S:
                sold.taught_click = True
                clicks.append(sold)
            is_over = sold.converted_at is not None or now - (sold.clicked_at or now) >= CONVERT_WAIT_S
            if sold.taught_click and (sold.clicked_at is None or is_over):
                del self._sold[event]
                if sold.clicked_at is not None:
                    conversions.append(sold)
        self._order = deque(event for event in self._order if event in self._sold)
        self._teach_clicks(clicks, items)
        self._teach_conversions(conversions, items, now)
        return len(clicks) + len(conversions)

    def _teach_clicks(self, sold: Sequence[_Sold], items: Mapping[str, Singles]) -> None:
        if not sold:
            return
        happened_N = np.array([float(one.clicked_at is not None) for one in sold])
        self._calibrations[0].note(self.click.learn(*self._inputs(sold, items), happened_N), happened_N)
        self._calibrations[0].refit()

    def _teach_conversions(self, sold: Sequence[_Sold], items: Mapping[str, Singles], now: float) -> None:
        if not sold:
            return
        inputs = self._inputs(sold, items)
        self.delays.refit(now)
        predicted_N = 1.0 / (1.0 + np.exp(-self._calibrations[1].logit(self.conversion.logit(*inputs))))
        age_N = np.array([now - (one.clicked_at or now) for one in sold])
        happened_N = self.delays.chance(
            predicted_N, age_N, np.array([float(one.converted_at is not None) for one in sold])
        )
        self._calibrations[1].note(self.conversion.learn(*inputs, happened_N), happened_N)
        self._calibrations[1].refit()

    def _inputs(
        self, sold: Sequence[_Sold], items: Mapping[str, Singles]
    ) -> tuple[Singles, Singles, NDArray[np.int64]]:
        return (
            np.array([one.person_D for one in sold]),
            np.array([items[one.campaign] for one in sold]),
            np.array([self._own[one.campaign] for one in sold], dtype=np.int64),
        )
