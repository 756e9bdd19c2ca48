"""vLLM as the engine on GPUs: a child process (or a server that runs already) put to sleep by its sleep mode.

Sleep mode level 1 moves the weights to host memory and drops the KV cache, which frees the GPU in about a second
(vLLM's documentation, "Sleep Mode": ``--enable-sleep-mode``, and VLLM_SERVER_DEV_MODE=1 for the endpoints /sleep,
/wake_up and /is_sleeping). Needs the extra ``tenfold[vllm]`` and a GPU. It has not been run against a real vLLM here:
its tests run against a stub HTTP server with these endpoints.
"""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress

import aiohttp
import orjson

from tenfold.core.errors import ResidentFailed
from tenfold.serve.engine import Endpoint

START_DEADLINE_S = 900.0
_POLL_S = 0.25
_CONNECT_TIMEOUT_S = 5.0
_STOP_DEADLINE_S = 10.0
_PR_SET_PDEATHSIG = 1


class VllmEngine:
    """One vLLM server.

    Args:
        model: name or folder of the model that vLLM is started with.
        parallel: requests it decodes together.
        context_tokens: context length of one request.
        attach_url: base URL of a server that runs already with sleep mode; none starts one as a child.
        command: how vLLM is started; its arguments are appended.
    """

    def __init__(
        self,
        model: str,
        *,
        parallel: int,
        context_tokens: int,
        attach_url: str | None = None,
        command: tuple[str, ...] = (sys.executable, "-m", "vllm.entrypoints.cli.main"),
    ) -> None:
        self._model = model
        self._parallel = parallel
        self._context_tokens = context_tokens
        self._attach_url = attach_url
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None
        self._endpoint: Endpoint | None = None

    def start(self) -> Endpoint:
        """Start vLLM or find the one given, wait until it is healthy, and put it to sleep.

        Raises:
            ResidentFailed: it exits, or is not healthy within 15 minutes.
        """
        self._endpoint = self._attach(self._attach_url) if self._attach_url else self._spawn()
        try:
            self._await_health(self._endpoint)
            self._order_blocking("/sleep?level=1")
        except BaseException:
            self.close()
            raise
        return self._endpoint

    async def wake(self) -> None:
        """Move the weights back to the GPU."""
        await self._order("/wake_up", asleep=False)

    async def sleep(self) -> None:
        """Move the weights to host memory and drop the KV cache."""
        await self._order("/sleep?level=1", asleep=True)

    def close(self) -> None:
        """Stop the child with everything it started; a server that was attached to is left running."""
        if self._child is None:
            return
        # vLLM runs its workers as processes of their own: the whole session goes, also what a dead parent left.
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(_STOP_DEADLINE_S)
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._child = None

    def _attach(self, url: str) -> Endpoint:
        return Endpoint(url.rstrip("/"), self._model)

    def _spawn(self) -> Endpoint:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        key = secrets.token_urlsafe(24)
        command = [*self._command, "serve", self._model, "--enable-sleep-mode", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--max-num-seqs", str(self._parallel)]
        command += ["--max-model-len", str(self._context_tokens)]
        # The key goes by the environment: a command line can be read by every user of the machine.
        environment = os.environ | {"VLLM_SERVER_DEV_MODE": "1", "VLLM_API_KEY": key}
        try:
            self._child = subprocess.Popen(
                command,
                env=environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - load runs before this process has threads
            )
        except OSError as error:
            raise ResidentFailed(
                f"cannot start vLLM as {command[0]!r}: {error.strerror}", next_step="install tenfold[vllm]"
            ) from error
        return Endpoint(f"http://127.0.0.1:{port}", self._model, {"Authorization": f"Bearer {key}"})

    def _await_health(self, endpoint: Endpoint) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            if self._child is not None and self._child.poll() is not None:
                message = f"vLLM ended with exit code {self._child.returncode} while it loaded {self._model!r}"
                raise ResidentFailed(message, next_step="read its output above; is tenfold[vllm] installed?")
            try:
                with urllib.request.urlopen(f"{endpoint.url}/health", timeout=_CONNECT_TIMEOUT_S):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                if self._attach_url or time.monotonic() > deadline:
                    message = f"vLLM at {endpoint.url} is not healthy: {error}"
                    raise ResidentFailed(message, next_step="start it with --enable-sleep-mode") from error
            time.sleep(_POLL_S)

    def _order_blocking(self, path: str) -> None:
        assert self._endpoint is not None
        request = urllib.request.Request(
            self._endpoint.url + path, data=b"", headers=dict(self._endpoint.headers), method="POST"
        )
        try:
            with urllib.request.urlopen(request):
                return
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refused(path, error.code) from error

    async def _order(self, path: str, *, asleep: bool) -> None:
        """Send the order and confirm by /is_sleeping that it was carried out."""
        assert self._endpoint is not None, "start comes first"
        async with aiohttp.ClientSession(headers=self._endpoint.headers) as session:
            async with session.post(self._endpoint.url + path) as response:
                if response.status != 200:
                    raise self._refused(path, response.status)
            async with session.get(f"{self._endpoint.url}/is_sleeping") as response:
                state = orjson.loads(await response.read())
        if state["is_sleeping"] is not asleep:
            raise ResidentFailed(f"vLLM answered 200 to {path} but /is_sleeping says {state!r}")

    def _refused(self, path: str, status: int) -> ResidentFailed:
        return ResidentFailed(
            f"vLLM answered {status} to POST {path}",
            next_step="start it with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1",
        )


def _die_with_parent() -> None:
    # The pool kills a resident that misses its deadline: its vLLM must not keep the GPU.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
