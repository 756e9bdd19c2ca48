"""What a workload tells the pool of the models that it and others serve."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tenfold.pool.backends.settings import BackendSettings
from tenfold.pool.metering.budget import Budget


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """What a workload tells of its models.

    ``own``: names of those that its residents answer for, the default chat model first. ``units``: of the workload's
    work in so many tokens of a prompt and of an answer. ``budgets``: by product, ``product/tenant`` or ``product/*``.
    ``reads_images``: those of its own that take images.
    """

    own: tuple[str, ...]
    units: Callable[[str, int, int], float]
    backends: Mapping[str, BackendSettings] = field(default_factory=dict)
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    reads_images: frozenset[str] = frozenset()

    @property
    def models(self) -> tuple[str, ...]:
        """All names by which clients can ask, each once."""
        more = (model for backend in self.backends.values() for model in backend.models)
        return tuple(dict.fromkeys((*self.own, *more)))
