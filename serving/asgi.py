"""What ASGI has no words for."""

from __future__ import annotations

from starlette.types import Message, Receive


def at_hand(receive: Receive) -> Message | None:
    """The message that ``receive`` would give at once, None where it would wait for one."""
    waiting = receive().__await__()
    try:
        next(waiting)
    except StopIteration as done:
        message: Message = done.value
        return message
    # As if the task that waits had been cancelled, which every server has to put up with.
    close = getattr(waiting, "close", None)
    if close is not None:
        close()
    return None


def has_left(receive: Receive) -> bool:
    """Whether a caller, whose whole request was read, has hung up."""
    message = at_hand(receive)
    return message is not None and message["type"] == "http.disconnect"
