"""A machine's outpost of the coordinator: its workers share memory with it, so that little crosses the network.

Workers talk to it as they would to the coordinator, and what they say is passed on, each over a connection of its own.
Vectors are not: the outpost gets the parameters once a step, for all of its machine, and keeps the gradients. It adds
neighbours in the run's tree (``tree``) and hands up the few sums that are left when the coordinator has counted all of
the step's gradients in. So no process sees all gradients, and the bits are the same as on one machine.

An outpost keeps nothing that the run needs: where it is lost, or its link, what it had of the step is computed again.
Whatever goes wrong between it and the coordinator ends all of its conversations; it begins anew once it gets through.

Letter: P parameters of the model.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait

from tenfold.core.errors import NotRunning
from tenfold.llama.gradients import GradientBuffers, add_neighbours, machine
from tenfold.llama.server import Server
from tenfold.llama.tree import Addition, Branch, PartialSums
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
    Message,
    Next,
    Offer,
    Over,
    Parameters,
    Refused,
    Sums,
    Take,
    Welcome,
    WireError,
    Work,
    out_of_turn,
)
from tenfold.pool.heartbeat import BEAT_EVERY_S
from tenfold.pool.resident import Context

COMPANION, OUTPOST = "train", "train-outpost"
"""By which names a pool tells its workers where coordinator and outpost are."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
ATTACH_WAIT_S = 5.0
"""How long a worker waits for the coordinator to answer its outpost before it has to connect again."""

log = logging.getLogger(__name__)


class _Held:
    """What lies here while the outpost is attached: the parameters of a step, and the sums of its gradients.

    Guarded by the outpost's lock. ``step`` is -1 until the first parameters are there. Those of the step before stay
    where they are, for a worker may still be reading them. ``lost``: a link to the coordinator broke, and it may have
    counted in what is not here.
    """

    def __init__(self, attached: Attached) -> None:
        self.run, self.number, self._microbatches = attached.run, attached.outpost, attached.microbatches
        self.step = -1
        self.lost = False
        self.gradients, self.places = GradientBuffers(attached.params), GradientBuffers(attached.params)
        self.parameters: int | None = None
        self._before: int | None = None
        self._begin()

    def _begin(self) -> None:
        self.sums: PartialSums[int] = PartialSums(self._microbatches)
        self.placed: set[int] = set()
        self._adding = 0

    @property
    def is_added_up(self) -> bool:
        """Whether nobody adds at the moment."""
        return not self._adding

    def turn(self, step: int, place: int) -> None:
        """Begin a step, whose parameters lie in this place; the sums of the one before were handed up."""
        assert not self.placed, "gradients of an older step would be lost"
        if self._before is not None:
            self.places.give_back(self._before)
        self._before, self.parameters, self.step = self.parameters, place, step

    def put(self, microbatch: int, vector: int) -> None:
        """Take in a gradient that the coordinator has counted in."""
        self.placed.add(microbatch)
        self.sums.put(Branch(0, microbatch), vector)

    def hand_up(self) -> dict[Branch, int]:
        """Take the sums out, to be sent and given back."""
        held = self.sums.held
        self._begin()
        return held

    def next_addition(self) -> Addition[int] | None:
        """See ``Adding``."""
        addition = self.sums.next_addition()
        self._adding += addition is not None
        return addition

    def added(self, addition: Addition[int]) -> None:
        """See ``Adding``."""
        self._adding -= 1
        self.sums.added(addition)


