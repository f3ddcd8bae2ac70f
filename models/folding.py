"""Which of some images are the same to look at: copies, other sizes, cuttings, a burst.

How alike two images are is one cosine, of their embeddings and their looks side by side
(:mod:`models.looks`)::

    likeness = 0.3 · cosine of the embeddings + 0.7 · cosine of the looks

and that of the embeddings alone where one of them has no look.

They are folded in their order, the best first: each joins the first group whose head it is alike
enough, or else is the head of a new one (leader clustering: Hartigan, 1975).  So whatever stands
further down changes no group's head, and every member is like the head that stands for it; a chain
of small differences joins nothing.

How the 0.3 was chosen, and what is found at which threshold: ``docs/relevance.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHARE_OF_EMBEDDING = 0.3
# So many at once are compared with the heads before them.
_BLOCK = 128
# Below this the last bits of a cosine are noise: an image is like itself.
_ROUNDING = 1e-6
_NOT_YET = -1
# To compare two by gathering their embeddings takes so many times as long as in a product of all.
_FEW = 64

Floats = NDArray[np.float32]
Places = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Appearances:
    """What images are compared by.

    Args:
        embeddings: float32 ``[n, dim]``, rows of length one.
        looks: float32 ``[n, 108]`` (:func:`models.looks.unit_looks`), rows of zeros where there is
            none; None where the bundle has none.
        bare: which have no look, bool ``[n]``, where that is known.
    """

    def __init__(
        self, embeddings: Floats, looks: Floats | None = None, bare: Flags | None = None
    ) -> None:
        self.embeddings = embeddings
        self.looks = looks
        if bare is not None:
            self._bare = bare
        elif looks is not None:
            self._bare = np.logical_not(looks.any(axis=1))
        else:
            self._bare = np.ones(len(embeddings), dtype=np.bool_)

    def __len__(self) -> int:
        return len(self.embeddings)

    def __getitem__(self, places: Places | slice) -> Appearances:
        """Some of them."""
        looks = None if self.looks is None else self.looks[places]
        return Appearances(self.embeddings[places], looks, self._bare[places])

    def likeness(self, others: Appearances) -> Floats:
        """How alike each of these is to each of the others, float32 ``[n, m]``, -1..1."""
        by_embedding: Floats = self.embeddings @ others.embeddings.T
        if self.looks is None or others.looks is None:
            return by_embedding
        both = _joined(by_embedding, self.looks @ others.looks.T)
        both[self._bare] = by_embedding[self._bare]
        both[:, others._bare] = by_embedding[:, others._bare]
        return both

    def alike(self, others: Appearances, least: float) -> Flags:
        """Where :meth:`likeness` is ``least`` or more, bool ``[n, m]``.

        Looks are much narrower than embeddings, and most of them far apart: only where they are
        near enough that embeddings matter are these compared, unless that is nearly everywhere.
        """
        if self.looks is None or others.looks is None:
            return self.likeness(others) >= least
        by_look = self.looks @ others.looks.T
        possible = by_look >= (least - SHARE_OF_EMBEDDING) / (1 - SHARE_OF_EMBEDDING)
        possible[self._bare] = True
        possible[:, others._bare] = True
        if np.count_nonzero(possible) > possible.size // _FEW:
            return self.likeness(others) >= least
        rows, columns = np.nonzero(possible)
        by_embedding = np.einsum(
            "ij,ij->i", self.embeddings[rows], others.embeddings[columns], dtype=np.float32
        )
        both = _joined(by_embedding, by_look[rows, columns])
        bare = self._bare[rows] | others._bare[columns]
        both[bare] = by_embedding[bare]
        possible[rows, columns] = both >= least
        return possible


def fold(
    candidates: Appearances, least: float, wanted: int | None = None, through: int = 0
) -> Places:
    """The head of each candidate's group.

    Args:
        candidates: best first.
        least: how alike a head and a member of its group are at least.
        wanted: how many groups are needed; None for all.  Which candidates belong to the first
            ``wanted`` groups does not depend on it.
        through: so many candidates get their head in any case.

    Returns:
        int64 ``[n]``: the place of the head among the candidates, of a head its own; -1 for those
        of groups that nobody needs.
    """
    least -= _ROUNDING
    head_of = np.full(len(candidates), _NOT_YET, dtype=np.int64)
    heads: list[int] = []
    start = 0
    while start < len(candidates):
        if wanted is not None and len(heads) >= wanted and start >= through:
            # No new heads: those that are there take what is theirs.
            _join(candidates, head_of, heads, start, len(candidates), least)
            break
        end = min(start + _BLOCK, len(candidates))
        _join(candidates, head_of, heads, start, end, least)
        free = start + np.flatnonzero(head_of[start:end] == _NOT_YET)
        some = candidates[free]
        later = np.triu(some.alike(some, least), 1)
        is_head = np.ones(len(free), dtype=np.bool_)
        for row in np.flatnonzero(later.any(axis=1)).tolist():
            if is_head[row]:
                members = is_head & later[row]
                head_of[free[members]] = free[row]
                is_head &= ~members
        head_of[free[is_head]] = free[is_head]
        heads += free[is_head].tolist()
        start = end
    return head_of


def _join(
    candidates: Appearances, head_of: Places, heads: list[int], start: int, end: int, least: float
) -> None:
    """Let those from ``start`` to ``end`` join the first of some heads that they are like."""
    if not heads:
        return
    at = np.array(heads, dtype=np.int64)
    alike = candidates[slice(start, end)].alike(candidates[at], least)
    joined = alike.any(axis=1)
    head_of[start:end][joined] = at[alike.argmax(axis=1)[joined]]


def _joined(by_embedding: Floats, by_look: Floats) -> Floats:
    joined: Floats = SHARE_OF_EMBEDDING * by_embedding + (1 - SHARE_OF_EMBEDDING) * by_look
    return joined
