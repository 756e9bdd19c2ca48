"""The link between two hosts, cut for a while: a pool on two hosts of one machine, and the fault."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from fault.kinds import Strike, Struck
from fault.pool import NotHappened, Pool, wait_for
from fault.two_hosts import TwoHosts, refusal, two_hosts

CUT_S = 20.0
JOIN_S = 8.0
START_S = 60.0


def cut(hosts: TwoHosts) -> Strike:
    """Give the strike that cuts the link for a while."""

    def strike(_: Pool) -> Struck:
        if not hosts.reaches():
            raise NotHappened("there was no link to cut")
        hosts.cut()
        try:
            time.sleep(CUT_S)
            if hosts.reaches():
                raise NotHappened("the link was not cut")
        finally:
            hosts.mend()
        return Struck(lambda: "" if hosts.reaches() else "the link did not come back")

    return strike


@contextmanager
def ray_cluster() -> Iterator[TwoHosts]:
    """Make two hosts with a Ray node of one core each, which ask for a token.

    While it lasts, this process's environment says where Ray's files and token are.

    Raises:
        NotHappened: the hosts may not be made here.
    """
    if why := refusal():
        raise NotHappened(why)
    # Short, because Ray's sockets lie in it.
    with TemporaryDirectory(prefix="tfr", dir="/tmp", ignore_cleanup_errors=True) as folder:
        token, log = Path(folder) / "token", Path(os.devnull)
        token.write_text(secrets.token_hex(24))
        token.chmod(0o600)
        variables = {"RAY_TMPDIR": folder, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        with two_hosts() as hosts, mock.patch.dict(os.environ, variables):
            hosts.start_ray("a", variables, log)
            wait_for(hosts.has_head, START_S, "Ray's head")
            hosts.start_ray("b", variables, log)
            time.sleep(JOIN_S)
            yield hosts
