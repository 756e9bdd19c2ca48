"""The pool's process that coordinates its training run."""

import signal
from collections.abc import Callable

from tenfold.llama.coordinator import Coordinator
from tenfold.llama.data.index import read_index
from tenfold.llama.data.stdlib import prepare
from tenfold.llama.peak import measure_peak
from tenfold.llama.recipe import recipe_from_settings
from tenfold.llama.runs import MAIN
from tenfold.llama.worker import bfloat16_is_fast
from tenfold.pool.resident import Context


def serve_forever(
    context: Context,
    port: int,
    *,
    host: str = "127.0.0.1",
    on_ready: Callable[[int], None] | None = None,
    beat: Callable[[], None] | None = None,
) -> None:
    """Coordinate the pool's training until SIGTERM or SIGINT, then write a checkpoint and return.

    Blocking; call it in the main thread of its own process, which may be forked from one that has torch loaded.

    Args:
        context: ``home``, ``cache``, ``settings`` (``[train]``) and ``token`` of the pool.
        port: port to listen on; 0 picks a free one.
        host: address to listen on.
        on_ready: called with the port once workers can connect.
        beat: called once a second from then on, for as long as the process works.

    Raises:
        PortTaken: another process listens there.
        AlreadyRunning: another coordinator has this home.
        AssetError: state or text is damaged or of another recipe.
    """
    folder = prepare(context.cache, lambda _what, _share: None)
    recipe = recipe_from_settings(context.settings)
    name = str(context.settings.get("run", MAIN))
    peak = measure_peak(bfloat16=recipe.bfloat16 and bfloat16_is_fast())
    text_sha256 = read_index(folder).sha256
    coordinator = Coordinator(recipe, text_sha256, context.home, context.token, name, peak_flops_per_s=peak)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: coordinator.stop())
    bound = coordinator.listen(host, port)
    if on_ready is not None:
        on_ready(bound)
    if beat is not None:
        coordinator.beat_in_background(beat)
    coordinator.run()
