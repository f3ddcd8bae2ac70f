"""Percentiles, histograms and medians: the arithmetic of the bench."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Each bucket of a histogram is two percent wider than the one before.
_RATIO = 1.02


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """``p50``, ``p95`` and ``p99``, in the unit of what is given."""
    ranks = (50, 95, 99)
    values = np.percentile(milliseconds, ranks)
    return {f"p{rank}": float(value) for rank, value in zip(ranks, values, strict=True)}


def histogram(milliseconds: Sequence[float]) -> list[list[float]]:
    """``[lower edge in ms, how many]`` in buckets of two percent, lowest first."""
    buckets = Counter(math.floor(math.log(max(ms, 1e-3), _RATIO)) for ms in milliseconds)
    return [[float(f"{_RATIO**bucket:.4g}"), buckets[bucket]] for bucket in sorted(buckets)]


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure over several rounds."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def zipf_ranks(count: int, draws: int, exponent: float = 1.0, seed: int = 0) -> list[int]:
    """Positions 0 … ``count`` - 1, drawn with a chance of 1 / (position + 1) ** exponent.

    As people's queries are: a few are typed all the time, most hardly ever.
    """
    weights = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    chance = np.random.default_rng(seed)
    ranks: list[int] = chance.choice(count, draws, p=weights / weights.sum()).tolist()
    return ranks


def merge(
    old: Mapping[str, Any], new: Mapping[str, Any], same_machine: bool
) -> dict[str, dict[str, Any]]:
    """Phases measured now, beside those of an earlier run on the same machine."""
    kept = old.get("phases", {}) if same_machine else {}
    return {"machine": dict(new["machine"]), "phases": {**kept, **new["phases"]}}


def written(results: Mapping[str, Any]) -> str:
    """Results as JSON with a line for each figure, so that a diff tells which have changed."""
    phases = []
    for name, phase in results["phases"].items():
        about = {key: value for key, value in phase.items() if key != "figures"}
        lines = [f"{_line(key)}: {_line(figure)}" for key, figure in phase["figures"].items()]
        figures = "{\n" + ",\n".join(lines) + "\n}"
        phases.append(f'{_line(name)}: {_line(about)[:-1]}, "figures": {figures}}}')
    told = ",\n".join(phases)
    return f'{{"machine": {_line(results["machine"])},\n"phases": {{\n{told}\n}}}}\n'


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
