"""Our encoder and index behind BentoML's own adaptive batching: as little around them as works.

Started by ``bentoml serve`` with ``PEER_BUNDLE`` and ``PEER_THREADS``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

# As in ours: without an exporter BentoML's spans are nothing but cost.
os.environ.setdefault("OTEL_SDK_DISABLED", "true")

import bentoml
import faiss

from benchmarks.corpus import K
from models.bundle import Bundle


@bentoml.service(name="batched", traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Batched:
    """Searches for texts."""

    def __init__(self) -> None:
        self._threads = int(os.environ["PEER_THREADS"])
        self._bundle = Bundle.open(Path(os.environ["PEER_BUNDLE"]), threads=self._threads)

    # Its optimiser refuses with 503 what it expects to take longer than the latency allows.
    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=60_000)
    def search(self, texts: list[str]) -> list[dict[str, Any]]:
        """The nearest images of each text."""
        # FAISS counts its threads for each calling thread.
        faiss.omp_set_num_threads(self._threads)
        bundle = self._bundle
        vectors = bundle.text_encoder.encode(bundle.tokenizer.encode(texts))
        similarities, positions = bundle.index.search(vectors, K)
        return [
            {
                "image_paths": [item.image_path for item in bundle.items.get(near.tolist())],
                "similarities": scores.tolist(),
            }
            for near, scores in zip(positions, similarities, strict=True)
        ]
