"""Several rankings of images as one, by reciprocal rank fusion.

An image's score is the sum of ``1 / (60 + rank)`` over the rankings that it is in, its rank in
the best being 1.  Only ranks count, since a cosine and a BM25 have nothing else in common, and
none of them buries the others: the first of any is among the first of all.

Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual Rank
Learning Methods (SIGIR 2009), where 60 comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from models.collection import Collection, Kept
from models.wording import is_quoted, undressed
from models.words import Named

# How to find: by what is seen and by what is said, or by one of them.
Mode = Literal["auto", "text", "image"]

_K = 60


@dataclass(slots=True)
class Fused:
    """An image's position, its score, and its rank in each ranking that it is in."""

    position: int
    score: float = 0.0
    matched: dict[str, int] = field(default_factory=dict)


def named_in(
    collection: Collection, words: str, mode: Mode, kept: Kept | None = None
) -> tuple[Named, Kept | None]:
    """The images of which some words are said: :meth:`Collection.named`.

    Quotes around all of a query are often but a habit: where nobody has said it so, it is found as
    without them, unless words alone are to count.
    """
    named, left = collection.named(words, kept, many=mode == "text")
    unsaid = named.must is not None and not len(named.must)
    if mode == "auto" and unsaid and is_quoted(words):
        return collection.named(undressed(words), kept)
    return named, left


def rankings_of(mode: Mode, named: Named, near: Sequence[int]) -> dict[str, Sequence[int]]:
    """What is put together for a query, by name.

    Args:
        mode: "text" without what is only seen, "image" without what is only said.
        named: the images that the query names.
        near: the positions of those that look like it, best first.

    What is named by a part of the query, or too many have in common to be ranked by it, is ranked
    by its looks.
    """
    if mode == "image":
        return {"image": near}
    rankings: dict[str, Sequence[int]] = dict(named.rankings)
    if named.partly:
        rank = {position: number for number, position in enumerate(near)}
        for name, positions in rankings.items():
            rankings[name] = sorted(positions, key=lambda one: (rank.get(one, len(rank)), one))
    if mode == "auto" or named.many is not None:
        rankings["image"] = near
    return rankings


def fuse(rankings: Mapping[str, Sequence[int]]) -> list[Fused]:
    """All images of some rankings, best first; of equals the lower position.

    Args:
        rankings: positions by the name of the ranking, best first, none twice.
    """
    found: dict[int, Fused] = {}
    for name, positions in rankings.items():
        for rank, position in enumerate(positions, start=1):
            one = found.get(position)
            if one is None:
                one = found[position] = Fused(position)
            one.score += 1 / (_K + rank)
            one.matched[name] = rank
    return sorted(found.values(), key=lambda one: (-one.score, one.position))
