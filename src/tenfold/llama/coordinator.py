"""The coordinator of training: owns the state, hands out microbatches, adds gradients, updates parameters.

Workers hold no state: each asks for a microbatch of the current step, computes its gradient with that step's parameters
and hands it in. When all ``Recipe.microbatches`` are in, their mean updates the parameters and the next step begins.
Hence the global batch is constant, parameters are the same bits for any set of workers, joining costs one copy of the
parameters, and leaving costs nothing: a microbatch whose worker is gone goes back to the queue.

Workers on this machine read the parameters where they lie, and write gradients into memory that they share with this
process, which adds them in a fixed tree (``tree``); those on other machines send and receive them over their
connection. Equality of bits holds for one instruction set, torch build and thread count.
"""

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from tenfold.core.errors import Damaged, PortTaken, TenfoldError
from tenfold.core.sound import set_aside
from tenfold.llama.branch import state_of_trunk
from tenfold.llama.checkpoint import StateVectors, checkpoint_path, newest_sound
from tenfold.llama.durable import Durable
from tenfold.llama.evaluate import Evaluations, Evaluator
from tenfold.llama.flops import flops_per_token
from tenfold.llama.gradients import FloatVector, GradientBuffers, machine
from tenfold.llama.guard import check as check_guard
from tenfold.llama.guard import reason_to_skip
from tenfold.llama.journal import Journal, OnStep, StepLine
from tenfold.llama.live import LiveState, live_run
from tenfold.llama.progress import TrainProgress
from tenfold.llama.recipe import Recipe
from tenfold.llama.runs import MAIN, RUN_FILE, locked, open_run, take_over, train_folder
from tenfold.llama.step import StepInFlight
from tenfold.llama.vectors import gradient_norm, initial_parameters, layout_of, update
from tenfold.llama.wire import (
    Acknowledged,
    Channel,
    HandedIn,
    Hello,
    Next,
    Offer,
    Parameters,
    Refused,
    StatusQuery,
    Take,
    TrainStatus,
    Welcome,
    WireError,
    Work,
)
from tenfold.pool.heartbeat import BEAT_EVERY_S

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
        data: the prepared data, for evaluation; none: held-out loss is not measured.
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
        self._token, self._text_sha256 = token, text_sha256
        self._claim_timeout_s = claim_timeout_s
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
            self._evaluations = self._open_evaluations(data)
            self._on_step = on_step
            self._held = held.pop_all()
        self._changed = threading.Condition()
        self._step = self._new_step()
        self._channels: dict[int, Channel] = {}
        self._workers: dict[int, bool] = {}
        self._connections = 0
        self._accepted = self._rejected = 0
        self._buffers = GradientBuffers(self._layout.size)
        self._machine = machine()
        self._updating_since: float | None = None
        self._stopping = False
        self._listener: socket.socket | None = None

    def _new_step(self) -> StepInFlight:
        return StepInFlight(self._recipe.microbatches, self._claim_timeout_s)

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

    def _open_evaluations(self, data: Path | None) -> Evaluations | None:
        if data is None or (self._recipe.steps is None and not self._recipe.evaluate_every):
            return None
        return Evaluations(Evaluator(self._recipe, data), self._journal.evaluation)

    @property
    def ended(self) -> bool:
        """Whether the run's last step is finished; it then hands out nothing more."""
        return self._recipe.steps is not None and self._live.progress.step >= self._recipe.steps

    def listen(self, host: str, port: int) -> int:
        """Bind and start to answer workers; return the port.

        Raises:
            PortTaken: another process listens there.
        """
        try:
            self._listener = socket.create_server((host, port), backlog=64)
        except OSError as error:
            self._close()
            raise PortTaken(
                f"cannot listen on {host}:{port} for training: {error.strerror}", next_step="choose another port"
            ) from error
        threading.Thread(target=self._accept, args=(self._listener,), name="train-accept", daemon=True).start()
        return self._listener.getsockname()[1]

    def run(self) -> None:
        """Update parameters as steps complete, until ``stop``; then write a checkpoint and release the folder."""
        # More threads would add up the gradient's norm in another order.
        torch.set_num_threads(1)
        try:
            self._after_step(None)
            while self._wait():
                if self._step.complete:
                    self._after_step(self._finish_step())
                if self._durable.due_s(self._live.progress.step) == 0:
                    self._durable.write_in_background(self._live.progress, self._live.front.copy())
        finally:
            self._close()

    def stop(self) -> None:
        """Make ``run`` return; callable from a signal handler and from any thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def beat_in_background(self, beat: Callable[[], None]) -> None:
        """Say once a second that this process is alive, from a thread, so also while an update is computed.

        It falls silent when an update has hung, or when nobody gets at the state any more.
        """
        threading.Thread(target=self._beat, args=(beat,), name="train-heartbeat", daemon=True).start()

    def _beat(self, beat: Callable[[], None]) -> None:
        while True:
            with self._changed:
                since = self._updating_since
            if since is None or time.monotonic() - since < UPDATE_LIMIT_S:
                beat()
            time.sleep(BEAT_EVERY_S)

    def status(self) -> TrainStatus:
        """How training goes."""
        with self._changed:
            progress = self._live.progress
            return TrainStatus(
                run=self._run.run,
                step=progress.step,
                tokens=progress.tokens,
                loss=progress.loss,
                loss_history=progress.history,
                workers=len(self._workers),
                params=self._layout.size,
                checkpoint_step=self._durable.step,
                accepted=self._accepted,
                rejected=self._rejected,
                alarm=self._durable.alarm,
            )

    def _wait(self) -> bool:
        """Sleep until a step is complete, a checkpoint is due, or it is time to stop (false)."""
        with self._changed:
            due_s = self._durable.due_s(self._live.progress.step)
            self._changed.wait_for(lambda: self._stopping or self._step.complete, timeout=due_s)
            return not self._stopping

    def _after_step(self, line: StepLine | None) -> None:
        """Keep, evaluate and tell what the step calls for; also when the process before this one had no time to."""
        progress = self._live.progress
        if progress.step in self._recipe.keep_at and not checkpoint_path(self._folder, progress.step).exists():
            self._durable.write(progress, self._live.front)
        due = self._recipe.evaluates_after(progress.step) and progress.step not in self._journal.evaluated
        if due and self._evaluations is not None:
            self._evaluations.submit(progress, self._live.front.parameters_P)
        if self._on_step is not None:
            self._on_step(progress, line)
        check_guard(self._recipe, progress, str(self._folder))

    def _finish_step(self) -> StepLine:
        """Update the back of the live state and bring it to the front; no worker can add to a complete step."""
        self._updating_since = time.monotonic()
        loss, buffer = self._step.result()
        gradient_P = self._buffers.vector_P(buffer)
        gradient_P *= np.float32(1.0 / self._recipe.microbatches)
        progress = self._live.progress
        self._live.back.copy_from(self._live.front)
        norm = gradient_norm(self._layout, gradient_P)
        skipped = reason_to_skip(self._recipe, progress, loss, norm)
        if skipped:
            log.warning("the update of step %d is left out: %s", progress.step + 1, skipped)
        else:
            update(self._recipe, self._layout, self._live.back, gradient_P, norm, progress.step)
        after = progress.after(loss, self._recipe.step_tokens, norm, skipped=bool(skipped))
        with self._changed:
            self._live.flip(after)
            workers = len(self._workers)
            self._step = self._new_step()
            self._buffers.give_back(buffer)
            self._updating_since = None
            self._changed.notify_all()
        rate = self._recipe.learning_rate_at(progress.step)
        return self._journal.stepped(after, self._recipe.step_tokens, norm, rate, workers, skipped)

    def _close(self) -> None:
        if self._listener is not None:
            # Wakes the thread that is blocked in accept, which close would not.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        with self._changed:
            for channel in self._channels.values():
                channel.shutdown()
        self._durable.wait()
        if self._evaluations is not None:
            self._evaluations.close()
        if not self._durable.has(self._live.progress.step):
            self._durable.write(self._live.progress, self._live.front)
        if self._durable.has(self._live.progress.step):
            self._live.remove()
        self._held.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                # The listener was closed: the run is over.
                return
            self._connections += 1
            threading.Thread(
                target=self._serve, args=(raw, self._connections), name=f"train-{self._connections}", daemon=True
            ).start()

    def _serve(self, raw: socket.socket, connection: int) -> None:
        """Answer one connection until its other side is gone."""
        try:
            channel = Channel.accept(raw, self._token)
        except (OSError, WireError) as error:
            log.warning("turned a connection away: %s", error)
            return
        with self._changed:
            self._channels[connection] = channel
        try:
            self._converse(channel, connection)
        except (EOFError, OSError):
            log.debug("connection %d ended", connection)
        except WireError as error:
            log.warning("ended connection %d: %s", connection, error)
        finally:
            with self._changed:
                self._workers.pop(connection, None)
                del self._channels[connection]
                self._step.release(connection)
                self._changed.notify_all()
            channel.close()

    def _converse(self, channel: Channel, connection: int) -> None:
        while True:
            message = channel.receive()
            if isinstance(message, StatusQuery):
                channel.send(self.status())
            elif isinstance(message, Hello):
                self._welcome(channel, connection, message)
            elif isinstance(message, Next) and connection in self._workers:
                if not self._hand_out(channel, connection, message):
                    return
            elif isinstance(message, Offer) and connection in self._workers:
                self._take_in(channel, connection, message)
            else:
                raise WireError(f"a {message.says} message is out of turn", next_step="run the same Tenfold everywhere")

    def _welcome(self, channel: Channel, connection: int, hello: Hello) -> None:
        if hello.text != self._text_sha256:
            log.warning("worker %s has another text; turned away", hello.worker)
            channel.send(
                Refused(
                    message=f"worker {hello.worker} has another text than the run in {self._folder}",
                    next_step="give every node the same version of Python",
                )
            )
            return
        with self._changed:
            self._workers[connection] = hello.machine == self._machine
            step = self._live.progress.step
            parameters, vector_P = self._parameters(connection, held=(hello.run, hello.step) == (self._run.run, step))
        welcome = Welcome(run=self._run.run, recipe=self._recipe, step=step, parameters=parameters)
        channel.send(welcome, vector_P)

    def _parameters(self, connection: int, *, held: bool) -> tuple[Parameters | None, FloatVector | None]:
        """What a worker needs to get the parameters that it does not hold, and the vector to send it."""
        if held:
            return None, None
        if self._workers[connection]:
            return Parameters(memory=self._live.front_memory()), None
        return Parameters(memory=None), self._live.front.parameters_P

    def _hand_out(self, channel: Channel, connection: int, message: Next) -> bool:
        """Claim a microbatch for a worker once there is one; false if it left, or the run ended, meanwhile."""
        with self._changed:
            while self.ended or (microbatch := self._step.claim(connection, time.monotonic())) is None:
                timeout = self._step.next_timeout()
                self._changed.wait(None if timeout is None else max(0.0, timeout - time.monotonic()) + 0.01)
                if self._stopping or channel.readable():
                    return False
            step = self._live.progress.step
            parameters, vector_P = self._parameters(connection, held=message.step == step)
        channel.send(Work(step=step, microbatch=microbatch, parameters=parameters), vector_P)
        return True

    def _take_in(self, channel: Channel, connection: int, offer: Offer) -> None:
        with self._changed:
            buffer = self._buffers.take() if self._wants(offer) else None
        accepted = False
        if buffer is not None:
            try:
                self._receive_gradient(channel, connection, buffer)
            except (EOFError, OSError, WireError):
                with self._changed:
                    self._buffers.give_back(buffer)
                raise
            with self._changed:
                accepted = self._wants(offer) and self._step.put(offer.microbatch, offer.loss, buffer)
                if not accepted:
                    self._buffers.give_back(buffer)
        with self._changed:
            progress = self._live.progress
            self._accepted += accepted
            self._rejected += not accepted
        channel.send(Acknowledged(accepted=accepted, step=progress.step, loss=progress.loss))
        self._add_up()

    def _wants(self, offer: Offer) -> bool:
        current = (offer.run, offer.step) == (self._run.run, self._live.progress.step)
        return current and self._step.wants(offer.microbatch)

    def _receive_gradient(self, channel: Channel, connection: int, buffer: int) -> None:
        shared = self._workers[connection]
        channel.send(Take(memory=self._buffers.memory(buffer) if shared else None))
        message = channel.receive()
        if not isinstance(message, HandedIn):
            raise WireError(f"a {message.says} message is out of turn", next_step="run the same Tenfold everywhere")
        if not shared:
            channel.receive_into(self._buffers.vector_P(buffer))

    def _add_up(self) -> None:
        """Add what can be added now; each connection's thread does so, outside the lock."""
        while True:
            with self._changed:
                step, addition = self._step, self._step.next_addition()
                if addition is None:
                    self._changed.notify_all()
                    return
            left_P = self._buffers.vector_P(addition.left)
            np.add(left_P, self._buffers.vector_P(addition.right), out=left_P)
            with self._changed:
                step.added(addition)
                self._buffers.give_back(addition.right)
