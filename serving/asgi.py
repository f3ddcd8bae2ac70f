"""What ASGI has no words for."""

from __future__ import annotations

from starlette.types import Message, Receive

# What Edge leaves in a request's ``state`` for those within: its headers by name, and the status
# of its answer, 0 before there is one.
HEADERS = "headers"
STATUS = "status"


def has_left(receive: Receive) -> bool:
    """Whether a caller has hung up, whose request was read to its end.

    Then there is one message left that ``receive`` can have, and nothing is lost by breaking
    off where it would wait for that.
    """
    waiting = receive().__await__()
    try:
        next(waiting)
    except StopIteration as done:
        message: Message = done.value
        return bool(message["type"] == "http.disconnect")
    # As if the task that waits had been cancelled, which every server has to put up with.
    close = getattr(waiting, "close", None)
    if close is not None:
        close()
    return False
