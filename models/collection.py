"""The images that are searched: by embedding, by id, by what is known of them and said of them.

A *position* is the number of an image in its collection: int64, and of no meaning outside it.
What a filter leaves is a :class:`Kept`, which only the collection that made it can read: here an
array of positions, elsewhere an expression that a server evaluates.  Nobody else takes it apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from models.embeddings import Positions, Vectors
from models.facets import Facets
from models.items import Item, ItemStore
from models.looks import LookStore
from models.order import Ordered
from models.vector_index import VectorIndex
from models.words import Named


class Kept:
    """Some of the images of a collection, to search among; opaque to all but the collection."""

    __slots__ = ()


@dataclass(frozen=True)
class Matching:
    """What a filter leaves.

    ``warnings`` tell, for people, of conditions that no image could meet.
    """

    kept: Kept
    warnings: list[str] = field(default_factory=list)


class Collection(Protocol):
    """Images with their embeddings; safe from several threads.

    ``is_elsewhere`` says that every call waits for a server.  Such a one may raise an
    :class:`models.elsewhere.UnavailableError` wherever it is asked, and an
    :class:`models.elsewhere.UnsupportedError` where it is asked for what it cannot do.
    """

    is_elsewhere: bool

    @property
    def dim(self) -> int:
        """The width of an embedding."""

    def mean(self) -> Vectors:
        """The mean of the embeddings, float32 ``[dim]``."""

    def search(
        self, queries: Vectors, k: int, kept: Kept | None = None
    ) -> tuple[Vectors, Positions]:
        """The images nearest to each query, best first; of equals the lower position first.

        Args:
            queries: float32 ``[n, dim]``, each of length one.
            k: how many, at least 1.
            kept: search among these only.

        Returns:
            Cosine similarities float32 ``[n, m]`` and positions int64 ``[n, m]``, ``m`` at most
            ``k``; where fewer were found, position -1 and similarity ``-inf``.
        """

    def goes_alone(self, kept: Kept) -> bool:
        """Whether a search among these weighs so much that it should not share a batch."""

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """The embeddings at some positions, float32 ``[n, dim]``, in the order asked for."""

    def looks(self, positions: Sequence[int]) -> Vectors | None:
        """How the images at some positions look: :func:`models.looks.unit_looks`.

        None where the collection does not know.
        """

    def get(self, positions: Sequence[int]) -> list[Item]:
        """The items at some positions, in the order asked for.

        Raises:
            KeyError: no item has one of the positions.
        """

    def find(self, image_id: str) -> Item | None:
        """The item with an id, None where there is no such id."""

    def id_of_path(self, image_path: str) -> str | None:
        """The id of the image with exactly this path, None where there is none."""

    def count(self, kept: Kept | None = None) -> int:
        """How many images there are, or are kept."""

    def these(self, positions: Sequence[int]) -> Kept:
        """Those at some positions, ascending, without repeats."""

    def matching(self, conditions: Mapping[str, Any]) -> Matching:
        """The images whose metadata meet all conditions: :mod:`models.filters`.

        Raises:
            ValueError: a condition makes no sense or is too large; names its field.
            SlowQueryError: it takes too long.
        """

    def named(
        self, query: str, kept: Kept | None = None, *, many: bool = False
    ) -> tuple[Named, Kept | None]:
        """The images of which the words of a query are said: :meth:`WordStore.find`.

        Returns:
            What is named, and what of ``kept`` is left by what must be said.

        Raises:
            SlowQueryError: it takes too long.
        """

    def meant(self, query: str, is_known: Callable[[str], bool]) -> str | None:
        """What a query may have meant whose words nobody knows, None where it has none of those.

        Args:
            query: as somebody has typed it.
            is_known: whether a word is one, whatever the images show.
        """

    def ordered(self, by: str, kept: Kept | None = None, *, start: int = 0, stop: int) -> Ordered:
        """The images in some places of an order: :meth:`OrderStore.page`.

        Raises:
            SlowQueryError: it takes too long.
        """

    def facets(self, fields: Sequence[str] | None, kept: Kept | None = None) -> Facets:
        """How many images have each value of some fields: :meth:`FacetStore.count`.

        Raises:
            SlowQueryError: it takes too long.
        """

    def close(self) -> None:
        """Let go of files and connections."""


@dataclass(frozen=True, slots=True)
class Positioned(Kept):
    """The images at some positions, ascending, without repeats, int64 ``[n]``."""

    positions: Positions


class LocalCollection:
    """A bundle's own index and items, in this process.

    Where a file is damaged, each call raises a :class:`models.manifest.DamagedError`.

    Args:
        index: of the embeddings.
        items: of the same images.
        looks: of the same images; None where it was built without.
    """

    is_elsewhere = False

    def __init__(
        self, index: VectorIndex, items: ItemStore, looks: LookStore | None = None
    ) -> None:
        self.index = index
        self.items = items
        self._looks = looks

    @property
    def dim(self) -> int:
        """The width of an embedding."""
        return self.index.dim

    def mean(self) -> Vectors:
        """The mean of the embeddings, float32 ``[dim]``."""
        return self.index.mean()

    def search(
        self, queries: Vectors, k: int, kept: Kept | None = None
    ) -> tuple[Vectors, Positions]:
        """The images nearest to each query: :meth:`VectorIndex.search`."""
        among = None if kept is None else positions_of(kept)
        return self.index.search(queries, min(k, len(self.index)), among)

    def goes_alone(self, kept: Kept) -> bool:
        """Whether a search among these weighs as much as one among all."""
        return self.index.is_slow_among(len(positions_of(kept)))

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """The embeddings at some positions, float32 ``[n, dim]``."""
        return self.index.embeddings.rows(np.array(positions, dtype=np.int64))

    def looks(self, positions: Sequence[int]) -> Vectors | None:
        """How the images at some positions look: :meth:`LookStore.get`."""
        if self._looks is None:
            return None
        return self._looks.get(np.array(positions, dtype=np.int64))

    def get(self, positions: Sequence[int]) -> list[Item]:
        """The items at some positions: :meth:`ItemStore.get`."""
        return self.items.get(positions)

    def find(self, image_id: str) -> Item | None:
        """The item with an id, None where there is no such id."""
        return self.items.find(image_id)

    def id_of_path(self, image_path: str) -> str | None:
        """The id of the image with exactly this path, None where there is none."""
        return self.items.id_of_path(image_path)

    def count(self, kept: Kept | None = None) -> int:
        """How many images there are, or are kept."""
        return len(self.index) if kept is None else len(positions_of(kept))

    def these(self, positions: Sequence[int]) -> Kept:
        """Those at some positions."""
        return Positioned(np.array(positions, dtype=np.int64))

    def matching(self, conditions: Mapping[str, Any]) -> Matching:
        """The images whose metadata meet all conditions: :meth:`FactStore.matching`."""
        found = self.items.matching(conditions)
        return Matching(Positioned(found.positions), found.warnings)

    def named(
        self, query: str, kept: Kept | None = None, *, many: bool = False
    ) -> tuple[Named, Kept | None]:
        """The images of which some words are said: :meth:`WordStore.find`."""
        among = None if kept is None else positions_of(kept)
        named = self.items.named(query, among, many=many)
        for needed in (named.must, named.many):
            if needed is not None:
                among = needed if among is None else np.intersect1d(among, needed)
        return named, None if among is None else Positioned(among)

    def meant(self, query: str, is_known: Callable[[str], bool]) -> str | None:
        """What a query may have meant: :meth:`Speller.meant`."""
        return self.items.meant(query, is_known)

    def ordered(self, by: str, kept: Kept | None = None, *, start: int = 0, stop: int) -> Ordered:
        """The images in some places of an order: :meth:`OrderStore.page`."""
        among = None if kept is None else positions_of(kept)
        return self.items.ordered(by, among, start=start, stop=stop)

    def facets(self, fields: Sequence[str] | None, kept: Kept | None = None) -> Facets:
        """How many images have each value of some fields: :meth:`FacetStore.count`."""
        return self.items.facets(fields, None if kept is None else positions_of(kept))

    def close(self) -> None:
        """Close the files."""
        self.items.close()


def positions_of(kept: Kept) -> Positions:
    """The positions that a collection in this process has kept, ascending, int64 ``[n]``."""
    assert isinstance(kept, Positioned)
    return kept.positions
