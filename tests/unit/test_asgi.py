"""Whether a caller has hung up, seen without waiting for one who has not."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from serving.asgi import has_left


@pytest.mark.parametrize(
    ("kind", "left"), [("http.disconnect", True), ("http.request", False), (None, False)]
)
def test_who_has_hung_up_has_left(kind: str | None, left: bool) -> None:
    given_up = []

    async def receive() -> Message:
        try:
            # What is there already comes at once; for what is not there a server waits.
            if kind is None:
                await asyncio.get_running_loop().create_future()
            return {"type": kind}
        except GeneratorExit:
            given_up.append(True)
            raise

    async def run() -> bool:
        return has_left(receive)

    assert asyncio.run(run()) is left
    assert bool(given_up) == (kind is None)
