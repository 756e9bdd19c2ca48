"""Fit a network: sampled softmax for what comes next, likelihood of actions and of watch time for what was shown.

Shapes: B windows, L places, T targets, U unique items of a batch, I items, D width, A actions, Q quantiles.
"""

import hashlib
import io
import logging
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.adam import adam

from tenfold.core.errors import TenfoldError
from tenfold.core.paths import replace_file
from tenfold.core.sound import set_aside
from tenfold.rank.lessons import Batch, Lessons
from tenfold.rank.network import QUANTILES, Candidates, Network
from tenfold.rank.recipe import Recipe
from tenfold.rank.softmax import sampled_softmax

_log = logging.getLogger(__name__)

_WARM_UP_STEPS = 50
_LAST_RATE = 0.02
_BETAS = (0.9, 0.98)
_EPSILON = 1e-8
_FURTHER, _FURTHEST = 0.4, 4.0
"""How far plain Adam moves a row that a share of the batches touch, for RowAdam's way: share ** -_FURTHER, up to
_FURTHEST; found by running both (2.5 times at a tenth of the batches, 3 at a twentieth, 4 at a hundredth)."""
_FORM = 3
"""Of what is kept of a run, so that one in another form is begun anew."""
_MOST_UNUSABLE = 10
"""Batches in a row whose loss or gradient is no number before training gives up."""


class TrainingDiverged(TenfoldError):
    """The loss stopped being a number and did not recover."""


@dataclass(slots=True)
class Curve:
    """How training went, epoch by epoch: mean loss in nats per target, what validation said, batches left out."""

    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    left_out: int = 0

    @property
    def best_epoch(self) -> int:
        """Epoch (from 1) of the highest validation, of equals the last; the last of all where nothing validates."""
        return len(self.validation) - int(np.argmax(self.validation[::-1])) if self.validation else len(self.losses)


@dataclass(slots=True)
class RowAdam:
    """Adam on those rows of a matrix that a batch touched; the others and their moments stay as they are.

    A batch of Beauty touches a sixth of the items. Plain Adam goes on moving a row for some batches after one that
    touched it, by its moments; so the rate here is so much higher that a row gets as far. How much goes by the share of
    all rows in a batch: a row that every batch touches gets further than by Adam, 3.3 times where that is a twentieth.
    """

    weight_ID: Tensor
    first_ID: Tensor
    second_ID: Tensor
    steps: int = 0

    @staticmethod
    def of(weight_ID: Tensor) -> "RowAdam":
        """With moments of zero."""
        return RowAdam(weight_ID, torch.zeros_like(weight_ID), torch.zeros_like(weight_ID))

    def step(self, row_U: Tensor, weight_UD: Tensor, grad_UD: Tensor, rate: float) -> None:
        """Move the rows ``row_U`` against their gradients; ``weight_UD``, which is what they are now, changes too."""
        rate *= min(_FURTHEST, (len(row_U) / len(self.weight_ID)) ** -_FURTHER)
        first_UD, second_UD = (moment_ID.index_select(0, row_U) for moment_ID in (self.first_ID, self.second_ID))
        adam(
            [weight_UD], [grad_UD], [first_UD], [second_UD], [], [torch.tensor(float(self.steps))],
            fused=True, amsgrad=False, beta1=_BETAS[0], beta2=_BETAS[1], lr=rate, weight_decay=0.0, eps=_EPSILON,
            maximize=False,
        )  # fmt: skip
        self.steps += 1
        for all_ID, some_UD in ((self.weight_ID, weight_UD), (self.first_ID, first_UD), (self.second_ID, second_UD)):
            all_ID.index_copy_(0, row_U, some_UD)


