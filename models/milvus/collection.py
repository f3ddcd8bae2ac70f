"""A collection in Milvus, a server's or a file of Milvus Lite, behind the same interface."""

from __future__ import annotations

import re
import time
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
from models.milvus import expressions, rows
from models.milvus.address import Address
from models.milvus.connection import SECONDS, Connection, SlowError
from models.order import Ordered
from models.words import Named

_ID = re.compile(r"[0-9a-f]{16}")
_DECIMALS = 6
# Rows that one question names.
_AT_ONCE = 1000
# So long is remembered which fields there are, and of so many.
_REMEMBERED_SECONDS = 60.0
_MOST_REMEMBERED = 4096
# How much of an HNSW graph is looked at; more than usual, since texts lie elsewhere than images
# (models/vector_index.py).  Other kinds of index ignore it.
_BREADTH = 512


@dataclass(frozen=True, slots=True)
class _Met(Kept):
    """The images that meet an expression."""

    expression: str


class MilvusCollection:
    """What :class:`models.collection.Collection` says, asked of Milvus.

    Nothing is asked of it here: it may come later than this.  Words are not searched, and nothing
    is put into order: both raise an :class:`UnsupportedError`.

    Args:
        address: where it is.
        manifest: of the bundle that it was filled from, or one of the same model.
        token: ``USER:PASSWORD`` or an API key; None where the server asks for none.
    """

    is_elsewhere = True

    def __init__(self, address: Address, manifest: Manifest, token: str | None = None) -> None:
        self.dim = manifest.model.embedding_dim
        self._mean = np.array(manifest.mean, dtype=np.float32)
        self._described = rows.described(manifest.model)
        self._connection = Connection(address, token, self._check)
        self._name = address.name
        self._there: dict[int, tuple[float, bool]] = {}

    def mean(self) -> Vectors:
        """The mean of the embeddings of the bundle, float32 ``[dim]``."""
        return self._mean

    def search(
        self, queries: Vectors, k: int, kept: Kept | None = None
    ) -> tuple[Vectors, Positions]:
        """The images nearest to each query."""
        found = self._connection.ask(
            lambda client: client.search(
                self._name,
                data=list(queries),
                anns_field="embedding",
                limit=k,
                filter=_expression(kept) if kept is not None else "",
                output_fields=["position"],
                search_params={"metric_type": "IP", "params": _breadth(k)},
                timeout=SECONDS,
            )
        )
        similarities = np.full((len(queries), k), -np.inf, dtype=np.float32)
        positions = np.full((len(queries), k), -1, dtype=np.int64)
        for row, hits in enumerate(found):
            near = np.array([hit["entity"]["position"] for hit in hits], dtype=np.int64)
            cosines = np.array([hit["distance"] for hit in hits], dtype=np.float32)
            order = np.lexsort((near, -np.round(cosines, _DECIMALS)))
            similarities[row, : len(hits)] = cosines[order]
            positions[row, : len(hits)] = near[order]
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
        found = self._query(f'id == "{image_id}"', rows.ITEM)
        return rows.item(found[0]) if found else None

    def id_of_path(self, image_path: str) -> str | None:
        """The id of the image with exactly this path, None where there is none."""
        item = self.find(item_id(image_path))
        return item.id if item is not None and item.image_path == image_path else None

    def count(self, kept: Kept | None = None) -> int:
        """How many images there are, or are kept."""
        expression = "" if kept is None else _expression(kept)
        return int(self._query(expression, ["count(*)"])[0]["count(*)"])

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
        """No images are found by words.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "mode", "the images are in Milvus, where words are not searched: leave it out"
        )

    def ordered(self, by: str, kept: Kept | None = None, *, start: int = 0, stop: int) -> Ordered:
        """No images are put into an order.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "sort", "the images are in Milvus, which knows no order: leave it out"
        )

    def looks(self, positions: Sequence[int]) -> Vectors | None:
        """Nothing is known but the embeddings."""
        return None

    def meant(self, query: str, is_known: Callable[[str], bool]) -> str | None:
        """The words of the collection are not known.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "spelling", "the images are in Milvus, where no words are gathered: leave it out"
        )

    def facets(self, fields: Sequence[str] | None, kept: Kept | None = None) -> Facets:
        """No values are counted.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "facets", "the images are in Milvus, which counts no values: leave them out"
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _check(self, client: MilvusClient) -> None:
        """Whether what is there was filled with embeddings of the same model, and is in memory."""
        where = self._connection.address
        if not client.has_collection(self._name, timeout=SECONDS):
            raise UnavailableError(f"{where} is not there: fill it with {command('load')}")
        found = client.describe_collection(self._name, timeout=SECONDS)
        dims = [field["params"]["dim"] for field in found["fields"] if field["name"] == "embedding"]
        # Milvus Lite keeps no description.
        if [self.dim] != dims or found["description"] not in ("", self._described):
            raise UnavailableError(
                f"{where} was not filled with embeddings of this model: {self._described}"
            )
        client.load_collection(self._name, timeout=SECONDS)

    def _at(self, positions: Sequence[int], fields: Sequence[str]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(positions), _AT_ONCE):
            some = expressions.among(positions[start : start + _AT_ONCE])
            yield from self._query(some, ["position", *fields])

    def _query(self, expression: str, fields: Sequence[str]) -> list[dict[str, Any]]:
        return self._connection.ask(
            lambda client: list(
                client.query(
                    self._name, filter=expression, output_fields=list(fields), timeout=SECONDS
                )
            )
        )

    def _warnings(self, condition: Condition) -> list[str]:
        name = condition.field
        asked = {interval.kind for interval in condition.intervals or ()}
        if asked and all(self._is_there(expressions.of_kind(name, kind)) for kind in asked):
            return []
        if not asked and self._is_there(expressions.of_field(name)):
            return []
        there = [kind for kind in KINDS if self._is_there(expressions.of_kind(name, kind))]
        return warnings_of(condition, there)

    def _places(self, name: str, kind: Kind) -> int:
        """How many values of a kind an image has for a field, or somewhat more."""
        if not self._is_there(expressions.of_kind(name, kind)):
            return 0
        for places in expressions.PLACES:
            if not self._is_there(expressions.of_more(name, kind, places)):
                break
        return places

    def _is_there(self, fact: int) -> bool:
        """Whether any image has a token."""
        now = time.monotonic()
        known = self._there.get(fact)
        if known is not None and now < known[0]:
            return known[1]
        found = self._connection.ask(
            lambda client: client.query(
                self._name,
                filter=expressions.has(fact),
                output_fields=["position"],
                limit=1,
                timeout=SECONDS,
            )
        )
        if len(self._there) >= _MOST_REMEMBERED:
            self._there.clear()
        self._there[fact] = (now + _REMEMBERED_SECONDS, bool(found))
        return bool(found)


def _expression(kept: Kept) -> str:
    assert isinstance(kept, _Met)
    return kept.expression


def _breadth(k: int) -> dict[str, int]:
    breadth = max(k, _BREADTH)
    return {"ef": breadth, "search_list": breadth}
