"""Weights as whole numbers: what of a text tower is looked up or multiplied as bytes.

A *part* is a matrix of the tower: its token table, or one of the four linears of a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from build.export.text_tower import Linear, TextTower

TOKENS = "tokens"


@dataclass(frozen=True)
class Quantised:
    """Whole numbers ``values`` of a matrix's shape and the float32 ``scale`` they are times.

    A linear is int8 with a scale for each output, ``[out]``; the token table int8 or int16
    with one for each token, ``[vocabulary, 1]``.
    """

    values: NDArray[np.int8] | NDArray[np.int16]
    scale: NDArray[np.float32]


def quantise(tower: TextTower) -> dict[str, Quantised]:
    """All parts of a tower as int8, by name: ``tokens``, ``0.qkv``, ``0.out``, …"""
    table = quantise_table(tower.tokens, np.int8)
    return {TOKENS: table} | {
        name: _quantise_linear(linear.weight) for name, linear in linears(tower)
    }


def linears(tower: TextTower) -> Iterator[tuple[str, Linear]]:
    """The linears of all blocks, with their parts' names."""
    for number, block in enumerate(tower.blocks):
        yield f"{number}.qkv", block.qkv
        yield f"{number}.out", block.out
        yield f"{number}.up", block.up
        yield f"{number}.down", block.down


def quantise_table(table: NDArray[np.float32], kind: DTypeLike) -> Quantised:
    """A token table ``[vocabulary, width]``, each row to the whole range of ``kind``."""
    reach = np.abs(table).max(axis=1, keepdims=True)
    scale = _scale(reach, np.iinfo(kind).max)
    return Quantised(np.rint(table / scale).astype(kind), scale)


def _quantise_linear(weight: NDArray[np.float32]) -> Quantised:
    """A linear's weight ``[in, out]``, each column to ±127."""
    scale = _scale(np.abs(weight).max(axis=0), 127)
    return Quantised(np.rint(weight / scale).astype(np.int8), scale)


def _scale(reach: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    # A slice of zeros has to have a scale, too.
    return np.maximum(reach / most, np.finfo(np.float32).tiny).astype(np.float32)
