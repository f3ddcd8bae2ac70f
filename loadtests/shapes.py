"""How many ask at once, and when: steady, step, spike, soak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SHAPES = ("steady", "step", "spike", "soak")
USERS = 32
_SECONDS = {"steady": 60.0, "step": 10.0, "spike": 20.0, "soak": 3600.0}
# The step shape begins with one user, and doubles up to so many times as many as are asked for.
_BEYOND = 8


@dataclass(frozen=True)
class Stage:
    """So many users for so many seconds."""

    users: int
    seconds: float


def stages(shape: str, users: int = USERS, seconds: float | None = None) -> list[Stage]:
    """The stages of a shape, in turn.

    Args:
        shape: one of ``SHAPES``.
        users: at once; at the height of a spike; an eighth of what the steps end with.
        seconds: that a stage lasts; None for what is usual.

    Raises:
        ValueError: there is no such shape.
    """
    if shape not in SHAPES:
        raise ValueError(f"{shape!r} is no shape: {', '.join(SHAPES)}")
    seconds = seconds or _SECONDS[shape]
    if shape == "step":
        return [Stage(some, seconds) for some in _doubled(_BEYOND * users)]
    if shape == "spike":
        # From nothing, twice: after the first the service may have been scaled down again.
        return [Stage(users, seconds), Stage(0, seconds / 2), Stage(users, seconds)]
    return [Stage(users, seconds)]


def stage_at(all_stages: list[Stage], elapsed: float) -> int | None:
    """Which stage runs so many seconds after the start; None when all are over."""
    for number, stage in enumerate(all_stages):
        elapsed -= stage.seconds
        if elapsed < 0:
            return number
    return None


def _doubled(most: int) -> Iterator[int]:
    users = 1
    while users < most:
        yield users
        users *= 2
    yield most
