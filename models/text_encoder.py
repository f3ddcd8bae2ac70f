"""Texts' token ids to vectors: the ONNX text encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.file_names import TEXT_ENCODER
from models.graph import open_graph
from models.model_card import ModelCard

# A run reads all weights, which costs about as much as attending to this much padding.
_PADDING_PER_RUN = 256
# Nor is it worth waking another thread for less work than this many tokens make.
_LEAST_WORK = 24
_MAX_BATCH = 64


class TextEncoder:
    """Runs ``text_encoder.onnx`` of a model package or bundle.

    Args:
        folder: the package or bundle.
        card: what the model is.
        threads: how many runs may go on side by side.
        graph: what is in the file, where the caller has read it already.

    Raises:
        DamagedError: the file is missing or no ONNX graph of this kind.
    """

    def __init__(
        self, folder: Path, card: ModelCard, *, threads: int = 1, graph: bytes | None = None
    ) -> None:
        # A thread to a run: its many small steps gain nothing from sharing each of them,
        # and runs side by side do.
        self._session = open_graph(folder / TEXT_ENCODER, graph, threads=1)
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
            float32 ``[n, dim]``; a text's embedding is the same in any company.
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

        def take(share: list[int]) -> None:
            for rows in _with_little_padding(lengths, share):
                run(rows)

        lengths = [len(ids) for ids in token_ids]
        by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
        shares = list(_shares(token_ids, by_length, self._threads))
        side_by_side = map if self._pool is None or len(shares) == 1 else self._pool.map
        for _ in side_by_side(take, shares):
            pass
        return vectors


def _shares(token_ids: Sequence[list[int]], rows: list[int], threads: int) -> Iterator[list[int]]:
    """``rows``, shortest first, cut where each thread has the same to do."""
    up_to = _work(token_ids, rows)
    if threads == 1 or len(rows) < 2 or up_to[-1] < 2 * _LEAST_WORK:
        yield rows
        return
    from_there = _work(token_ids, rows[::-1])[::-1]
    fewer, more = threads // 2, threads - threads // 2
    cut = min(
        range(1, len(rows)),
        key=lambda cut: max(up_to[cut - 1] / fewer, from_there[cut] / more),
    )
    yield from _shares(token_ids, rows[:cut], fewer)
    yield from _shares(token_ids, rows[cut:], more)


def _work(token_ids: Sequence[list[int]], rows: list[int]) -> list[int]:
    """What the first, the first two, ... of the rows cost in one run, in tokens.

    What begins alike is computed once, so the tokens are those of a prefix tree; and each
    text attends for itself, which costs about as much as a token.
    """
    tree: dict[tuple[int, int], int] = {}
    work = []
    for texts, row in enumerate(rows, start=1):
        node = 0
        for token in token_ids[row]:
            node = tree.setdefault((node, token), len(tree) + 1)
        work.append(len(tree) + texts)
    return work


def _with_little_padding(lengths: Sequence[int], rows: list[int]) -> Iterator[list[int]]:
    """``rows``, shortest first, cut where padding would cost more than another run."""
    run: list[int] = []
    used = 0
    for row in rows:
        padding = len(run) * lengths[row] - used
        if run and (padding > _PADDING_PER_RUN or len(run) == _MAX_BATCH):
            yield run
            run, used = [], 0
        run.append(row)
        used += lengths[row]
    if run:
        yield run