@dataclass(slots=True)
class Run:
    """What a run of training is made of at the end of an epoch; all that is drawn depends on seed and epoch alone."""

    network: Network
    optimizer: torch.optim.Optimizer
    own: RowAdam
    curve: Curve = field(default_factory=Curve)
    steps: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)

    def write(self, path: Path, digest: str) -> None:
        """Keep the run; ``digest`` tells which it is."""
        content = io.BytesIO()
        torch.save(
            {
                "digest": digest,
                "network": self.network.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "own": (self.own.first_ID, self.own.second_ID, self.own.steps),
                "curve": (self.curve.losses, self.curve.validation, self.curve.left_out),
                "steps": self.steps,
                "best": self.best,
            },
            content,
        )
        replace_file(path, content.getvalue())

    def go_on(self, path: Path, digest: str) -> None:
        """Take up the run that is kept at ``path``, if it is this one; what cannot be read is set aside."""
        if not path.exists():
            return
        try:
            kept = torch.load(path, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            set_aside(path, str(error).splitlines()[0], "training begins anew")
            return
        if kept["digest"] != digest:
            _log.info("the run kept at %s is another; training begins anew", path)
            return
        self.network.load_state_dict(kept["network"])
        self.optimizer.load_state_dict(kept["optimizer"])
        first_ID, second_ID, self.own.steps = kept["own"]
        self.own.first_ID.copy_(first_ID)
        self.own.second_ID.copy_(second_ID)
        self.curve = Curve(*kept["curve"])
        self.steps, self.best = kept["steps"], kept["best"]


def fit(
    network: Network,
    lessons: Lessons,
    recipe: Recipe,
    seed: int,
    progress: Callable[[float], None],
    *,
    validate: Callable[[Network], float] | None = None,
    keep: Path | None = None,
) -> Curve:
    """Train ``network``, and leave it as it was after its best epoch; same arguments and threads, same tensors.

    Args:
        network: as initialised, or as trained before.
        lessons: what it learns.
        recipe: rates and epochs.
        seed: of all that is drawn.
        progress: told the share of the work done.
        validate: how good it is, higher is better; asked after each epoch of the second half.
        keep: file that each epoch is kept in; a run that finds one of the same arguments goes on after it.

    Raises:
        TrainingDiverged: the loss is no number ten times in a row.
    """
    own = RowAdam.of(network.own.weight.detach())
    network.own.weight.requires_grad_(False)
    optimizer = torch.optim.AdamW(
        _decaying(network), recipe.learning_rate, _BETAS, weight_decay=recipe.weight_decay, fused=True
    )
    total = lessons.steps() * recipe.epochs
    run = Run(network, optimizer, own)
    # With the tensors' sizes, since another version's network of the same recipe may have others.
    sizes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    digest = hashlib.sha256(
        f"{recipe!r} {seed} {network.shape!r} {sizes} {_FORM} {lessons.digest()}".encode()
    ).hexdigest()
    if keep is not None:
        run.go_on(keep, digest)
    curve = run.curve
    with torch.random.fork_rng(devices=[]):
        for epoch in range(len(curve.losses), recipe.epochs):
            generator = np.random.default_rng([seed, epoch])
            torch.manual_seed(int(generator.integers(2**62)))
            network.train()
            curve.losses.append(0.0)
            learned, unusable = 0, 0
            for batch in lessons.epoch(generator):
                rate = recipe.learning_rate * _rate(run.steps, min(1.0, run.steps / total))
                for group in optimizer.param_groups:
                    group["lr"] = rate
                loss = _step(network, batch, recipe, optimizer, own, rate)
                run.steps += 1
                if math.isfinite(loss):
                    curve.losses[-1] += loss * batch.events
                    learned, unusable = learned + batch.events, 0
                else:
                    curve.left_out, unusable = curve.left_out + 1, unusable + 1
                    _log.warning("a batch was left out: its loss or gradient is no number (epoch %d)", epoch + 1)
                    if unusable == _MOST_UNUSABLE:
                        raise _diverged(epoch, recipe)
                progress(min(1.0, run.steps / total))
            curve.losses[-1] /= max(1, learned)
            if validate is not None:
                judged = 2 * (epoch + 1) >= recipe.epochs
                curve.validation.append(validate(network.eval()) if judged else -math.inf)
                if curve.best_epoch == epoch + 1:
                    run.best = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            if keep is not None:
                run.write(keep, digest)
    if run.best:
        network.load_state_dict(run.best)
    network.eval()
    progress(1.0)
    if keep is not None:
        keep.unlink(missing_ok=True)
    return curve


def _decaying(network: Network) -> list[dict[str, object]]:
    """The network's parameters in two groups: matrices, which decay, and vectors and biases, which do not.

    Decay would pull the biases by surface and distance, which begin at values of their own, to 0.
    """
    decays: dict[bool, list[Tensor]] = {True: [], False: []}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            decays[parameter.ndim > 1 and "bias" not in name and name != "latest_weight"].append(parameter)
    return [{"params": decays[True]}, {"params": decays[False], "weight_decay": 0.0}]


def _step(
    network: Network, batch: Batch, recipe: Recipe, optimizer: torch.optim.Optimizer, own: RowAdam, rate: float
) -> float:
    """Learn one batch; its loss, or not a number where it was left out."""
    own_UD = own.weight_ID.index_select(0, batch.unique_U).requires_grad_()
    loss = _loss(network, batch, recipe, own_UD)
    optimizer.zero_grad()
    loss.backward()
    assert own_UD.grad is not None
    # One number that is none where any gradient is: those of the items, and through them of all the rest.
    if not math.isfinite(loss.item() + own_UD.grad.sum().item()):
        return math.nan
    optimizer.step()
    own.step(batch.unique_U, own_UD.detach(), own_UD.grad, rate)
    return loss.item()


def _loss(network: Network, batch: Batch, recipe: Recipe, own_UD: Tensor) -> Tensor:
    knows_content = network.of_attribute is not None or network.of_content is not None
    dropped_U = torch.rand(len(own_UD)) < recipe.own_dropout if recipe.own_dropout and knows_content else None
    vector_UD = network.item_vectors(batch.unique_U, own_UD, dropped_U)
    judged = network.acts is not None or network.watches is not None
    # The latest event of a window is no token, and looked up only where it is judged.
    vector_BLD = functional.embedding(batch.item_BL if judged else batch.item_BL[:, :-1], vector_UD)
    candidates = Candidates(vector_BLD, batch.surface_BL) if judged else None
    read_BLD = vector_BLD[:, :-1] if judged else vector_BLD
    if recipe.event_dropout:
        read_BLD = read_BLD * (torch.rand(*read_BLD.shape[:2], 1) >= recipe.event_dropout)
    hidden_BLD, judged_BLD = network(read_BLD, batch.tokens, candidates)
    hidden_PD = hidden_BLD.flatten(0, 1)
    item_P = batch.item_BL.flatten()
    loss = hidden_PD.new_zeros(())
    for rivals in batch.rivals:
        target_T, negative_N = item_P[rivals.target_T], rivals.negative_N
        hidden_TD = hidden_PD.index_select(0, rivals.target_T)
        loss = loss + sampled_softmax(
            hidden_TD, vector_UD, target_T, negative_N, rivals.masked, network.temperature, rivals.stands_for
        )
    loss = loss / max(1, batch.events)
    return loss if judged_BLD is None else loss + _judging_loss(network, batch, judged_BLD)


def _judging_loss(network: Network, batch: Batch, judged_BLD: Tensor) -> Tensor:
    """Cross entropy of each action, and pinball loss of the quantiles of the share watched (Koenker 1978)."""
    judged_TD, loss = judged_BLD[batch.is_real_BL], judged_BLD.new_zeros(())
    if network.acts is not None:
        bits_TA = (batch.actions_BL[batch.is_real_BL][:, None] >> torch.arange(network.shape.actions)) & 1
        loss = loss + functional.binary_cross_entropy_with_logits(
            network.action_logits(judged_TD), bits_TA.to(judged_TD.dtype)
        )
    watched_T = batch.watched_BL[batch.is_real_BL]
    known_T = ~watched_T.isnan()
    if network.watches is not None and known_T.any():
        miss_TQ = watched_T[known_T][:, None] - network.watch_quantiles(judged_TD[known_T])
        quantile_Q = torch.tensor(QUANTILES)
        loss = loss + torch.maximum(quantile_Q * miss_TQ, (quantile_Q - 1) * miss_TQ).mean()
    return loss


def _rate(step: int, done: float) -> float:
    """Share of the peak learning rate: linear warm-up, then a cosine."""
    return min(1.0, (step + 1) / _WARM_UP_STEPS) * max(_LAST_RATE, (1 + math.cos(math.pi * done)) / 2)


def _diverged(epoch: int, recipe: Recipe) -> TrainingDiverged:
    message = f"training diverged: in epoch {epoch + 1} the loss of {_MOST_UNUSABLE} batches in a row is no number"
    advice = f"look for values that are no numbers in the events, or train with less than {recipe.learning_rate:g}"
    return TrainingDiverged(message, next_step=f"{advice} as the learning rate")
