"""A resident in a fresh interpreter: the restart that a move replaces.

It reads a ``ProcessSpec`` in JSON from standard input, and prints the port once it is loaded and listens.
"""

import sys

from tenfold.core.logs import log_as
from tenfold.pool.heartbeat import Pulse
from tenfold.pool.process import ProcessSpec, die_with_parent, run


def main() -> None:
    """Run until it is killed, or its parent has ended."""
    die_with_parent()
    spec = ProcessSpec.from_json(sys.stdin.buffer.readline())
    log_as(spec.name)
    run(spec, lambda port: print(port, flush=True), Pulse(None))


if __name__ == "__main__":
    main()
