"""Read plans and changes of plans out of sentences: "plan Saturday: 10:00 museum at Lasziv, 1 pm lunch"."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from tenfold.assistant.plan import MOST_STEPS, Plan, Step
from tenfold.assistant.times import DAYS, read_span
from tenfold.assistant.words import STOPPED, stems

NEW = re.compile(
    r"^(?:please )?(?:make|create|write|start|draw up)?\s*(?:me |us )?(?:a |the |our )?(?:new )?plan\b\s*",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"\b(?:at\s+|from\s+)?(?:(\d{1,2}):(\d\d)\s*(am|pm)?|(\d{1,2})\s*(am|pm)|(noon|midnight))\b"
    r"|\b(?:at|from)\s+(\d{1,2})(?=\s*(?:[,;.\n]|$))",
    re.IGNORECASE,
)
_MORNING = 7
"""A bare hour before this is meant after noon: "museum at 3"."""
_UNTIL = re.compile(r"\s*(?:-|\u2013|until|till|to)\s*", re.IGNORECASE)
_LONG = re.compile(r"\bfor (?:(\d+(?:\.\d+)?|an?|half an?)\s*(hours?|h|minutes?|mins?))\b", re.IGNORECASE)
_PLACE = re.compile(r"\s(?:at|in|@)\s+(?P<place>(?:the )?[\w'\u2019].*)$", re.IGNORECASE)
_ORDINAL = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a plan. ``trouble``: why nothing did, in a sentence for whoever asked; else empty."""

    plan: Plan | None
    trouble: str = ""


def is_new_plan(text: str) -> bool:
    """Whether a text asks for a plan and says what is in it."""
    return NEW.match(text) is not None and _CLOCK.search(text) is not None


def new_plan(text: str, now: datetime) -> Changed:
    """Read a plan: a day, then its steps, each with a time, separated by commas, semicolons or lines.

    Args:
        text: as it was written.
        now: local time; a day without a year lies ahead of it.
    """
    body = NEW.sub("", text, count=1)
    head, colon, rest = (
        body.partition(": ") if re.match(r"[^:\d]*(?:\d{1,2} \w+|\d{4}-\d\d-\d\d)?[^:\d]*: ", body) else ("", "", body)
    )
    day = day_of(head or rest, now.date()) or now.date()
    title = re.sub(r"^(?:for|of|on)\s+", "", head.strip(), flags=re.IGNORECASE) if colon else ""
    steps, day_now = [], day
    for part in _parts(rest):
        day_now = day_of(part, now.date()) or day_now
        step = read_step(part, day_now)
        if step is not None:
            steps.append(step)
    if not steps:
        return Changed(
            None,
            "I found no step with a time in that. Write one like: plan Saturday: 10:00 museum, 1 pm lunch at Rosa's",
        )
    if len(steps) > MOST_STEPS:
        return _too_many(len(steps))
    made = Plan(title=f"Plan for {title}"[:200] if title else "Plan")
    return Changed(made.with_steps(steps))


def _parts(text: str) -> list[str]:
    """The steps of a plan: each begins where a part has a time, and has what follows without one."""
    parts: list[str] = []
    for part in re.split(r"\s*(?:[;,\n]|\bthen\b)\s*", text):
        if _CLOCK.search(part):
            parts.append(part)
        elif parts and part.strip():
            parts[-1] += f", {part}"
    return parts


def read_step(text: str, day: date) -> Step | None:
    """Read a step with its time, how long it takes and its place; none if it has no time."""
    clock = _CLOCK.search(text)
    if clock is None:
        return None
    begin = _time(clock)
    if begin is None:
        return None
    rest, minutes = text[: clock.start()] + " " + text[clock.end() :], 60
    after = _UNTIL.match(text, clock.end())
    end = _CLOCK.match(text, after.end()) if after else None
    if after and end and (until := _time(end)) is not None:
        span = datetime.combine(day, until) - datetime.combine(day, begin)
        minutes = max(1, int(span / timedelta(minutes=1)) % (24 * 60))
        rest = text[: clock.start()] + " " + text[end.end() :]
    if (long := _LONG.search(rest)) is not None:
        minutes = _minutes(long)
        rest = rest[: long.start()] + " " + rest[long.end() :]
    rest = _without_day(rest)
    place = _PLACE.search(f" {rest}")
    what = f" {rest}"[: place.start()] if place else rest
    what = re.sub(
        r"^(?:\s*(?:and|then|add|at|on|a|an|the|we|go to|visit the))+\s+|[\s,.;:-]+$",
        " ",
        f" {what}",
        flags=re.IGNORECASE,
    )
    what = re.sub(r"\s+", " ", what).strip(" ,.;:-")
    where = re.sub(r"\s+", " ", place["place"]).strip(" ,.;:-") if place else ""
    if not what:
        what, where = where, ""
    return (
        Step(what=what[:200], starts=datetime.combine(day, begin), minutes=minutes, place=where[:200]) if what else None
    )


