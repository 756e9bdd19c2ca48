"""A plan: steps with times and places, as a calendar file too."""

from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event
from pydantic import Field

from tenfold.core.frozen import Frozen

MOST_STEPS = 50


class Step(Frozen):
    """Something to be done at a time, which has no zone: it is that of the place."""

    what: str = Field(min_length=1, max_length=200)
    starts: datetime
    minutes: int = Field(60, ge=1, le=7 * 24 * 60)
    place: str = Field("", max_length=200)

    @property
    def ends(self) -> datetime:
        """When it is over."""
        return self.starts + timedelta(minutes=self.minutes)


class Plan(Frozen):
    """Steps in order of time."""

    title: str = Field("Plan", max_length=200)
    steps: tuple[Step, ...] = Field((), max_length=MOST_STEPS)

    def with_steps(self, steps: list[Step]) -> "Plan":
        """The same plan with other steps, in order of time."""
        ordered = sorted(steps, key=lambda step: step.starts)
        return Plan(title=self.title, steps=tuple(ordered))


def as_text(plan: Plan) -> str:
    """The plan as people read it: a step a line."""
    if not plan.steps:
        return f"{plan.title}: there is nothing in it."
    lines = [f"{plan.title}:"]
    day = None
    for number, step in enumerate(plan.steps, 1):
        if step.starts.date() != day:
            day = step.starts.date()
            lines.append(f"{step.starts:%A}, {step.starts.day} {step.starts:%B %Y}")
        place = f", {step.place}" if step.place else ""
        lines.append(f"{number}. {step.starts:%H:%M}-{step.ends:%H:%M} {step.what}{place}")
    return "\n".join(lines)


def as_ics(plan: Plan, thread: str, made: datetime) -> bytes:
    """The plan as an iCalendar file (RFC 5545), in local times without a zone.

    Args:
        plan: what is planned.
        thread: tells the events of one thread from those of another.
        made: when the file is made.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Tenfold//assistant//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", plan.title)
    for number, step in enumerate(plan.steps, 1):
        event = Event()
        event.add("uid", f"{thread}-{number}@tenfold")
        event.add("dtstamp", made.astimezone(UTC))
        event.add("dtstart", step.starts)
        event.add("dtend", step.ends)
        event.add("summary", step.what)
        if step.place:
            event.add("location", step.place)
        calendar.add_component(event)
    return bytes(calendar.to_ical())
