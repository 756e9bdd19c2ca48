"""The coordinator of training: owns the state, hands out microbatches, adds gradients, updates parameters.

Workers hold no state: each asks for a microbatch of the current step, computes its gradient with that step's parameters
and hands it in. When all ``Recipe.microbatches`` are in, their mean updates the parameters and the next step begins.
Hence the global batch is constant, parameters are the same bits for any set of workers, joining costs one copy of the
parameters, and leaving costs nothing: a microbatch whose worker is gone goes back to the queue.

Workers on this machine read the parameters where they lie, and write gradients into memory that they share with this
process, which adds them in a fixed tree (``tree``). Those on another machine do the same with its outpost
(``outpost``), which gets the parameters once a step and hands up the sums of its machine when the step's gradients are
all computed; without an outpost each sends and receives them over its connection. Equality of bits holds for one
instruction set, torch build and thread count.
"""

import logging
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from tenfold.core.errors import Damaged, PortTaken, TenfoldError
from tenfold.core.sound import set_aside
from tenfold.llama.branch import state_of_trunk
from tenfold.llama.checkpoint import StateVectors, checkpoint_path, newest_sound
from tenfold.llama.data.pair_sampler import sampler_of
from tenfold.llama.durable import Durable
from tenfold.llama.evaluate import Evaluations, Evaluator
from tenfold.llama.exchange import Exchange
from tenfold.llama.flops import flops_per_token
from tenfold.llama.guard import diverged, reason_to_skip, why_ended
from tenfold.llama.journal import Journal, OnStep, StepLine
from tenfold.llama.live import LiveState, live_run
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.runs import MAIN, RUN_FILE, locked, open_run, take_over, train_folder
from tenfold.llama.sweep import sweep
from tenfold.llama.vectors import gradient_norm, initial_parameters, layout_of, update
from tenfold.llama.wire import TrainStatus

CHECKPOINT_INTERVAL_S = 60.0
CLAIM_TIMEOUT_S = 60.0
UPDATE_LIMIT_S = 60.0
"""An update of the parameters that takes longer than this has hung."""

log = logging.getLogger(__name__)