def change(plan: Plan, text: str, now: datetime) -> Changed | None:
    """Change a plan as a follow-up says: drop, move, rename, add; none if the text asks for none of that."""
    asked = text.strip().rstrip(".!")
    if found := re.match(r"^(?:please )?(?:drop|remove|delete|cancel|skip)\s+(?P<which>.+)$", asked, re.IGNORECASE):
        return _dropped(plan, found["which"])
    if found := re.match(
        r"^(?:please )?(?:move|shift|postpone|reschedule|put|change)\s+(?P<which>.+?)\s+(?:to|at|until)\s+(?P<to>.+)$",
        asked,
        re.IGNORECASE,
    ):
        return _moved(plan, found["which"], found["to"], now)
    if found := re.match(
        r"^(?:please )?(?:rename|call)\s+(?P<which>.+?)\s+(?:to|as|into)\s+(?P<to>.+)$", asked, re.IGNORECASE
    ):
        return _replaced(plan, found["which"], lambda step: step.model_copy(update={"what": found["to"][:200]}))
    if found := re.match(r"^(?:please )?(?:add|also|and add)\s+(?P<step>.+)$", asked, re.IGNORECASE):
        return _added(plan, found["step"], now)
    return None


def _added(plan: Plan, text: str, now: datetime) -> Changed:
    day = day_of(text, now.date()) or (plan.steps[-1].starts.date() if plan.steps else now.date())
    step = read_step(text, day)
    if step is None:
        return Changed(None, "Say at what time, e.g.: add dinner at 7 pm at Rosa's")
    if len(plan.steps) >= MOST_STEPS:
        return _too_many(len(plan.steps) + 1)
    return Changed(plan.with_steps([*plan.steps, step]))


def _too_many(steps: int) -> Changed:
    return Changed(None, f"A plan has up to {MOST_STEPS} steps, and that would be {steps}.")


def _dropped(plan: Plan, which: str) -> Changed:
    place = _which(plan, which)
    if isinstance(place, str):
        return Changed(None, place)
    return Changed(plan.with_steps([step for n, step in enumerate(plan.steps) if n != place]))


def _moved(plan: Plan, which: str, to: str, now: datetime) -> Changed:
    clock, day = _CLOCK.search(to), day_of(to, now.date())
    if clock is None and day is None:
        return _replaced(plan, which, lambda step: step.model_copy(update={"place": to[:200]}))
    when = _time(clock) if clock else None

    def moved(step: Step) -> Step:
        starts = datetime.combine(day or step.starts.date(), when or step.starts.time())
        return step.model_copy(update={"starts": starts})

    return _replaced(plan, which, moved)


def _replaced(plan: Plan, which: str, new: Callable[[Step], Step]) -> Changed:
    place = _which(plan, which)
    if isinstance(place, str):
        return Changed(None, place)
    steps = [new(step) if n == place else step for n, step in enumerate(plan.steps)]
    return Changed(plan.with_steps(steps))


def _which(plan: Plan, which: str) -> int | str:
    """Place of the step that is meant; or why it is not clear."""
    words = which.lower()
    number = re.search(r"\b(?:step |number |#)?(\d{1,2})(?:st|nd|rd|th)?\b", words)
    place = next((n for n, name in enumerate(_ORDINAL) if re.search(rf"\b{name}\b", words)), None)
    if re.search(r"\blast\b", words):
        place = len(plan.steps) - 1
    elif place is None and number is not None and not re.search(r"[ap]m|:", words):
        place = int(number[1]) - 1
    if place is not None:
        return place if 0 <= place < len(plan.steps) else f"The plan has {len(plan.steps)} steps; which one is meant?"
    asked = {stem for stem in stems(which) if stem not in STOPPED}
    fits = [len(asked & set(stems(f"{step.what} {step.place}"))) for step in plan.steps]
    best = max(fits, default=0)
    if not best:
        return f"No step of the plan is called {which!r}."
    if fits.count(best) > 1:
        return f"Several steps fit {which!r}; say its number."
    return fits.index(best)


def day_of(text: str, today: date) -> date | None:
    """The day that a text names: a date, a weekday, today or tomorrow; it lies ahead."""
    low = text.lower()
    if re.search(r"\btoday\b", low):
        return today
    if re.search(r"\btomorrow\b", low):
        return today + timedelta(days=1)
    for number, name in enumerate(DAYS):
        if re.search(rf"\b{name}\b", low):
            return today + timedelta(days=(number - today.weekday()) % 7)
    span = read_span(text, today)
    if span is None or not span.is_written or span.first != span.last:
        return None
    day = span.first
    is_past = day < today and not re.search(r"\b(?:19|20)\d\d\b", text)
    return day.replace(year=day.year + 1) if is_past else day


def _without_day(text: str) -> str:
    names = "|".join((*DAYS, "today", "tomorrow"))
    text = re.sub(rf"\b(?:on |next )?(?:{names})\b", " ", text, flags=re.IGNORECASE)
    return re.sub(r"\b(?:on )?\d{4}-\d\d-\d\d\b", " ", text)


def _time(clock: re.Match[str]) -> time | None:
    hour_24, minute, half, hour_12, half_12, word, bare = clock.groups()
    if word:
        return time(12) if word.lower() == "noon" else time(0)
    if bare:
        hour = int(bare)
        return time(hour + 12 if 0 < hour < _MORNING else hour) if hour < 24 else None
    hour, minutes = int(hour_24 or hour_12), int(minute or 0)
    half = (half or half_12 or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, minutes) if hour < 24 and minutes < 60 else None


def _minutes(long: re.Match[str]) -> int:
    count = {"a": 1.0, "an": 1.0, "half a": 0.5, "half an": 0.5}.get(long[1].lower()) or float(long[1])
    return max(1, round(min(7 * 24 * 60, count * (60 if long[2].lower().startswith("h") else 1))))
