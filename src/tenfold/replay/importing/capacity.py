"""How many requests a second one accelerator answers in time: told, measured, or estimated from tokens and latency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenfold.compute.accelerators import Accelerator, Precision, find_accelerator
from tenfold.compute.facilities import facilities
from tenfold.compute.inference import Traffic, estimate_inference
from tenfold.compute.parallel import shared_by
from tenfold.compute.served import find_served_model
from tenfold.core.errors import InfeasibleError, UsageError
from tenfold.replay.importing.found import Requests
from tenfold.replay.importing.kinds import is_slice
from tenfold.replay.week import Floats

MODEL = "llama-3.1-70b"
"""What is taken to be served where a log has tokens and nobody says of which model."""

BUSY = 0.5
"""Share of the fleet that the highest demand is taken to need, where nothing tells what an accelerator answers."""

SLOWEST, FASTEST = 5.0, 100.0
"""Tokens per second of one answer that a latency is believed to tell, between these."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of one service.

    ``per_replica``: requests per second that a replica answers, told. ``replica``: its accelerators. ``model``: what is
    served. ``parallel``: requests that a replica works on together. ``replicas_T``: measured, on the steps of
    ``rates_T``; none: not told.
    """

    rates_T: Floats
    requests: Requests | None = None
    per_replica: float | None = None
    replica: int = 1
    model: str | None = None
    parallel: int | None = None
    replicas_T: Floats | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    """Requests per second of one accelerator, by kind, and how that is known. ``assumed``: nothing tells it."""

    by_kind: Mapping[str, float]
    known: str
    assumed: bool = False


def capacity_of(name: str, told: Told, kinds: Mapping[str, int]) -> Capacity:
    """Find a service's capacity by the best that is known.

    Told by the user; parallel requests over latency; rate per replica at the busiest; tokens by ``tenfold compute``;
    or else so that the highest demand needs half of the fleet.

    Args:
        name: of the service.
        told: what is known.
        kinds: accelerators of each kind of the fleet.

    Raises:
        UsageError: there is no such model.
    """
    # What a whole accelerator answers says nothing of a slice of one.
    kinds = {kind: slots for kind, slots in kinds.items() if not is_slice(kind)} or kinds
    if told.per_replica is not None:
        return _alike(told.per_replica / told.replica, kinds, f"as told: {told.per_replica:g} a replica")
    latency_s = _latency_s(told.requests)
    if told.parallel is not None and latency_s is not None:
        found = told.parallel / latency_s
        words = f"{told.parallel} requests at a time of {latency_s:.3g} s each: {found:.3g} a replica"
        return _alike(found / told.replica, kinds, words)
    if told.replicas_T is not None:
        at_most = _busiest(told.rates_T, told.replicas_T)
        if at_most is not None:
            words = f"the most that a replica was seen to answer in 1 step of 100: {at_most:.3g}; it may do more"
            return _alike(at_most / told.replica, kinds, words)
    requests = told.requests
    if requests is not None and requests.output_tokens:
        return _of_tokens(told.model or _model_of(name), told.model is not None, requests, kinds, told.replica)
    if told.model is not None:
        raise UsageError(
            f"--model says what {name!r} serves, but no log says how many tokens its requests have",
            next_step="give its log of requests, or --capacity",
        )
    most = float(np.nanmax(told.rates_T))
    each = most / max(1.0, BUSY * sum(kinds.values()))
    words = (
        f"ASSUMED: nothing tells it, so the highest demand, {most:.3g}/s, needs {BUSY:.0%} of the fleet (--capacity)"
    )
    return replace(_alike(max(each, 1e-9), kinds, words), assumed=True)


def _alike(each: float, kinds: Mapping[str, int], words: str) -> Capacity:
    more = "" if len(kinds) == 1 else "; the same on every kind"
    return Capacity(dict.fromkeys(kinds, each), words + more)


def _latency_s(requests: Requests | None) -> float | None:
    return None if requests is None or requests.latency_s is None else max(1e-6, requests.latency_s)


def _busiest(rates_T: Floats, replicas_T: Floats) -> float | None:
    known_T = (rates_T > 0) & (replicas_T > 0)
    return float(np.quantile(rates_T[known_T] / replicas_T[known_T], 0.99)) if known_T.any() else None


def _model_of(name: str) -> str:
    try:
        find_served_model(name)
    except UsageError:
        return MODEL
    return name


def _of_tokens(model: str, is_told: bool, requests: Requests, kinds: Mapping[str, int], replica: int) -> Capacity:
    prompt, answer = requests.input_tokens or 1.0, requests.output_tokens or 1.0
    latency_s = _latency_s(requests)
    speed = 20.0 if latency_s is None else float(np.clip(answer / latency_s, SLOWEST, FASTEST))
    found: dict[str, float] = {}
    unknown: list[str] = []
    for kind in kinds:
        try:
            accelerator = find_accelerator(kind)
        except UsageError:
            unknown.append(kind)
            continue
        rate = _rate(model, accelerator, prompt, answer, speed, replica)
        if rate is not None:
            found[kind] = rate
    stand_in = ""
    if not found:
        rate = _rate(model, find_accelerator("h100"), prompt, answer, speed, replica)
        if rate is None:
            raise UsageError(
                f"{model} cannot answer {prompt:,.0f} tokens with {answer:,.0f} at {speed:.3g} tokens/s",
                next_step="give --capacity",
            )
        found, stand_in = dict.fromkeys(kinds, rate), f"; {', '.join(kinds)} taken for h100"
    elif unknown:
        found |= dict.fromkeys(unknown, min(found.values()))
        stand_in = f"; {', '.join(unknown)} taken for the slowest of the others"
    speed_told = "" if latency_s is None else f", at {speed:.3g} tokens/s of an answer as its latency says"
    guess = "" if is_told else " (ASSUMED; --model)"
    words = f"tenfold compute on {model}{guess}: {prompt:,.0f} tokens in, {answer:,.0f} out{speed_told}{stand_in}"
    return Capacity(found, words)


def _rate(
    model: str, accelerator: Accelerator, prompt: float, answer: float, speed: float, replica: int
) -> float | None:
    """Requests per second of one accelerator; none where the model does not fit or cannot be that fast."""
    precisions: Sequence[Precision] = [each for each in ("fp8", "bf16", "fp16") if each in accelerator.precisions()]
    traffic = Traffic(
        input_tokens_per_s=prompt,
        output_tokens_per_s=answer,
        prompt_tokens=prompt,
        context_tokens=prompt + answer / 2,
        user_tokens_per_s=speed,
    )
    served, facility = find_served_model(model), next(iter(facilities().values()))
    for precision in precisions:
        # A replica that is too small for the weights is no replica of this model: the least that holds them counts.
        for size in (replica if replica > 1 else None, None):
            shared = None if size is None else shared_by(served, accelerator, size)
            try:
                found = estimate_inference(
                    served, accelerator, traffic, facility, precision=precision, prefill=shared, decode=shared
                )
            except InfeasibleError:
                continue
            busy_s = prompt / found.prefill_tokens_per_s.mid + answer / found.decode_tokens_per_s.mid
            return 1.0 / busy_s
    return None
