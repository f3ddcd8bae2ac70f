"""What a caller says of a call beside the call itself: until when, and whether anybody waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def nobody_leaves() -> bool:
    """For callers of whom it is not known."""
    return False


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a caller says of a call beside the call itself.

    ``deadline`` is on the event loop's clock; ``left`` says whether the caller has gone.
    """

    deadline: float = float("inf")
    left: Callable[[], bool] = nobody_leaves


WHENEVER = Ticket()
