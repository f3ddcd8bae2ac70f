"""What every route does with a request: read what it asks, wait for the answer, write that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.answer import BUNDLE_HEADER
from serving.asgi import has_left
from serving.engine import Engine
from serving.errors import RequestError, nobody_waits, too_late
from serving.settings import Settings
from serving.state import State
from serving.ticket import Ticket
from serving.wire.responses import Json

_BOM = b"\xef\xbb\xbf"
# As JSON they are written in a millisecond or two.
_FEW_NUMBERS = 8192

Handler = Callable[[Request], Awaitable[Response]]
T = TypeVar("T")
Question = TypeVar("Question", bound=BaseModel)


class Endpoint:
    """A handler as an ASGI application, without what Starlette would wrap around a function.

    That turns exceptions into answers, which is done elsewhere for all routes at once.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._handler(Request(scope, receive, send))
        await response(scope, receive, send)


class Exchange:
    """Between requests and the engine in use.

    Args:
        state: the engine in use.
        settings: how long an answer may take, how large an image may be, what is logged.
    """

    def __init__(self, state: State, settings: Settings) -> None:
        self._state = state
        self._settings = settings

    @property
    def max_upload(self) -> int:
        """The most bytes of an image that is sent."""
        return self._settings.max_upload

    @property
    def ready(self) -> bool:
        """Whether searches are answered."""
        return self._state.ready

    def engine(self) -> AbstractContextManager[Engine]:
        """The engine in use, which stays open until the block is left.

        Raises:
            RequestError: 503, there is none yet.
        """
        return self._state.engine()

    async def in_time(self, request: Request, work: Callable[[Ticket], Awaitable[T]]) -> T:
        """The outcome of some work, unless the time for an answer is over before.

        Raises:
            RequestError: 504, it is.
        """
        deadline = asyncio.get_running_loop().time() + self._settings.timeout
        ticket = Ticket(deadline, lambda: has_left(request.receive))
        try:
            async with asyncio.timeout_at(deadline):
                return await work(ticket)
        except TimeoutError:
            raise too_late() from None

    def note(self, request: Request, query: str | None) -> None:
        """Let the log tell what was asked for, where it is to."""
        if self._settings.log_queries:
            request.scope["state"]["query"] = query


async def read(request: Request, kind: type[Question]) -> Question:
    """The question in a JSON body.

    Raises:
        RequestError: 400, it makes no sense; 499, the caller has left.
    """
    body = bytearray()
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise nobody_waits()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if body.startswith(_BOM):
        del body[: len(_BOM)]
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise RequestError.from_validation(error) from None


async def numbers(engine: Engine, count: int, answer: Callable[[], Any]) -> Json:
    """An answer with so many numbers in it: to write megabytes of them takes a while.

    Args:
        engine: which has computed them.
        count: of the numbers.
        answer: makes what is written as JSON; elsewhere, where they are many.
    """

    def content() -> bytes:
        return to_json(answer())

    written = content() if count <= _FEW_NUMBERS else await asyncio.to_thread(content)
    return Json(written, headers={BUNDLE_HEADER: engine.version})
