"""What a thread is about, from one question to the next."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Wish:
    """What a thing must be: one of ``pairs`` of attribute and value, or none of them; ``said``: in whose words."""

    pairs: tuple[tuple[str, str], ...]
    said: str = ""
    is_excluded: bool = False

    @property
    def attributes(self) -> frozenset[str]:
        """Attributes that it is about."""
        return frozenset(attribute for attribute, _ in self.pairs)


@dataclass(frozen=True, slots=True)
class Memory:
    """What follow-ups build on; made anew by each reply, and kept as JSON between them.

    ``items``: ids of what the thread is about. ``wishes``: what was asked of it, and ``most``, ``least``: bounds of its
    price in millionths. ``shown``: ids of the variants that the last reply named, in their order. ``asked``: what was
    wanted to know. ``act``: what is to be done once the customer says yes, as ``{"act": "cart", "variant": "V-42"}``.
    """

    items: tuple[str, ...] = ()
    wishes: tuple[Wish, ...] = ()
    most: int | None = None
    least: int | None = None
    shown: tuple[str, ...] = ()
    asked: str = ""
    act: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """As JSON."""
        return {**asdict(self), "act": dict(self.act)}

    @classmethod
    def from_json(cls, kept: Mapping[str, object]) -> "Memory":
        """Read back what ``to_json`` gave."""
        wishes = kept.get("wishes") or ()
        assert isinstance(wishes, list | tuple)
        made = {key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()}
        made["wishes"] = tuple(
            Wish(tuple((name, value) for name, value in each["pairs"]), each["said"], each["is_excluded"])
            for each in wishes
        )
        return cls(**made)  # type: ignore[arg-type]
