"""The precision of a text encoder: int8 where it does no harm, else the fastest mix.

Weights are rounded once for all texts, so that much of the error is the same for all: half of
its square, for ViT-B/32 with random weights.  It costs nothing to take that back: the tower's
last bias takes it in.

The squares of what is left add up over the parts, since what rounding one of them does hardly
depends on the others.  So one probe of each part tells which to leave in fp32, namely those whose
error is the largest for the time that fp32 takes there.  How many of them is a matter of
retrieval, not of error: the fewest that pass the gate.  Time is counted in multiplications,
never taken by a clock: the choice is the same whatever else the machine does.
"""

from __future__ import annotations

import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from build.export.gate import LEAST_OVERLAP, THREADS, Gate
from build.export.probe import Probe, probe_texts
from build.export.quantise import TOKENS, Quantised, linears, quantise, quantise_table
from build.export.text_graph import text_graph
from build.export.text_tower import Norm, TextTower
from build.processor import describe_processor
from models.file_names import TEXT_ENCODER
from models.model_card import ModelCard, TextSpeed
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer

Precision = Literal["auto", "int8", "fp32"]

# What speed is measured on: seconds, not minutes, of a tower of the usual size.
_BATCH = 32
_BATCHES = 3
_ROUNDS = 5


@dataclass(frozen=True)
class Mix:
    """A tower, and those of its parts that are not in fp32."""

    tower: TextTower
    quantised: Mapping[str, Quantised]


@dataclass(frozen=True)
class Choice:
    """What was kept, and why.

    Args:
        precision: of the text encoder.
        finer_parts: what of a mixed one is finer than int8: ``fp32`` or ``int16``, by part.
        overlap: what it finds of what fp32 finds.
        int8_overlap: what plain int8 throughout finds of it.
        speed: of fp32, of int8 and of what was kept.
    """

    precision: Literal["fp32", "int8", "mixed"]
    finer_parts: dict[str, str]
    overlap: float
    int8_overlap: float
    speed: TextSpeed


def choose_precision(
    tower: TextTower, wanted: Literal["auto", "int8"], folder: Path, card: ModelCard
) -> Choice:
    """Write the text encoder into ``folder``, a package with the fp32 one, as fast as it may be.

    Args:
        tower: of the encoder.
        wanted: ``int8`` for int8 whatever it finds, ``auto`` for the fastest that passes.
        folder: gets the encoder.
        card: what the model is.
    """

    def write(mix: Mix) -> TextEncoder:
        onnx.save(text_graph(mix.tower, mix.quantised), folder / TEXT_ENCODER)
        return TextEncoder(folder, card, threads=THREADS)

    gate = Gate(folder, card)
    fp32 = TextEncoder(folder, card, threads=THREADS)
    int8 = quantise(tower)
    mix = Mix(tower, int8)
    encoders = {"fp32": fp32, "int8": write(mix)}
    precision: Literal["fp32", "int8", "mixed"] = "int8"
    overlap = int8_overlap = gate.overlap(encoders["int8"])
    if wanted == "auto" and overlap < LEAST_OVERLAP:
        token_ids = Tokenizer.load(folder, card).encode(probe_texts())
        mix = fastest_mix(
            tower, int8, token_ids, lambda mix: gate.overlap(write(mix)) >= LEAST_OVERLAP
        )
        if not mix.quantised:
            precision = "fp32"
        elif finer_parts(mix.quantised, int8):
            precision = "mixed"
        encoders[precision] = write(mix)
        overlap = gate.overlap(encoders[precision])
    return Choice(
        precision=precision,
        finer_parts=finer_parts(mix.quantised, int8) if precision == "mixed" else {},
        overlap=overlap,
        int8_overlap=int8_overlap,
        speed=_measure_speed(encoders, gate.token_ids),
    )


def fastest_mix(
    tower: TextTower,
    int8: Mapping[str, Quantised],
    token_ids: Sequence[list[int]],
    passes: Callable[[Mix], bool],
) -> Mix:
    """The mix with the fewest costly parts in fp32 that passes; fp32 throughout where none does.

    The token table costs no time either way, but is most of the file: it becomes int16, and
    int8 again where the rest passes without.

    Args:
        tower: the tower.
        int8: all of its parts.
        token_ids: of texts like those that will be encoded.
        passes: asked for some seven mixes, of which those with more in fp32 pass sooner.
    """
    probe = Probe(tower, int8, token_ids)
    costs = _costs(tower, token_ids)
    # What costs nothing comes first.
    gain = {part: probe.error(part) / max(costs[part], 1e-9) for part in int8}
    order = sorted(int8, key=gain.__getitem__, reverse=True)

    def leave_out(parts: Sequence[str]) -> Mix:
        rounded = {part: int8[part] for part in int8 if part not in parts}
        corrected = _shift(tower, probe.offset(rounded))
        if TOKENS in parts:
            rounded[TOKENS] = quantise_table(tower.tokens, np.int16)
        return Mix(corrected, rounded)

    counts = range(len(order))
    count = bisect_left(counts, True, key=lambda count: passes(leave_out(order[:count])))
    if count == len(counts):
        return Mix(tower, {})
    finer = order[:count]
    without_table = [part for part in finer if part != TOKENS]
    if without_table and without_table != finer and passes(leave_out(without_table)):
        return leave_out(without_table)
    return leave_out(finer)


def finer_parts(mix: Mapping[str, Quantised], int8: Mapping[str, Quantised]) -> dict[str, str]:
    """What is not int8 in a mix, ``fp32`` or ``int16``, by part."""
    return {
        part: str(mix[part].values.dtype) if part in mix else "fp32"
        for part in int8
        if mix.get(part) is not int8[part]
    }


def _shift(tower: TextTower, offset: NDArray[np.float32]) -> TextTower:
    """The tower with an offset ``[dim]`` added to what it puts out."""
    last = tower.projection or tower.final_norm
    shifted = replace(last, bias=last.bias + offset)
    if isinstance(shifted, Norm):
        return replace(tower, final_norm=shifted)
    return replace(tower, projection=shifted)


def _costs(tower: TextTower, token_ids: Sequence[list[int]]) -> dict[str, float]:
    """Multiplications for the texts by part, as a share of the tower's."""
    tokens = sum(len(ids) for ids in token_ids)
    last = len(tower.blocks) - 1
    # After the last attention only one token of each text goes on.
    pooled = {f"{last}.out", f"{last}.up", f"{last}.down"}
    products = {
        part: linear.weight.size * (len(token_ids) if part in pooled else tokens)
        for part, linear in linears(tower)
    }
    total = sum(products.values())
    return {TOKENS: 0.0} | {part: count / total for part, count in products.items()}


def _measure_speed(
    encoders: Mapping[str, TextEncoder], token_ids: Sequence[list[int]]
) -> TextSpeed:
    """Queries a second of each encoder: the median of rounds that take turns."""
    evenly = token_ids[:: max(1, len(token_ids) // (_BATCH * _BATCHES))]
    batches = [evenly[at * _BATCH : (at + 1) * _BATCH] for at in range(_BATCHES)]
    rates: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(_ROUNDS):
        for name, encoder in encoders.items():
            began = time.perf_counter()
            for batch in batches:
                encoder.encode(batch)
            rates[name].append(sum(map(len, batches)) / (time.perf_counter() - began))
    return TextSpeed(
        processor=describe_processor()[0],
        threads=THREADS,
        batch=_BATCH,
        queries_per_second={name: round(statistics.median(taken)) for name, taken in rates.items()},
    )
