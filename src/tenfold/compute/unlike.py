"""What sets a run apart from all published ones: there the estimate rests on physics and its interval on luck."""

from collections.abc import Iterator
from functools import cache

from tenfold.compute.published import PublishedRun, published_runs
from tenfold.compute.run import DEFAULT_CONTEXT, Run

# A size, context, count or sparsity beyond this many times what was published is unlike it.
FAR = 3.0
# A model this many times smaller or larger than all others on its kind of accelerator is unlike them.
FAR_ON_GENERATION = 10.0
YEARS_AFTER = 1.0


def unlike(run: Run) -> tuple[str, ...]:
    """Each way in which a run is unlike all published runs, in words; empty if it is like some of them."""
    return tuple(_ways(run, published_runs()))


def _ways(run: Run, known: tuple[PublishedRun, ...]) -> Iterator[str]:
    kind = run.accelerator
    on_it = [each for each in known if each.run.accelerator.entry.generation == kind.entry.generation]
    if not on_it:
        yield f"no run on {kind.entry.title} or its generation is published"
    elif not any(each.run.precision == run.precision for each in on_it) and run.precision not in ("bf16", "fp16"):
        yield f"no run in {run.precision} on the generation of {kind.name} is published"
    elif not any(each.run.kind == run.kind for each in on_it):
        yield f"no {_word(run)} on the generation of {kind.name} is published"
    else:
        sizes = [each.run.active_params for each in on_it]
        if not min(sizes) / FAR_ON_GENERATION <= run.active_params <= max(sizes) * FAR_ON_GENERATION:
            yield (
                f"runs on the generation of {kind.name} have {min(sizes) / 1e9:.3g} to {max(sizes) / 1e9:.3g} billion "
                "active parameters"
            )
    extremes = _extremes()
    for what, value in _measures(run).items():
        low, high = extremes[what]
        if value is not None and not low / FAR <= value <= high * FAR:
            yield f"{what}: {value:,.3g}; published runs have {low:,.3g} to {high:,.3g}"
    last = max(each.run.year or 0.0 for each in known)
    if run.year is not None and run.year > last + YEARS_AFTER:
        yield f"it is {run.year - last:.1f} years later than the last published run"


def _word(run: Run) -> str:
    return "benchmark" if run.kind == "benchmark" else "production run"


def _measures(run: Run) -> dict[str, float | None]:
    return {
        "active parameters": run.active_params,
        "all parameters over active ones": run.total_params / run.active_params,
        "context": run.context or DEFAULT_CONTEXT,
        "accelerators": run.count,
    }


@cache
def _extremes() -> dict[str, tuple[float, float]]:
    found: dict[str, list[float]] = {}
    for known in published_runs():
        for what, value in _measures(known.run).items():
            if value is not None:
                found.setdefault(what, []).append(value)
    return {what: (min(values), max(values)) for what, values in found.items()}
