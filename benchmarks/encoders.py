"""Texts a second of each encoder in process, nothing around it.

python -m benchmarks.encoders {torch,sightline,loop} FOLDER THREADS [quick]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.corpus import MODEL, Corpus, K
from benchmarks.figures import medians
from benchmarks.make_queries import QUERIES
from benchmarks.workers import Figures, answer, interleave

# How many texts of each batch size make a round: some seconds' work.
_TORCH_BATCHES = {1: 16, 8: 32, 16: 32, 32: 64, 64: 64}
_OUR_BATCHES = {1: 256, 8: 512, 32: 960}
_QUICK_BATCHES = 2


@dataclass(frozen=True)
class Batches:
    """What encodes, and how many texts of each batch size make a round."""

    encode: Callable[[list[str]], object]
    sizes: dict[int, int]


def measure(corpus: Corpus, cores: Sequence[int], rounds: int, quick: bool) -> dict[str, Any]:
    """Texts a second by encoder and batch size: each round, and the median of them.

    ``loop`` also tokenises, encodes and searches in one process with nothing around it.
    """
    workers = {
        "open_clip": ("torch", corpus.weights),
        "int8": ("sightline", corpus.package),
        "auto": ("sightline", corpus.auto),
        "fp32": ("sightline", corpus.fp32),
        "loop": ("loop", corpus.bundle),
    }
    arguments = {
        name: [kind, str(folder), str(len(cores)), *["quick"] * quick]
        for name, (kind, folder) in workers.items()
    }
    taken = interleave(__name__, arguments, cores, rounds)
    return {
        name: {"median": medians(some), "rounds": some, "unit": "texts per second"}
        for name, some in taken.items()
    }


def main() -> None:
    """Load what is to be measured, then measure a round for each line of input."""
    kind, folder, threads, *quick = sys.argv[1:]
    batches = _LOADERS[kind](Path(folder), int(threads))
    queries = QUERIES.read_text(encoding="utf-8").splitlines()
    sizes = batches.sizes
    if quick:
        sizes = {size: size * _QUICK_BATCHES for size in sizes}
    for size in sizes:
        batches.encode(queries[:size])

    def measure_round() -> Figures:
        rates = {}
        for size, texts in sizes.items():
            began = time.perf_counter()
            for start in range(0, texts, size):
                batches.encode(queries[start : start + size])
            rates[str(size)] = texts / (time.perf_counter() - began)
        return rates

    answer(measure_round)


def _torch(weights: Path, threads: int) -> Batches:
    import open_clip
    import torch

    torch.set_num_threads(threads)
    model = open_clip.create_model(MODEL, pretrained=None)
    model.load_state_dict(torch.load(weights, weights_only=True))
    model.eval()
    tokenizer = open_clip.get_tokenizer(MODEL)

    def encode(texts: list[str]) -> object:
        with torch.no_grad():
            features = model.encode_text(tokenizer(texts))
            return torch.nn.functional.normalize(features, dim=-1)

    return Batches(encode, _TORCH_BATCHES)


def _sightline(package: Path, threads: int) -> Batches:
    from models.model_card import ModelCard
    from models.text_encoder import TextEncoder
    from models.tokenizer import Tokenizer

    card = ModelCard.read(package)
    tokenizer = Tokenizer.load(package, card)
    encoder = TextEncoder(package, card, threads=threads)
    return Batches(lambda texts: encoder.encode(tokenizer.encode(texts)), _OUR_BATCHES)


def _loop(folder: Path, threads: int) -> Batches:
    import faiss

    from models.bundle import Bundle

    bundle = Bundle.open(folder, threads=threads)
    faiss.omp_set_num_threads(threads)

    def answer(texts: list[str]) -> object:
        vectors = bundle.text_encoder.encode(bundle.tokenizer.encode(texts))
        return bundle.index.search(vectors, K)

    return Batches(answer, _OUR_BATCHES)


_LOADERS = {"torch": _torch, "sightline": _sightline, "loop": _loop}


if __name__ == "__main__":
    main()
