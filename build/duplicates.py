"""What looks alike in a whole collection: copies, other sizes, cuttings, bursts.

Found as a search folds what it finds (:mod:`models.folding`), but in another order: the largest
images first, so that a group's head is the one to keep.  Each image is compared with the heads
before it, a block with a block at a time: of a collection only the vectors by which it is compared
are in memory.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from build.progress import Progress
from models.bundle import Bundle
from models.folding import Appearances, fold
from models.items import Item
from models.looks import WIDTH

COLUMNS = ("group", "path", "id", "cosine", "width", "height")
# Images that are compared at once, and the heads that they are compared with.
_BLOCK = 512
_HEADS = 8192
_ROUNDING = 1e-6
_DECIMALS = 4

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Member:
    """An image of a group and how alike it is to the group's head, which comes first."""

    item: Item
    cosine: float


def find_duplicates(bundle: Bundle, least: float) -> list[Places]:
    """The groups of two or more images that look alike.

    Args:
        bundle: the collection.
        least: how alike to its head each image of a group is at least, a cosine.

    Returns:
        The positions in each group, its head first and then ascending; groups in order of heads.

    Raises:
        DamagedError: a vector or a look is not as it was written.
    """
    order = _largest_first(bundle)
    appearances = _appearances(bundle, order)
    head_of = np.full(len(order), -1, dtype=np.int64)
    heads = np.empty(0, dtype=np.int64)
    with Progress("comparing", len(order), 0) as progress:
        for start in range(0, len(order), _BLOCK):
            block = np.arange(start, min(start + _BLOCK, len(order)))
            for first in range(0, len(heads), _HEADS):
                free = block[head_of[block] < 0]
                some = heads[first : first + _HEADS]
                alike = appearances[free].alike(appearances[some], least - _ROUNDING)
                joined = alike.any(axis=1)
                head_of[free[joined]] = some[alike.argmax(axis=1)[joined]]
            free = block[head_of[block] < 0]
            head_of[free] = free[fold(appearances[free], least)]
            heads = np.concatenate([heads, free[head_of[free] == free]])
            progress.advance(len(block))
    return _groups(order, head_of)


def members(bundle: Bundle, groups: Iterable[Places]) -> Iterator[list[Member]]:
    """The images of each group, and how alike they are to its head.

    Raises:
        DamagedError: what is read of the bundle is not as it was written.
    """
    for positions in groups:
        appearances = _appearances(bundle, positions)
        cosines = appearances.likeness(appearances[:1])[:, 0].tolist()
        items = bundle.items.get(positions.tolist())
        yield [Member(item, cosine) for item, cosine in zip(items, cosines, strict=True)]


def write_csv(stream: TextIO, groups: Iterable[list[Member]]) -> None:
    """A line for each image of each group; groups are numbered from 1."""
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(COLUMNS)
    for number, group in enumerate(groups, start=1):
        for member in group:
            item = member.item
            cosine = f"{member.cosine:.{_DECIMALS}f}"
            rows.writerow((number, item.image_path, item.id, cosine, item.width, item.height))


def _largest_first(bundle: Bundle) -> Places:
    """Positions by the number of pixels; of equals the lower first."""
    pixels = np.array(
        [(item.width or 0) * (item.height or 0) for item in bundle.items], dtype=np.int64
    )
    return np.argsort(-pixels, kind="stable")


def _appearances(bundle: Bundle, positions: Places) -> Appearances:
    looks = None
    if bundle.looks is not None:
        # A block at a time, since what they are made from is several times as large.
        looks = np.empty((len(positions), WIDTH), dtype=np.float32)
        for start in range(0, len(positions), _HEADS):
            looks[start : start + _HEADS] = bundle.looks.get(positions[start : start + _HEADS])
    return Appearances(bundle.index.embeddings.rows(positions), looks)


def _groups(order: Places, head_of: Places) -> list[Places]:
    by_head = np.argsort(head_of, kind="stable")
    ends = np.flatnonzero(np.diff(head_of[by_head])) + 1
    groups = []
    for places in np.split(by_head, ends):
        if len(places) > 1:
            # A head stands before its members.
            groups.append(np.concatenate([order[places[:1]], np.sort(order[places[1:]])]))
    return sorted(groups, key=lambda group: int(group[0]))
