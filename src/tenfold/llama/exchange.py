"""What the coordinator says to workers and outposts: it hands out a step's microbatches and adds their gradients.

Letter: P parameters of the model.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tenfold.llama.checkpoint import RunMeta
from tenfold.llama.gradients import FloatVector, GradientBuffers, add_neighbours, machine
from tenfold.llama.guard import why_ended
from tenfold.llama.live import LiveState
from tenfold.llama.numerics import NumericsBook
from tenfold.llama.server import Server
from tenfold.llama.step import StepInFlight
from tenfold.llama.wire import (
    Acknowledged,
    Attach,
    Attached,
    Await,
    Bring,
    Channel,
    Due,
    HandedIn,
    Hello,
    Next,
    Offer,
    Over,
    Parameters,
    Refused,
    StatusQuery,
    Sums,
    Take,
    TrainStatus,
    Welcome,
    WireError,
    Work,
    out_of_turn,
)

FAREWELL_S = 5.0
"""How long a run that has ended waits for its outposts to hear of it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Member:
    """A worker's connection.

    ``shared``: it shares this machine's memory. ``outpost``: number of the one that speaks for it, if one does.
    ``numerics``: by what it computes.
    """

    name: str
    shared: bool
    outpost: int | None
    numerics: str


class Exchange:
    """The step in flight, and the conversations about it. All that is public is guarded by ``changed``.

    Args:
        folder: the run's, for messages.
        run: what the run is.
        text_sha256: identity of the text.
        data: folder of the text; none: workers are not told.
        live: the state; its front is what workers get.
        token: the pool's secret.
        claim_timeout_s: seconds after which a silent worker's microbatch is given to another.
        status: tells how training goes.
    """

    def __init__(
        self,
        folder: Path,
        run: RunMeta,
        text_sha256: str,
        data: Path | None,
        live: LiveState,
        token: str,
        claim_timeout_s: float,
        status: Callable[[], TrainStatus],
    ) -> None:
        self._folder, self._run, self._text_sha256, self._live = folder, run, text_sha256, live
        self._data, self._claim_timeout_s, self._status = data, claim_timeout_s, status
        self._size = len(live.front.parameters_P)
        self._machine = machine()
        self.changed = threading.Condition()
        self.stopping = False
        self.workers: dict[int, _Member] = {}
        self.outposts: dict[int, str] = {}
        self.accepted = self.rejected = 0
        self.buffers = GradientBuffers(self._size)
        self.step = self._new_step()
        self._numerics = NumericsBook(folder)
        self.server = Server(token, self._converse, self._gone)

    @property
    def ended(self) -> bool:
        """Whether the run's last step is finished, or it has diverged; nothing more is handed out then."""
        return bool(why_ended(self._run.recipe, self._live.progress))

    def begin_step(self) -> None:
        """Begin the next step; called with the lock held, once the live state is that of the one before."""
        self.step = self._new_step()
        self.changed.notify_all()

    def close(self) -> None:
        """End all conversations; outposts hear of a run that has ended."""
        with self.changed:
            if self.ended:
                self.changed.wait_for(lambda: not self.outposts, timeout=FAREWELL_S)
        self.server.close()

    def _new_step(self) -> StepInFlight:
        return StepInFlight(self._run.recipe.microbatches, self._claim_timeout_s)

    def _gone(self, connection: int) -> None:
        """What a connection that is over had in hand goes to others, an outpost's sums too."""
        with self.changed:
            self.workers.pop(connection, None)
            self.step.release(connection)
            if self.outposts.pop(connection, None) is not None:
                self.step.lose(connection)
            self.changed.notify_all()

    def _converse(self, channel: Channel, connection: int) -> None:
        while True:
            message = channel.receive()
            if isinstance(message, StatusQuery):
                channel.send(self._status())
            elif isinstance(message, Hello):
                self._welcome(channel, connection, message)
            elif isinstance(message, Next) and connection in self.workers:
                if not self._hand_out(channel, connection, message):
                    return
            elif isinstance(message, Offer) and connection in self.workers:
                self._take_in(channel, connection, message)
            elif isinstance(message, Attach):
                self._attach(channel, connection, message)
            elif isinstance(message, Await) and connection in self.outposts:
                if not self._attend(channel, connection, message):
                    return
            else:
                raise out_of_turn(message)

    def _welcome(self, channel: Channel, connection: int, hello: Hello) -> None:
        if hello.text != self._text_sha256:
            log.warning("worker %s has another text; turned away", hello.worker)
            channel.send(
                Refused(
                    message=f"worker {hello.worker} has another text than the run in {self._folder}",
                    next_step="give every node the same version of Python",
                    recipe=self._run.recipe,
                    data="" if self._data is None else str(self._data.resolve()),
                )
            )
            return
        with self.changed:
            if hello.outpost is not None and hello.outpost not in self.outposts:
                raise WireError(f"worker {hello.worker} has an outpost that is gone", next_step="connect again")
            shared = hello.machine == self._machine
            self.workers[connection] = _Member(hello.worker, shared, hello.outpost, hello.numerics)
            step = self._live.progress.step
            parameters, vector_P = self._parameters(connection, held=(hello.run, hello.step) == (self._run.run, step))
        welcome = Welcome(run=self._run.run, recipe=self._run.recipe, step=step, parameters=parameters)
        channel.send(welcome, vector_P)

    def _parameters(self, connection: int, *, held: bool) -> tuple[Parameters | None, FloatVector | None]:
        """What a worker needs to get the parameters that it does not hold, and the vector to send it."""
        if held:
            return None, None
        member = self.workers[connection]
        if member.outpost is not None:
            # It has them already, or gets them anyway.
            return Parameters(memory=None), None
        if member.shared:
            return Parameters(memory=self._live.front_memory()), None
        return Parameters(memory=None), self._live.front.parameters_P

    def _hand_out(self, channel: Channel, connection: int, message: Next) -> bool:
        """Claim a microbatch for a worker once there is one; false if it left, or the run ended, meanwhile."""
        with self.changed:
            while self.ended or (microbatch := self._claim(connection)) is None:
                timeout = self.step.next_timeout()
                self.changed.wait(None if timeout is None else max(0.0, timeout - time.monotonic()) + 0.01)
                if self.stopping or channel.readable():
                    return False
            step, member = self._live.progress.step, self.workers[connection]
            # Not as it comes: one that computes by another run's recipe comes again, by this one's.
            self._numerics.note(member.numerics, step, member.name)
            parameters, vector_P = self._parameters(connection, held=message.step == step)
        channel.send(Work(step=step, microbatch=microbatch, parameters=parameters), vector_P)
        return True

    def _claim(self, connection: int) -> int | None:
        """A microbatch for a worker: each machine has a run of neighbours, whose sums are few."""
        places = [None, *self.outposts]
        member = self.workers[connection]
        if member.outpost not in places:
            raise WireError("the worker's outpost is gone", next_step="connect again")
        first = places.index(member.outpost) * self._run.recipe.microbatches // len(places)
        return self.step.claim(connection, time.monotonic(), first)

    def _take_in(self, channel: Channel, connection: int, offer: Offer) -> None:
        if (outpost := self.workers[connection].outpost) is not None:
            with self.changed:
                accepted = outpost in self.outposts and self._wants(offer)
                accepted = accepted and self.step.put_elsewhere(offer.microbatch, offer.loss, outpost)
        else:
            accepted = self._take_in_here(channel, connection, offer)
        with self.changed:
            progress = self._live.progress
            self.accepted += accepted
            self.rejected += not accepted
            # The last of a step may be at an outpost, which waits to be asked for its sums.
            self.changed.notify_all()
        try:
            channel.send(Acknowledged(accepted=accepted, step=progress.step, loss=progress.loss))
        finally:
            # Also for a worker that is gone: the gradient is in, and where it is the last nobody else would add it.
            self._add_up()

    def _take_in_here(self, channel: Channel, connection: int, offer: Offer) -> bool:
        with self.changed:
            buffer = self.buffers.take() if self._wants(offer) else None
        if buffer is None:
            return False
        try:
            self._receive_gradient(channel, connection, buffer)
        except (EOFError, OSError, WireError):
            with self.changed:
                self.buffers.give_back(buffer)
            raise
        with self.changed:
            accepted = self._wants(offer) and self.step.put(offer.microbatch, offer.loss, buffer)
            if not accepted:
                self.buffers.give_back(buffer)
        return accepted

    def _wants(self, offer: Offer) -> bool:
        current = (offer.run, offer.step) == (self._run.run, self._live.progress.step)
        return current and self.step.wants(offer.microbatch)

    def _receive_gradient(self, channel: Channel, connection: int, buffer: int) -> None:
        shared = self.workers[connection].shared
        channel.send(Take(memory=self.buffers.memory(buffer) if shared else None))
        message = channel.receive()
        if not isinstance(message, HandedIn):
            raise out_of_turn(message)
        if not shared:
            channel.receive_into(self.buffers.vector_P(buffer))

    def _add_up(self) -> None:
        """Add what can be added now; each connection's thread does so, outside the lock."""
        add_neighbours(self.step, self.buffers, self.changed)

    # ---- outposts on other machines

    def _attach(self, channel: Channel, connection: int, attach: Attach) -> None:
        with self.changed:
            self.outposts[connection] = attach.outpost
        log.info("outpost %s is there", attach.outpost)
        channel.send(
            Attached(
                outpost=connection,
                run=self._run.run,
                params=self._size,
                microbatches=self._run.recipe.microbatches,
            )
        )

    def _attend(self, channel: Channel, connection: int, message: Await) -> bool:
        """Tell an outpost what comes next for it, once that is known; false if it left or the run ended meanwhile."""
        with self.changed:
            while True:
                progress, parameters_P = self._live.progress, self._live.front.parameters_P
                ended, due = self.ended, ()
                if ended or message.step != progress.step:
                    break
                if self.step.all_in and (due := self.step.lies_at(connection)):
                    break
                self.changed.wait()
                if not self.ended and (channel.readable() or self.stopping):
                    return False
        if ended:
            channel.send(Over())
        elif due:
            channel.send(Due(step=progress.step, microbatches=due))
            self._receive_sums(channel, connection)
        else:
            channel.send(Bring(step=progress.step), parameters_P)
        return True

    def _receive_sums(self, channel: Channel, connection: int) -> None:
        """Take an outpost's sums in; one that keeps the step waiting too long loses them, and its connection."""
        with channel.patience(self._claim_timeout_s):
            sums = channel.receive()
            if not isinstance(sums, Sums):
                raise out_of_turn(sums)
            for branch in sums.branches:
                with self.changed:
                    buffer, taken = self.buffers.take(), False
                try:
                    channel.receive_into(self.buffers.vector_P(buffer))
                    with self.changed:
                        taken = self.step.arrive(connection, branch, buffer)
                finally:
                    if not taken:
                        with self.changed:
                            self.buffers.give_back(buffer)
                self._add_up()
