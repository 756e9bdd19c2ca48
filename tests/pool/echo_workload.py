"""A fourth workload, as small as one can be: its constant, its settings, its resident."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tenfold.core.errors import AssetError
from tenfold.pool.need import Need, Say, status_by
from tenfold.pool.resident import Context, Counters
from tenfold.pool.workload import Operation, ServiceSettings, Workload


class EchoSettings(ServiceSettings):
    """``[echo]``."""

    value_per_unit_usd: float = Field(1e-6, gt=0, description="USD per word")
    latency_target_s: float | None = Field(0.5, gt=0)
    times: int = Field(2, ge=1, description="how often each word is said")


class EchoBody(BaseModel):
    word: str


class EchoAnswer(BaseModel):
    words: tuple[str, ...]


class Echo:
    """A ``Resident`` that says words again."""

    def __init__(self, settings: EchoSettings, greeting: str) -> None:
        self._settings, self._greeting = settings, greeting
        self._said = 0

    def load(self) -> None:
        """Nothing to load."""

    async def wake(self) -> None:
        """Nothing to do."""

    async def sleep(self, deadline_s: float) -> None:
        """Nothing to finish: a word is said at once."""

    def counters(self) -> Counters:
        return Counters(units=float(self._said), requests=self._said, busy_s=self._said * 1e-3)

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/v1/echo", self._echo, methods=["POST"])]

    def close(self) -> None:
        """Nothing to release."""

    async def _echo(self, request: Request) -> Response:
        body = EchoBody.model_validate_json(await request.body())
        self._said += 1
        words = (self._greeting, *[body.word] * self._settings.times)
        return JSONResponse(EchoAnswer(words=words).model_dump())


def create(context: Context) -> Echo:
    settings = EchoSettings.model_validate(context.settings)
    return Echo(settings, _greeting(context.cache).read_text())


def _greeting(cache: Path) -> Path:
    return cache / "greeting.txt"


def _require(cache: Path) -> None:
    if not _greeting(cache).exists():
        raise AssetError("there is no greeting")


def _make(cache: Path, say: Say) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    _greeting(cache).write_text("hark")
    say("written", 1.0)


ECHO = Workload(
    name="echo",
    settings=EchoSettings,
    unit="word",
    colour="#123456",
    factory="echo_workload:create",
    assumed_capacity=50.0,
    resident_mb=20,
    operations=(Operation("/v1/echo", "Say a word again", EchoBody, EchoAnswer),),
    probe=lambda _: ("/v1/echo", {"word": "hello"}),
    needs=(
        Need(
            name="greeting", purpose="what it says", source="here", license="-", status=status_by(_require), make=_make
        ),
    ),
)
