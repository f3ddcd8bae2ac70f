"""Codes of a FAISS index, changed where they lie: to make all of them anew takes most of a build.

FAISS keeps the codes for its fast scan interleaved, as its files have them (``pq4_pack_codes`` in
``faiss/impl/fast_scan/pq4_fast_scan.cpp``): in a block each pair of parts has 32 bytes for
every 32 vectors, 16 for the first part and 16 for the second, and a byte has the numbers of two
vectors.  FAISS's own tool to alter one (``CodePackerPQ4``, 1.15) mixes up blocks of 64.
"""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Positions = NDArray[np.int64]
Codes = NDArray[np.uint8]

_TOGETHER = 32
# Which of the 16 bytes has the numbers of a vector and of the one 16 behind it.
_BYTE_OF = np.argsort([0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15])
_HALF = 16


def change_codes(
    index: faiss.IndexPQFastScan, now_at: Positions, new: Positions, vectors: Vectors
) -> None:
    """Move codes, leave some out, and add others, made with the codebooks that are there.

    Args:
        index: is changed.
        now_at: where the code of each position is to be, int64 ``[n]``; -1: gone.  None goes to
            a position of another that stays.
        new: positions of others, int64 ``[m]``, ascending; together they leave no gap.
        vectors: theirs, float32 ``[m, dim]``.
    """
    before, count = len(now_at), int((now_at >= 0).sum()) + len(new)
    moved = np.flatnonzero((now_at >= 0) & (now_at != np.arange(before)))
    within = int(np.searchsorted(new, before))
    blocks = _blocks(index)
    _put(blocks, now_at[moved], _get(blocks, moved))
    if within:
        made = index.pq.compute_codes(np.ascontiguousarray(vectors[:within]))
        _put(blocks, new[:within], made)
    if count < before:
        # FAISS adds to what is there bit by bit, so nothing may be left behind the last one.
        behind = np.arange(count, before)
        _put(blocks, behind, np.zeros((len(behind), blocks.shape[1]), dtype=np.uint8))
        left = -(-count // index.bbs)
        size = left * blocks[0].size
        index.ntotal, index.ntotal2 = count, left * index.bbs
        index.codes.resize(size)
    if within < len(new):
        index.add(np.ascontiguousarray(vectors[within:]))


def _blocks(index: faiss.IndexPQFastScan) -> Codes:
    """The codes where they lie, uint8 ``[blocks, pairs of parts, 32s of vectors, 32]``."""
    codes: Codes = faiss.rev_swig_ptr(index.codes.data(), index.codes.size())
    return codes.reshape(-1, index.M2 // 2, index.bbs // _TOGETHER, _TOGETHER)


def _get(blocks: Codes, positions: Positions) -> Codes:
    """The codes at some positions, a byte for each pair of parts, uint8 ``[m, pairs]``."""
    block, group, at, shift = _places(blocks, positions)
    first = blocks[block, :, group, at] >> shift[:, np.newaxis] & 15
    second = blocks[block, :, group, at + _HALF] >> shift[:, np.newaxis] & 15
    return np.asarray(first | second << 4, dtype=np.uint8)


def _put(blocks: Codes, positions: Positions, codes: Codes) -> None:
    """Put codes at some positions."""
    block, group, at, shift = _places(blocks, positions)
    # Two may share their bytes, so first those of one kind, then those of the other.
    for one in (0, 4):
        these = shift == one
        where = block[these], slice(None), group[these]
        for place, numbers in ((at, codes & 15), (at + _HALF, codes >> 4)):
            there = (*where, place[these])
            blocks[there] = blocks[there] & (15 << (4 - one)) | numbers[these] << one


def _places(blocks: Codes, positions: Positions) -> tuple[Positions, Positions, Positions, Codes]:
    """Block, 32 of vectors, byte and bits of each position."""
    block, within = np.divmod(positions, blocks.shape[2] * _TOGETHER)
    group, vector = np.divmod(within, _TOGETHER)
    return block, group, _BYTE_OF[vector % _HALF], (vector // _HALF * 4).astype(np.uint8)
