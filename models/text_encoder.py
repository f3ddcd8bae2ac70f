"""Texts' token ids to vectors: the ONNX text encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from models.manifest import TEXT_ENCODER, DamagedError, ModelCard

# A run reads all weights, which costs about as much as attending to this much padding.
_PADDING_PER_RUN = 256
# Nor is it worth another run to share out less than this many tokens.
_LEAST_TOKENS_PER_RUN = 24
_MAX_BATCH = 64


class TextEncoder:
    """Runs ``text_encoder.onnx`` of a model package or bundle.

    Args:
        folder: the package or bundle.
        card: what the model is.
        threads: how many runs may go on side by side.

    Raises:
        DamagedError: the file is missing or no ONNX graph of this kind.
    """

    def __init__(self, folder: Path, card: ModelCard, *, threads: int = 1) -> None:
        options = ort.SessionOptions()
        # A thread to a run: its many small steps gain nothing from sharing each of them,
        # and runs side by side do.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # Warnings about the graph are for whoever exported it.
        options.log_severity_level = 3
        path = folder / TEXT_ENCODER
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise DamagedError(f"{path} cannot be loaded: {error}. Export it again.") from None
        self._pool = ThreadPoolExecutor(threads, "encode") if threads > 1 else None
        self._threads = threads
        self._pad_id = card.tokens.pad_id
        self.dim = card.embedding_dim

    def encode(self, token_ids: Sequence[list[int]]) -> NDArray[np.float32]:
        """L2-normalised vectors of tokenised texts, in their order.

        Texts of like length run together, so that a long one does not make its
        neighbours long.

        Args:
            token_ids: the ids of each text, of any number of texts.

        Returns:
            float32 ``[n, dim]``; a text's vector is the same in any company.
        """
        vectors = np.empty((len(token_ids), self.dim), dtype=np.float32)

        def run(rows: list[int]) -> None:
            # In alphabetical order, so to speak: what a text shares with the one above it,
            # the graph computes once.
            rows.sort(key=token_ids.__getitem__)
            longest = max(len(token_ids[row]) for row in rows)
            padded = np.full((len(rows), longest), self._pad_id, dtype=np.int64)
            for place, row in enumerate(rows):
                padded[place, : len(token_ids[row])] = token_ids[row]
            vectors[rows] = self._session.run(None, {"input_ids": padded})[0]

        buckets = list(_buckets([len(ids) for ids in token_ids], self._threads))
        # The longest first, so that none is left to run alone at the end.
        runs = map if self._pool is None or len(buckets) == 1 else self._pool.map
        for _ in runs(run, reversed(buckets)):
            pass
        return vectors


def _buckets(lengths: Sequence[int], threads: int) -> Iterator[list[int]]:
    """The rows of each run, shortest first.

    A run ends where padding would cost more than another run, or where it has its share
    of the tokens.
    """
    share = max(sum(lengths) / threads, _LEAST_TOKENS_PER_RUN)
    bucket: list[int] = []
    used = 0
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        padding = len(bucket) * lengths[row] - used
        if bucket and (
            padding > _PADDING_PER_RUN
            or len(bucket) == _MAX_BATCH
            or (threads > 1 and used + lengths[row] / 2 > share)
        ):
            yield bucket
            bucket, used = [], 0
        bucket.append(row)
        used += lengths[row]
    if bucket:
        yield bucket