class Outpost:
    """Speaks for the workers of one machine; ``run`` in the main thread, everything else from any.

    Args:
        name: for the coordinator's log.
        address: the coordinator's ``host:port``.
        token: the pool's secret.
        on_step: called as the parameters of each step arrive.
        patience_s: for how long the coordinator's machine may say that nobody listens there; none: for ever.
    """

    def __init__(
        self,
        name: str,
        address: str,
        token: str,
        on_step: Callable[[], None] = lambda: None,
        patience_s: float | None = None,
    ) -> None:
        self._name, self._address, self._token = name, address, token
        self._on_step, self._patience_s = on_step, patience_s
        self._refused_at: float | None = None
        self._machine = machine()
        self._changed = threading.Condition()
        self._held: _Held | None = None
        self._main: Channel | None = None
        self._links: dict[int, Channel] = {}
        self._stop = threading.Event()
        self._stop_reader, self._stop_writer = os.pipe()
        self._server = Server(token, self._converse, self._gone)

    def listen(self, host: str, port: int) -> int:
        """Bind and start to answer this machine's workers; return the port.

        Raises:
            PortTaken: another process listens there.
        """
        return self._server.listen(host, port)

    def run(self) -> bool:
        """Speak for the workers until ``stop``, or until the run has ended: then true.

        Raises:
            NotRunning: nobody has listened at the coordinator's address for ``patience_s``.
        """
        pause_s = FIRST_PAUSE_S
        while not self._stop.is_set():
            try:
                channel = Channel.connect(self._address, self._token)
            except (EOFError, OSError) as error:
                log.info("no coordinator at %s (%s); again in %.2f s", self._address, error, pause_s)
                self._bear(error)
                self._stop.wait(pause_s)
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
                continue
            self._refused_at = None
            try:
                self._attach(channel)
                pause_s = FIRST_PAUSE_S
                if self._attend(channel):
                    return True
            except (EOFError, OSError, WireError) as error:
                log.info("lost the coordinator at %s: %r", self._address, error)
            finally:
                self._detach()
                channel.close()
            self._stop.wait(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
        return False

    def stop(self) -> None:
        """Make ``run`` return; callable from a signal handler and from any thread."""
        if not self._stop.is_set():
            self._stop.set()
            os.write(self._stop_writer, b"x")
            with self._changed:
                self._changed.notify_all()

    def rest(self, seconds: float) -> None:
        """Wait so long, or until ``stop``."""
        self._stop.wait(seconds)

    def drain(self, seconds: float) -> None:
        """Wait until the workers have left and what they computed is handed up, so that it need not be done again."""

        def is_empty() -> bool:
            return self._held is None or not (self._links or self._held.placed)

        with self._changed:
            self._changed.wait_for(is_empty, timeout=seconds)

    def close(self) -> None:
        """End all conversations and release the descriptors; ``run`` must have returned."""
        self._server.close()
        os.close(self._stop_reader)
        os.close(self._stop_writer)

    def beat_in_background(self, beat: Callable[[], None]) -> None:
        """Say once a second that this process is alive and that its lock is free."""
        threading.Thread(target=self._beat, args=(beat,), name="train-heartbeat", daemon=True).start()

    def _beat(self, beat: Callable[[], None]) -> None:
        while True:
            with self._changed:
                beat()
            time.sleep(BEAT_EVERY_S)

    # ---- with the coordinator

    def _bear(self, error: OSError | EOFError) -> None:
        """A machine that answers, and says that nobody listens, is no link that is cut: that has an end."""
        now = time.monotonic()
        self._refused_at = (self._refused_at or now) if isinstance(error, ConnectionRefusedError) else None
        if self._refused_at is not None and self._patience_s is not None and now - self._refused_at > self._patience_s:
            raise NotRunning(
                f"nobody has trained at {self._address} for {self._patience_s:.0f} s",
                next_step="see whether the run has ended, or start it again with --listen",
            )

    def _attach(self, channel: Channel) -> None:
        channel.send(Attach(outpost=self._name))
        attached = channel.receive()
        if not isinstance(attached, Attached):
            raise out_of_turn(attached)
        with self._changed:
            self._main, self._held = channel, _Held(attached)
            self._changed.notify_all()

    def _detach(self) -> None:
        """Forget what lies here and end all conversations: what workers say next, they say anew."""
        with self._changed:
            self._main = self._held = None
            for link in self._links.values():
                link.shutdown()
            self._changed.notify_all()
        self._server.end_connections()

    def _lose(self, held: _Held) -> None:
        """Begin anew, whatever ``run`` waits for."""
        with self._changed:
            held.lost = True
            self._changed.notify_all()
            if self._main is not None and self._held is held:
                self._main.shutdown()

    def _attend(self, channel: Channel) -> bool:
        """Get parameters and hand up sums as the coordinator says; true once the run has ended, false at a stop."""
        held = self._held
        assert held is not None, "attached"
        while True:
            with self._changed:
                # Parameters that nobody here needs stay where they are.
                self._changed.wait_for(lambda: self._links or held.placed or held.lost or self._stop.is_set())
            channel.send(Await(step=held.step))
            if self._stop_reader in wait([channel.fileno(), self._stop_reader]):
                return False
            answer = channel.receive()
            if isinstance(answer, Over):
                return True
            if isinstance(answer, Due):
                self._hand_up(channel, held, answer)
            elif isinstance(answer, Bring):
                self._bring(channel, held, answer.step)
            else:
                raise out_of_turn(answer)

    def _bring(self, channel: Channel, held: _Held, step: int) -> None:
        with self._changed:
            if held.placed:
                # It waited too long for them, and had them computed again.
                raise WireError(f"the sums of step {held.step} came too late", next_step="nothing; it begins anew")
            place = held.places.take()
        channel.receive_into(held.places.vector_P(place))
        with self._changed:
            held.turn(step, place)
            self._changed.notify_all()
        self._on_step()

    def _hand_up(self, channel: Channel, held: _Held, due: Due) -> None:
        with self._changed:
            # A gradient that was just counted in is put in its place by the thread that handed it in.
            self._changed.wait_for(lambda: held.lost or (held.placed >= set(due.microbatches) and held.is_added_up))
            if held.lost:
                raise EOFError("a link broke before it was known what was counted in")
            sums = held.hand_up()
        channel.send(Sums(branches=tuple(sums)))
        for vector in sums.values():
            channel.send_vector(held.gradients.vector_P(vector))
        with self._changed:
            for vector in sums.values():
                held.gradients.give_back(vector)
            self._changed.notify_all()

    # ---- with this machine's workers

    def _gone(self, connection: int) -> None:
        with self._changed:
            link = self._links.pop(connection, None)
            self._changed.notify_all()
        if link is not None:
            link.close()

    def _converse(self, channel: Channel, connection: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._held is not None, timeout=ATTACH_WAIT_S)
            held = self._held
        if held is None:
            return
        link = Channel.connect(self._address, self._token)
        with self._changed:
            self._links[connection] = link
            self._changed.notify_all()
            if self._held is not held:
                return
        shares = False
        while True:
            message = channel.receive()
            if isinstance(message, Hello):
                shares = message.machine == self._machine
                answer = self._ask(link, held, message.model_copy(update={"outpost": held.number}), channel)
            elif isinstance(message, Next):
                answer = self._ask(link, held, message, channel)
            elif isinstance(message, Offer):
                answer = self._take_in(channel, link, held, message, shared=shares)
            else:
                raise out_of_turn(message)
            if isinstance(answer, Welcome | Work) and answer.parameters is not None:
                self._wait_for_parameters(held, answer)
                self._pass_on(channel, held, answer, shared=shares)
            elif isinstance(answer, Welcome | Work | Refused | Acknowledged):
                channel.send(answer)
            else:
                raise out_of_turn(answer)

    def _ask(self, link: Channel, held: _Held, message: Message, channel: Channel | None = None) -> Message:
        """Pass a message on and wait for the answer, or until the worker at ``channel`` leaves: EOFError then."""
        try:
            link.send(message)
            if channel is not None and link.fileno() not in wait([link.fileno(), channel.fileno()]):
                raise _WorkerLeft
            return link.receive()
        except _WorkerLeft:
            raise EOFError("the worker left while it waited") from None
        except (EOFError, OSError, WireError):
            self._lose(held)
            raise

    def _wait_for_parameters(self, held: _Held, answer: Welcome | Work) -> None:
        """Wait until the parameters of this step are here; a worker who comes in can do with later ones too."""
        with self._changed:
            self._changed.wait_for(lambda: held.step >= answer.step or self._held is not held)
            if self._held is not held or (held.step > answer.step and isinstance(answer, Work)):
                raise EOFError(f"step {answer.step} is over")

    def _pass_on(self, channel: Channel, held: _Held, answer: Welcome | Work, *, shared: bool) -> None:
        with self._changed:
            step, place = held.step, held.parameters
        assert place is not None, "waited for"
        parameters = Parameters(memory=held.places.memory(place) if shared else None)
        channel.send(
            answer.model_copy(update={"step": step, "parameters": parameters}),
            None if shared else held.places.vector_P(place),
        )

    def _take_in(self, channel: Channel, link: Channel, held: _Held, offer: Offer, *, shared: bool) -> Message:
        """Take a gradient in, which stays if the coordinator counts it in."""
        with self._changed:
            wanted = (offer.run, offer.step) == (held.run, held.step)
            vector = held.gradients.take() if wanted else None
        if vector is None:
            # Only the coordinator can refuse it.
            return self._ask(link, held, offer)
        kept = False
        try:
            channel.send(Take(memory=held.gradients.memory(vector) if shared else None))
            if not isinstance(message := channel.receive(), HandedIn):
                raise out_of_turn(message)
            if not shared:
                channel.receive_into(held.gradients.vector_P(vector))
            answer = self._ask(link, held, offer)
            kept = isinstance(answer, Acknowledged) and answer.accepted
        finally:
            with self._changed:
                if kept:
                    held.put(offer.microbatch, vector)
                else:
                    held.gradients.give_back(vector)
        add_neighbours(held, held.gradients, self._changed)
        return answer


def serve_forever(
    context: Context,
    port: int,
    *,
    host: str = "127.0.0.1",
    on_ready: Callable[[int], None] | None = None,
    beat: Callable[[], None] | None = None,
) -> None:
    """Be the outpost of one of the pool's machines until SIGTERM or SIGINT; arguments as of ``companion``.

    Where a run has ended another may have its turn, so it asks again.

    Raises:
        PortTaken: another process listens there.
    """
    outpost = Outpost(context.slot, context.companions[COMPANION], context.token)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: outpost.stop())
    bound = outpost.listen(host, port)
    if on_ready is not None:
        on_ready(bound)
    if beat is not None:
        outpost.beat_in_background(beat)
    while outpost.run():
        outpost.rest(LONGEST_PAUSE_S)


class _WorkerLeft(Exception):
    """A worker left while the coordinator had nothing for it."""
