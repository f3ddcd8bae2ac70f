"""Where the time of a search went."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Timing:
    """The seconds of each step, in their order; the queue's are all that no other step took."""

    filter: float = 0.0
    tokenize: float = 0.0
    queue: float = 0.0
    encode: float = 0.0
    search: float = 0.0
    lookup: float = 0.0


STEPS = tuple(step.name for step in fields(Timing))


def server_timing(timing: Timing) -> str:
    """The value of the header ``Server-Timing`` (W3C): each step's milliseconds, in order."""
    return (
        f"filter;dur={timing.filter * 1e3:.3f}, tokenize;dur={timing.tokenize * 1e3:.3f}, "
        f"queue;dur={timing.queue * 1e3:.3f}, encode;dur={timing.encode * 1e3:.3f}, "
        f"search;dur={timing.search * 1e3:.3f}, lookup;dur={timing.lookup * 1e3:.3f}"
    )
