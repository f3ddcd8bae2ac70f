"""Whether a run has kept its objectives, and where the knee is."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OBJECTIVES = Path(__file__).parent / "objectives.toml"
# What requests are called: refusals, and the beginning of every kind of search.
REFUSED = "429"
SEARCH = "search"
# Two runs of the same differ by as much.
_NEARLY = 0.9


@dataclass(frozen=True)
class Figures:
    """What was met under one name; ``p50`` and ``p99`` are milliseconds."""

    name: str
    requests: int
    failures: int
    p50: float
    p99: float


@dataclass(frozen=True)
class Step:
    """So many users got so many searches answered a second."""

    users: int
    per_second: float


def misses(objectives: Mapping[str, float], figures: Sequence[Figures]) -> list[str]:
    """A line for each objective that was missed."""
    requests = sum(one.requests for one in figures)
    if requests == 0:
        return ["nothing was asked: is there a service at the address?"]
    failures = sum(one.failures for one in figures)
    refused = sum(one.requests for one in figures if one.name == REFUSED)
    found = [
        *_share("failed", failures, requests, objectives),
        *_share("were refused", refused, requests, objectives, key="refused"),
    ]
    for one in figures:
        if one.name.startswith(SEARCH):
            found += _latency(one.name, "p50", one.p50, objectives.get("p50"))
            found += _latency(one.name, "p99", one.p99, objectives.get("p99"))
        elif one.name in ("thumbnail", "image"):
            found += _latency(one.name, "p99", one.p99, objectives.get("images"))
    return found


def knee(steps: Sequence[Step]) -> Step:
    """The fewest users that get nearly as many answers as any number of them."""
    most = max(step.per_second for step in steps)
    return next(step for step in steps if step.per_second >= _NEARLY * most)


def told(steps: Sequence[Step]) -> list[str]:
    """A line for each step, and one for the knee; none without steps."""
    lines = [f"{step.users} users: {step.per_second:.0f} searches a second" for step in steps]
    if steps:
        found = knee(steps)
        lines.append(f"the knee is at {found.users} users: {found.per_second:.0f} a second")
    return lines


def read_objectives(shape: str, file: Path = OBJECTIVES) -> dict[str, float]:
    """The objectives of a shape.

    Raises:
        ValueError: the file has none for it, or cannot be read.
    """
    try:
        found: dict[str, float] = tomllib.loads(file.read_text(encoding="utf-8"))[shape]
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{file} has no objectives for {shape!r}: {error}") from None
    return found


def _share(
    what: str, some: int, requests: int, objectives: Mapping[str, float], *, key: str | None = None
) -> Iterable[str]:
    most = objectives.get(key or what, 0.0)
    if some / requests > most:
        yield f"{some} of {requests} requests {what}; the objective is {most:.0%} at most"


def _latency(name: str, rank: str, took: float, most: float | None) -> Iterable[str]:
    if most is not None and took > most:
        yield f"{name}: {rank} {took:.0f} ms; the objective is {most:.0f} ms"
