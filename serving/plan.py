"""What a request asks, made ready for a batch: texts as tokens, likes and filters as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.collection import Kept
from models.fusion import Mode
from models.words import Named
from serving.facets import Among
from serving.wire.fields import MAX_PAGED
from serving.wire.requests import ImageSearchRequest, SearchRequest

Vector = NDArray[np.float32]
Tokens = list[int]
Question = SearchRequest | ImageSearchRequest

# To look up more images than this takes longer than to find them.
_FEW = 100


@dataclass(frozen=True, slots=True)
class Weighted:
    """A part of what is sought, a text still to be encoded or a vector, and how much it counts."""

    what: Tokens | Vector
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One search: what is sought, which is the sum of its parts, and where to look.

    ``k`` images are asked for, behind ``offset`` better ones; where it is None, the best, and
    no count of the relevant ones.  ``fold`` and ``diversity`` arrange them
    (:mod:`serving.arrangement`).  ``named`` are those of which the words are said, None where
    looks alone count; ``mode`` is None where nobody wants to know what counted.  ``sort`` is the
    order of those that are relevant (:mod:`models.order`), None for the best first.  ``filtered``,
    ``tokenized`` and ``encoded`` are the seconds that it took to find ``kept`` and ``named``,
    the tokens and, of texts that were encoded beforehand, their vectors; ``was_text`` says that
    this was all there was; ``warnings`` tell of conditions that no image can meet, and
    ``suggestion`` is what the query may have meant.  ``facets`` are the fields whose values are to
    be counted, among the images that ``facets_of`` says, None for no such count.
    """

    k: int
    sought: tuple[Weighted, ...] = ()
    kept: Kept | None = None
    offset: int | None = None
    mode: Mode | None = None
    named: Named | None = None
    sort: str | None = None
    min_similarity: float | None = None
    fold: float | None = None
    diversity: float | None = None
    with_vectors: bool = False
    warnings: tuple[str, ...] = ()
    suggestion: str | None = None
    facets: tuple[str, ...] | None = None
    facets_of: Among = "relevant"
    filtered: float = 0.0
    tokenized: float = 0.0
    encoded: float = 0.0
    was_text: bool = False

    @property
    def depth(self) -> int:
        """How many of the best to look at: as many on every page, so that all count alike."""
        counted = self.offset is not None or self.named is not None or self.counts_relevant
        whole = counted or self.sort is not None or self.is_arranged
        return MAX_PAGED if whole else self.k

    @property
    def page(self) -> slice:
        """The places that are asked for."""
        start = self.offset or 0
        return slice(start, start + self.k)

    @property
    def takes_a_while(self) -> bool:
        """Whether what is found is to be looked up where no other search waits for it."""
        return self.sort is not None or self.is_arranged or self.k > _FEW

    @property
    def is_arranged(self) -> bool:
        """Whether what is found is folded, or put into another order."""
        return self.fold is not None or self.diversity is not None

    @property
    def counts_relevant(self) -> bool:
        """Whether values of the relevant images are to be counted."""
        return bool(self.facets) and self.facets_of == "relevant"

    @property
    def is_text(self) -> bool:
        """Whether one text is all that is sought: sums and images have another scale."""
        return self.was_text or (len(self.sought) == 1 and isinstance(self.sought[0].what, list))

    @property
    def cost(self) -> int:
        """The tokens to encode."""
        texts = (part.what for part in self.sought if isinstance(part.what, list))
        return max(1, sum(map(len, texts)))
