"""The precision of a text encoder: int8 where it does no harm, else the fastest mix.

What rounding one part adds to the vectors hardly depends on what is done to the others, so
that squared errors add up: for ViT-B/32 with random weights the sum over all parts, each
rounded alone, is within 7 % of what rounding all of them gives.  So one probe of each part
tells which to leave in fp32, namely those whose error is the largest for the time that fp32
takes there.  How many of them is a matter of retrieval, not of error: the fewest that pass
the gate.  Time is counted in multiplications, never taken by a clock: the choice is the same
whatever else the machine does.
"""

from __future__ import annotations

import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from build.export.gate import LEAST_OVERLAP, THREADS, Gate
from build.export.quantise import TOKENS, Quantised, linears, quantise, quantise_table
from build.export.text_graph import probe_graph, text_graph
from build.export.text_tower import TextTower
from build.processor import describe_processor
from models.manifest import TEXT_ENCODER, ModelCard, TextSpeed
from models.text_encoder import TextEncoder

Precision = Literal["auto", "int8", "fp32"]
# What ``text_graph`` takes: the parts that are not in fp32.
Mix = Mapping[str, Quantised]

# With so many texts a part's error is within a tenth of what all queries give.
_PROBED_TEXTS = 48
_BATCH = 32
_ROUNDS = 5


@dataclass(frozen=True)
class Choice:
    """What was kept, and why.

    Args:
        precision: of the text encoder.
        finer_parts: what of a mixed one is finer than int8: ``fp32`` or ``int16``, by part.
        overlap: what it finds of what fp32 finds.
        int8_overlap: what int8 throughout finds of it.
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
        onnx.save(text_graph(tower, mix), folder / TEXT_ENCODER)
        return TextEncoder(folder, card, threads=THREADS)

    gate = Gate(folder, card)
    fp32 = TextEncoder(folder, card, threads=THREADS)
    int8 = quantise(tower)
    encoders = {"fp32": fp32, "int8": write(int8)}
    precision: Literal["fp32", "int8", "mixed"] = "int8"
    overlap = int8_overlap = gate.overlap(encoders["int8"])
    mix: Mix = int8
    if wanted == "auto" and overlap < LEAST_OVERLAP:
        mix = fastest_mix(
            tower, int8, gate.token_ids, lambda mix: gate.overlap(write(mix)) >= LEAST_OVERLAP
        )
        precision = "mixed" if mix else "fp32"
        encoders[precision] = write(mix)
        overlap = gate.overlap(encoders[precision])
    return Choice(
        precision=precision,
        finer_parts=_finer_parts(mix, int8) if precision == "mixed" else {},
        overlap=overlap,
        int8_overlap=int8_overlap,
        speed=_measure_speed(encoders, gate.token_ids),
    )


def fastest_mix(
    tower: TextTower,
    int8: Mix,
    token_ids: Sequence[list[int]],
    passes: Callable[[Mix], bool],
) -> Mix:
    """The mix with the fewest costly parts in fp32 that passes; empty where none does.

    The token table costs no time either way, but is most of the file: it becomes int16, and
    int8 again where the rest passes without.

    Args:
        tower: whose parts they are.
        int8: all of them; what does not pass.
        token_ids: of texts like those that will be encoded.
        passes: asked for some seven mixes, of which those with more in fp32 pass sooner.
    """
    errors = part_errors(tower, int8, token_ids)
    costs = _costs(tower, token_ids)
    # What costs nothing comes first.
    order = sorted(int8, key=lambda part: errors[part] / max(costs[part], 1e-9), reverse=True)

    def leave_out(parts: Sequence[str]) -> Mix:
        mix = {part: int8[part] for part in int8 if part not in parts}
        return mix | {TOKENS: quantise_table(tower.tokens, np.int16)} if TOKENS in parts else mix

    counts = range(1, len(order))
    place = bisect_left(counts, True, key=lambda count: passes(leave_out(order[:count])))
    if place == len(counts):
        return {}
    finer = order[: counts[place]]
    without_table = [part for part in finer if part != TOKENS]
    if without_table != finer and without_table and passes(leave_out(without_table)):
        return leave_out(without_table)
    return leave_out(finer)


def part_errors(tower: TextTower, int8: Mix, token_ids: Sequence[list[int]]) -> dict[str, float]:
    """The mean squared error of the texts' vectors when one part alone is int8, by part."""
    evenly = np.linspace(0, len(token_ids) - 1, min(_PROBED_TEXTS, len(token_ids)), dtype=int)
    texts = sorted(token_ids[place] for place in evenly)
    # What follows the end token changes nothing; repeating it does no harm in any tower.
    longest = max(len(ids) for ids in texts)
    padded = np.array([ids + ids[-1:] * (longest - len(ids)) for ids in texts], dtype=np.int64)
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS
    graph = probe_graph(tower, int8).SerializeToString()
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def encode(part: str | None) -> NDArray[np.float32]:
        rounded = np.array([name == part for name in int8])
        vectors: NDArray[np.float32]
        [vectors] = session.run(None, {"input_ids": padded, "rounded": rounded})
        return vectors

    exact = encode(None)
    return {part: float(np.square(encode(part) - exact).sum(axis=1).mean()) for part in int8}


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


def _finer_parts(mix: Mix, int8: Mix) -> dict[str, str]:
    return {
        part: str(mix[part].values.dtype) if part in mix else "fp32"
        for part in int8
        if mix.get(part) is not int8[part]
    }


def _measure_speed(
    encoders: Mapping[str, TextEncoder], token_ids: Sequence[list[int]]
) -> TextSpeed:
    """Queries a second of each encoder: the median of rounds that take turns."""
    batches = [token_ids[at : at + _BATCH] for at in range(0, len(token_ids), _BATCH)]
    rates: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(_ROUNDS):
        for name, encoder in encoders.items():
            began = time.perf_counter()
            for batch in batches:
                encoder.encode(batch)
            rates[name].append(len(token_ids) / (time.perf_counter() - began))
    return TextSpeed(
        processor=describe_processor()[0],
        threads=THREADS,
        batch=_BATCH,
        queries_per_second={name: round(statistics.median(all_)) for name, all_ in rates.items()},
    )
