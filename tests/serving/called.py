"""One application by itself, as a server calls it."""

from __future__ import annotations

import asyncio
from typing import Any


def scope(**others: Any) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": "/search", "headers": [], **others}


def call(app: Any, about: dict[str, Any], *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What an application sends that is given a request and its messages."""
    sent: list[dict[str, Any]] = []
    left = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(left)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(about, receive, send))
    return sent


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


async def answers(about: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"x"})