class Coordinator:
    """One training run, served to workers.

    Args:
        recipe: what to train, if the run is new; a run goes on by the recipe that it began with.
        text_sha256: identity of the text, from its index.
        home: the pool's folder; state lies in ``home/train/<name>``.
        token: the pool's secret.
        name: of the run.
        checkpoint_interval_s: seconds between durable checkpoints while training goes on.
        claim_timeout_s: seconds after which a silent worker's microbatch is given to another.
        data: the prepared data; none: held-out loss is not measured, and each step counts as full.
        peak_flops_per_s: measured peak of one worker, for the model FLOP/s utilisation; none: it is not told.
        on_step: called in ``run`` after each step, and once as it begins.

    Raises:
        AlreadyRunning: another coordinator has this folder.
        AssetError: the folder's state is damaged or of another recipe or text.
    """

    def __init__(
        self,
        recipe: Recipe,
        text_sha256: str,
        home: Path,
        token: str,
        name: str = MAIN,
        *,
        checkpoint_interval_s: float = CHECKPOINT_INTERVAL_S,
        claim_timeout_s: float = CLAIM_TIMEOUT_S,
        data: Path | None = None,
        peak_flops_per_s: float | None = None,
        on_step: OnStep | None = None,
    ) -> None:
        self._text_sha256 = text_sha256
        take_over(home)
        self._folder = train_folder(home, name)
        self._folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            held.enter_context(locked(self._folder))
            new = not (self._folder / RUN_FILE).exists()
            in_memory = live_run(self._folder, recipe.identity(text_sha256))
            self._run = open_run(self._folder, recipe, text_sha256, in_memory)
            self._recipe = self._run.recipe
            self._layout = layout_of(self._recipe.model)
            try:
                self._sampler = None if data is None else sampler_of(data, self._recipe)
                evaluator = self._evaluator(data)
                self._live, durable_step = self._resume()
            except TenfoldError:
                if new:
                    # It has not begun, so whoever mends its recipe need not give it another name.
                    (self._folder / RUN_FILE).unlink()
                raise
            self._durable = Durable(self._folder, self._run, self._layout.spans, durable_step, checkpoint_interval_s)
            self._journal = Journal(
                self._folder,
                self._live.progress.step,
                flops_per_token(self._recipe.model, self._recipe.sequence_tokens),
                peak_flops_per_s,
            )
            self._evaluations = None if evaluator is None else Evaluations(evaluator, self._journal.evaluation)
            self._on_step = on_step
            self._held = held.pop_all()
        self._exchange = Exchange(
            self._folder, self._run, text_sha256, data, self._live, token, claim_timeout_s, self.status
        )
        self._changed = self._exchange.changed
        self._updating_since: float | None = None

    def _resume(self) -> tuple[LiveState, int | None]:
        """Continue from the live state or the newest sound checkpoint, whichever is further, or start at step 0."""
        live, fault = None, None
        try:
            live = LiveState.reopen(self._folder, self._run, self._layout.size)
        except Damaged as error:
            fault = error
        otherwise = "training goes on from its live state" if live is not None else ""
        durable = newest_sound(self._folder, self._run, self._layout.spans, otherwise)
        durable_step = durable[0].step if durable else None
        if fault is not None:
            instead = (
                f"training goes on from its checkpoint at step {durable_step}" if durable else "training starts over"
            )
            # To the disk, for shared memory is memory.
            set_aside(fault.path, fault.cause, instead, folder=self._folder)
        if live is not None and live.progress.step >= (durable_step or 0):
            log.info("training continues at step %d from %s", live.progress.step, live.path)
            return live, durable_step
        if durable is not None:
            progress, state = durable
            log.info("training continues at step %d from its checkpoint", progress.step)
        elif branch := state_of_trunk(self._folder, self._recipe, self._text_sha256, self._layout.spans):
            progress, state = branch
            log.info("training begins at step %d of run %s", progress.step, self._recipe.from_run)
        else:
            progress, zeros_P = TrainProgress(), np.zeros(self._layout.size, np.float32)
            state = StateVectors(initial_parameters(self._recipe, self._layout), zeros_P, zeros_P.copy())
        return LiveState.create(self._folder, self._run, progress, state), durable_step

    def _evaluator(self, data: Path | None) -> Evaluator | None:
        """What measures held-out loss; none where that is never wanted."""
        if data is None or (self._recipe.steps is None and not self._recipe.evaluate_every):
            return None
        return Evaluator(self._recipe, data)

    @property
    def recipe(self) -> Recipe:
        """What the run goes by."""
        return self._recipe

    @property
    def ended(self) -> bool:
        """Whether the run's last step is finished, or it has diverged; it then hands out nothing more."""
        return self._exchange.ended

    def settle(self) -> None:
        """Once the run has ended: wait until its last evaluation is written down, and its checkpoint is on disk."""
        if self._evaluations is not None:
            self._evaluations.wait()
        self._durable.wait()
        if not self._durable.has(self._live.progress.step):
            self._durable.write(self._live.progress, self._live.front)

    def listen(self, host: str, port: int) -> int:
        """Bind and start to answer workers; return the port.

        Raises:
            PortTaken: another process listens there.
        """
        try:
            return self._exchange.server.listen(host, port)
        except PortTaken:
            self._close()
            raise

    def run(self) -> None:
        """Update parameters as steps complete, until ``stop``; then write a checkpoint and release the folder."""
        # More threads would add up the gradient's norm in another order.
        torch.set_num_threads(1)
        threading.Thread(target=sweep, name="train-sweep").start()
        try:
            self._after_step(None)
            while self._wait():
                if self._exchange.step.complete:
                    self._after_step(self._finish_step())
                if self._durable.due_s(self._live.progress.step) == 0:
                    self._durable.write_in_background(self._live.progress, self._live.front.copy())
        finally:
            self._close()

    def stop(self) -> None:
        """Make ``run`` return; callable from a signal handler and from any thread."""
        with self._changed:
            self._exchange.stopping = True
            self._changed.notify_all()

    @property
    def is_stuck(self) -> bool:
        """Whether an update has hung; whoever asks hangs too where nobody gets at the state any more."""
        with self._changed:
            since = self._updating_since
        return since is not None and time.monotonic() - since >= UPDATE_LIMIT_S

    def status(self) -> TrainStatus:
        """How training goes."""
        with self._changed:
            progress = self._live.progress
            fault = diverged(self._recipe, progress)
            return TrainStatus(
                run=self._run.run,
                step=progress.step,
                tokens=progress.tokens,
                loss=progress.loss,
                loss_history=progress.history,
                workers=len(self._exchange.workers),
                params=self._layout.size,
                checkpoint_step=self._durable.step,
                accepted=self._exchange.accepted,
                rejected=self._exchange.rejected,
                ended=why_ended(self._recipe, progress),
                alarm=f"{fault}; {fault.next_step}" if fault else self._durable.alarm,
            )

    def _wait(self) -> bool:
        """Sleep until a step is complete, a checkpoint is due, or it is time to stop (false)."""
        with self._changed:
            due_s = self._durable.due_s(self._live.progress.step)
            self._changed.wait_for(lambda: self._exchange.stopping or self._exchange.step.complete, timeout=due_s)
            return not self._exchange.stopping

    def _after_step(self, line: StepLine | None) -> None:
        """Keep, evaluate and tell what the step calls for; also when the process before this one had no time to."""
        progress = self._live.progress
        if progress.step in self._recipe.keep_at and not checkpoint_path(self._folder, progress.step).exists():
            self._durable.write(progress, self._live.front)
        due = self._recipe.evaluates_after(progress.step) or diverged(self._recipe, progress) is not None
        if due and self._evaluations is not None and progress.step not in self._journal.evaluated:
            self._evaluations.submit(progress, self._live.front.parameters_P)
        if self._on_step is not None:
            self._on_step(progress, line)

    def _finish_step(self) -> StepLine:
        """Update the back of the live state and bring it to the front; no worker can add to a complete step."""
        self._updating_since = time.monotonic()
        loss, buffer = self._exchange.step.result()
        gradient_P = self._exchange.buffers.vector_P(buffer)
        gradient_P *= np.float32(1.0 / self._recipe.microbatches)
        progress = self._live.progress
        self._live.back.copy_from(self._live.front)
        norm = gradient_norm(self._layout, gradient_P)
        skipped = reason_to_skip(self._recipe, progress, loss, norm)
        if skipped:
            log.warning("the update of step %d is left out: %s", progress.step + 1, skipped)
        else:
            update(self._recipe, self._layout, self._live.back, gradient_P, norm, progress.step)
        tokens = self._tokens_of(progress.step)
        after = progress.after(loss, tokens, norm, skipped=bool(skipped))
        with self._changed:
            self._live.flip(after)
            workers = len(self._exchange.workers)
            self._exchange.buffers.give_back(buffer)
            self._updating_since = None
            self._exchange.begin_step()
        rate = self._recipe.learning_rate_at(progress.step)
        return self._journal.stepped(after, tokens, norm, rate, workers, skipped)

    def _tokens_of(self, step: int) -> int:
        """Tokens of a step; of pairs without what fills their sequences up."""
        if self._sampler is None:
            return self._recipe.step_tokens
        return sum(self._sampler.tokens(step, microbatch) for microbatch in range(self._recipe.microbatches))

    def _close(self) -> None:
        self._exchange.close()
        self._durable.wait()
        if self._evaluations is not None:
            self._evaluations.close()
        if not self._durable.has(self._live.progress.step):
            self._durable.write(self._live.progress, self._live.front)
        if self._durable.has(self._live.progress.step):
            self._live.remove()
        self._held.close()
