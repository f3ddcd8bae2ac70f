"""A collection in Milvus, a server's or a file of Milvus Lite, behind the same interface."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymilvus import MilvusClient

from models.collection import Kept, Matching
from models.database import SlowQueryError
from models.elsewhere import UnavailableError, UnsupportedError
from models.embeddings import Positions, Vectors
from models.facets import Facets
from models.facts import KINDS, warnings_of
from models.filters import Condition, Kind, read_filter
from models.installation import command
from models.items import Item, item_id
from models.manifest import Manifest
from models.milvus import counting, expressions, naming, ordering, rows
from models.milvus.address import Address
from models.milvus.connection import Connection, SlowError
from models.milvus.questions import Questions
from models.order import Ordered
from models.summary import Summary
from models.words import Named

_ID = re.compile(r"[0-9a-f]{16}")
# Rows that one question names.
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class _Met(Kept):
    """The images that meet an expression."""

    expression: str


class MilvusCollection:
    """What :class:`models.collection.Collection` says, asked of Milvus.

    Nothing is asked of it here: it may come later than this.  What it cannot do, or its release
    cannot, raises an :class:`UnsupportedError`.

    Args:
        address: where it is.
        manifest: of the bundle that it was filled from, or one of the same model.
        summary: of all images; None where the bundle's folder has none.
        token: ``USER:PASSWORD`` or an API key; None where the server asks for none.
    """

    is_elsewhere = True

    def __init__(
        self,
        address: Address,
        manifest: Manifest,
        summary: Summary | None = None,
        token: str | None = None,
    ) -> None:
        self.dim = manifest.model.embedding_dim
        self._mean = np.array(manifest.mean, dtype=np.float32)
        self._described = rows.described(manifest.model)
        self._connection = Connection(address, token, self._check)
        self._name = address.name
        self._questions = Questions(self._connection, address.name)
        self._summary = summary
        # None before the first connection.
        self._has_words: bool | None = None

    def mean(self) -> Vectors:
        """The mean of the embeddings of the bundle, float32 ``[dim]``."""
        return self._mean

    def search(
        self, queries: Vectors, k: int, kept: Kept | None = None
    ) -> tuple[Vectors, Positions]:
        """The images nearest to each query."""
        expression = "" if kept is None else _expression(kept)
        found = zip(*self._questions.nearest(queries, k, expression), strict=True)
        similarities = np.full((len(queries), k), -np.inf, dtype=np.float32)
        positions = np.full((len(queries), k), -1, dtype=np.int64)
        for row, (cosines, near) in enumerate(found):
            similarities[row, : len(near)] = cosines
            positions[row, : len(near)] = near
        return similarities, positions

    def goes_alone(self, kept: Kept) -> bool:
        """Every search does."""
        return True

    def vectors(self, positions: Sequence[int]) -> Vectors:
        """The embeddings at some positions, float32 ``[n, dim]``."""
        found = {row["position"]: row["embedding"] for row in self._at(positions, ["embedding"])}
        return np.array([found[position] for position in positions], dtype=np.float32).reshape(
            -1, self.dim
        )

    def get(self, positions: Sequence[int]) -> list[Item]:
        """The items at some positions, in the order asked for.

        Raises:
            KeyError: no item has one of the positions.
        """
        found = {row["position"]: rows.item(row) for row in self._at(positions, rows.ITEM)}
        return [found[position] for position in positions]

    def find(self, image_id: str) -> Item | None:
        """The item with an id, None where there is no such id."""
        if not _ID.fullmatch(image_id):
            return None
        found = self._questions.rows(f'id == "{image_id}"', rows.ITEM)
        return rows.item(found[0]) if found else None

    def id_of_path(self, image_path: str) -> str | None:
        """The id of the image with exactly this path, None where there is none."""
        item = self.find(item_id(image_path))
        return item.id if item is not None and item.image_path == image_path else None

    def count(self, kept: Kept | None = None) -> int:
        """How many images there are, or are kept."""
        return self._questions.count("" if kept is None else _expression(kept))

    def these(self, positions: Sequence[int]) -> Kept:
        """Those at some positions."""
        return _Met(expressions.among(positions))

    def matching(self, conditions: Mapping[str, Any]) -> Matching:
        """The images whose metadata meet all conditions; they are not looked for yet."""
        read = read_filter(conditions)
        try:
            warnings = [told for each in read for told in self._warnings(each)]
            expression = expressions.expression(read, self._places)
        except SlowError as error:
            raise SlowQueryError(str(error)) from None
        return Matching(_Met(expression), list(dict.fromkeys(warnings)))

    def named(
        self, query: str, kept: Kept | None = None, *, many: bool = False
    ) -> tuple[Named, Kept | None]:
        """The images of which the words of a query are said, by Milvus' BM25 function.

        Raises:
            UnsupportedError: what is there was filled without one.
        """
        if self._has_words is None:
            self.count()
        if not self._has_words:
            raise UnsupportedError(
                "mode",
                "the images are in a Milvus before 2.5, which counts no words: a newer one does, "
                "when it is filled anew",
            )
        among = expressions.EVERYTHING if kept is None else _expression(kept)
        named, left = naming.find(self._questions, query, among, many=many)
        return named, None if left == expressions.EVERYTHING else _Met(left)

    def ordered(self, by: str, kept: Kept | None = None, *, start: int = 0, stop: int) -> Ordered:
        """The images in some places of an order."""
        among = expressions.EVERYTHING if kept is None else _expression(kept)
        return ordering.page(self._questions, by, among, start, stop)

    def looks(self, positions: Sequence[int]) -> Vectors | None:
        """Nothing is known but the embeddings."""
        return None

    def meant(self, query: str, is_known: Callable[[str], bool]) -> str | None:
        """What a query may have meant, by the words that the bundle had when it was loaded.

        Raises:
            UnsupportedError: they do not lie beside the service.
        """
        return self._summarised("spelling").meant(query, is_known)

    def facets(self, fields: Sequence[str] | None, kept: Kept | None = None) -> Facets:
        """How many images have each value of some fields.

        Raises:
            UnsupportedError: the fields that make good filters are asked for, and are not known.
            SlowQueryError: more than some thousand are to be counted, or it takes too long.
        """
        if fields is None or self._summary is not None:
            offered = self._summarised("facets").facets()
        else:
            offered = {}
        among = None if kept is None else _expression(kept)
        return counting.count(
            self._questions, offered, list(offered) if fields is None else fields, among
        )

    def close(self) -> None:
        """Let go of the connection, and of the summary."""
        self._connection.close()
        if self._summary is not None:
            self._summary.close()

    def _check(self, client: MilvusClient) -> None:
        """Whether what is there was filled with embeddings of the same model, and is in memory."""
        where = self._connection.address
        if not client.has_collection(self._name, timeout=self._connection.seconds):
            raise UnavailableError(f"{where} is not there: fill it with {command('load')}")
        found = client.describe_collection(self._name, timeout=self._connection.seconds)
        if rows.is_of_an_earlier_release(found["fields"]):
            raise UnavailableError(rows.earlier_release(where))
        dims = [field["params"]["dim"] for field in found["fields"] if field["name"] == "embedding"]
        # Milvus Lite keeps no description.
        if [self.dim] != dims or found["description"] not in ("", self._described):
            raise UnavailableError(
                f"{where} was not filled with embeddings of this model: {self._described}"
            )
        self._has_words = rows.has_words(found["fields"])
        client.load_collection(self._name, timeout=self._connection.seconds)

    def _summarised(self, field: str) -> Summary:
        if self._summary is None:
            raise UnsupportedError(
                field,
                "what is known of all images in Milvus does not lie beside the service: leave it "
                f"out, or write its folder anew with {command('load')} --service",
            )
        return self._summary

    def _at(self, positions: Sequence[int], fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(positions), _AT_ONCE):
            some = expressions.among(positions[start : start + _AT_ONCE])
            yield from self._questions.rows(some, ["position", *fields])

    def _warnings(self, condition: Condition) -> list[str]:
        is_there = self._questions.is_there
        name = condition.field
        asked = {interval.kind for interval in condition.intervals or ()}
        if asked and all(is_there(expressions.of_kind(name, kind)) for kind in asked):
            return []
        if not asked and is_there(expressions.of_field(name)):
            return []
        there = [kind for kind in KINDS if is_there(expressions.of_kind(name, kind))]
        return warnings_of(condition, there)

    def _places(self, name: str, kind: Kind) -> int:
        """How many values of a kind an image has for a field, or somewhat more."""
        if not self._questions.is_there(expressions.of_kind(name, kind)):
            return 0
        for places in expressions.PLACES:
            if not self._questions.is_there(expressions.of_more(name, kind, places)):
                break
        return places


def _expression(kept: Kept) -> str:
    assert isinstance(kept, _Met)
    return kept.expression
