"""The assistant over MCP, at ``/v1/assistant/mcp``: other programs write in a person's threads, and read them.

Who it is for says the header ``x-person-key``, as in the other calls, and a thread opens to its members only.
"""

from collections.abc import Awaitable, Callable, Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tenfold.assistant.asker import who
from tenfold.assistant.contract import LONGEST_TEXT, PERSON_KEY, PLAIN, NewMessage, NewThread
from tenfold.assistant.desk import Desk
from tenfold.assistant.thread_routes import OwnThreads
from tenfold.product.mcp_door import Json, McpDoor, McpTool


class Nothing(BaseModel):
    """What a tool takes that needs nothing."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class NewTalk(Nothing):
    """What ``make_thread`` takes."""

    name: str = Field("", pattern=r"^[^\x00-\x1f\x7f]*$", max_length=60)


class Message(Nothing):
    """What ``send_message`` takes."""

    thread: str = Field(min_length=1, max_length=200, description="as list_threads or make_thread gives it")
    id: str = Field(pattern=PLAIN, min_length=1, max_length=100, description="yours; sent again it is the same message")
    text: str = Field(min_length=1, max_length=LONGEST_TEXT, description="in a thread of several: with @assistant")


class After(Nothing):
    """What ``read_messages`` takes."""

    thread: str = Field(min_length=1, max_length=200)
    after: int = Field(0, ge=0, description="number of the last message that is known")


def mcp_tools(desk: Desk) -> McpDoor:
    """Make the endpoint."""
    threads = OwnThreads(desk)

    async def list_threads(key: str, _: BaseModel) -> BaseModel:
        return await threads.mine(key)

    async def make_thread(key: str, told: BaseModel) -> BaseModel:
        assert isinstance(told, NewTalk)
        return await threads.make(NewThread(name=told.name), key)

    async def send_message(key: str, told: BaseModel) -> BaseModel:
        assert isinstance(told, Message)
        return await threads.post(told.thread, NewMessage(id=told.id, text=told.text), key)

    async def read_messages(key: str, told: BaseModel) -> BaseModel:
        assert isinstance(told, After)
        return await threads.messages(told.thread, told.after, key)

    known: dict[str, tuple[McpTool, Callable[[str, BaseModel], Awaitable[BaseModel]]]] = {
        tool.name: (tool, run)
        for tool, run in (
            (McpTool("list_threads", Nothing, "Give the person's threads.", is_read=True), list_threads),
            (McpTool("make_thread", NewTalk, "Make a thread with the assistant.", is_read=False), make_thread),
            (
                McpTool(
                    "send_message",
                    Message,
                    "Write to the assistant; it answers from dated sources, with each claim's source. Where its reply "
                    "says 'waiting', read the messages in a moment.",
                    is_read=False,
                ),
                send_message,
            ),
            (McpTool("read_messages", After, "Give the messages of a thread after a number.", is_read=True),
             read_messages),
        )
    }  # fmt: skip

    async def admit(request: Request) -> None:
        await who(desk, request.headers.get(PERSON_KEY, ""))

    async def call(request: Request, name: str, arguments: Mapping[str, object]) -> tuple[Json, bool]:
        if name not in known:
            return {"error": f"there is no tool {name!r}; there are {', '.join(known)}"}, False
        tool, run = known[name]
        try:
            told = await run(request.headers.get(PERSON_KEY, ""), tool.takes.model_validate(dict(arguments)))
        except ValidationError as error:
            first = error.errors()[0]
            return {"error": f"{'.'.join(map(str, first['loc']))}: {first['msg']}"}, False
        except HTTPException as error:
            return {"error": error.detail}, False
        return told.model_dump(mode="json"), True

    return McpDoor("tenfold-assistant", [tool for tool, _ in known.values()], admit, call)
