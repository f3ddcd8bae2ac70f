"""What a collection in Milvus is asked, in pymilvus's words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.database import SlowQueryError
from models.embeddings import Positions, Vectors
from models.milvus import expressions, rows
from models.milvus.connection import Connection, SlowError

# So long is remembered which facts there are, and of so many.
_REMEMBERED_SECONDS = 60.0
_MOST_REMEMBERED = 4096
# How much of an HNSW graph is looked at; more than usual, since texts lie elsewhere than images
# (models/vector_index.py).  Other kinds of index ignore it.
_BREADTH = 512
_DECIMALS = 6
Row = dict[str, Any]


class Questions:
    """Asks one collection; safe from several threads.

    All methods raise an :class:`models.elsewhere.UnavailableError` where Milvus does not answer.

    Args:
        connection: to where it is.
        name: of the collection.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self._there: dict[int, tuple[float, bool]] = {}

    def nearest(
        self, queries: Vectors, k: int, expression: str
    ) -> tuple[list[Vectors], list[Positions]]:
        """Cosines and positions of the images nearest to each query, of equals the lower first."""
        breadth = max(k, _BREADTH)
        found = self._search(
            list(queries),
            "embedding",
            k,
            expression,
            {"metric_type": "IP", "params": {"ef": breadth, "search_list": breadth}},
        )
        cosines = [np.array([hit["distance"] for hit in hits], dtype=np.float32) for hits in found]
        return _in_order(found, cosines)

    def saying(self, texts: Sequence[str], most: int, expression: str) -> list[list[int]]:
        """The positions of the images that have words of each text, the best by BM25 first."""
        found = self._search(list(texts), rows.BM25, most, expression, {"metric_type": "BM25"})
        # Milvus Lite gives them with a minus.
        scores = [
            np.array([abs(hit["distance"]) for hit in hits], dtype=np.float32) for hits in found
        ]
        return [positions.tolist() for positions in _in_order(found, scores)[1]]

    def rows(self, expression: str, fields: Sequence[str], most: int | None = None) -> list[Row]:
        """Some fields of the images that meet an expression, in no order."""
        limit = {} if most is None else {"limit": most}
        return self._connection.ask(
            lambda client: list(
                client.query(
                    self._name,
                    filter=expression,
                    output_fields=list(fields),
                    timeout=self._connection.seconds,
                    **limit,
                )
            )
        )

    def count(self, expression: str) -> int:
        """How many images meet an expression."""
        return int(self.rows(expression, ["count(*)"])[0]["count(*)"])

    def deadline(self) -> Deadline:
        """Until when questions that belong together may be asked: no longer than for one."""
        return Deadline(self._connection.seconds)

    def is_there(self, fact: int) -> bool:
        """Whether any image has a fact's token; remembered for a minute."""
        now = time.monotonic()
        known = self._there.get(fact)
        if known is not None and now < known[0]:
            return known[1]
        found = bool(self.rows(expressions.has(fact), ["position"], 1))
        if len(self._there) >= _MOST_REMEMBERED:
            self._there.clear()
        self._there[fact] = (now + _REMEMBERED_SECONDS, found)
        return found

    def _search(
        self, data: list[Any], field: str, k: int, expression: str, how: dict[str, Any]
    ) -> list[list[Row]]:
        return self._connection.ask(
            lambda client: list(
                client.search(
                    self._name,
                    data=data,
                    anns_field=field,
                    limit=k,
                    filter=expression,
                    output_fields=["position"],
                    search_params=how,
                    timeout=self._connection.seconds,
                )
            )
        )


class Deadline:
    """Until when several questions that belong together may be asked.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Give up where it has passed.

        Raises:
            SlowQueryError: it has.
        """
        if time.monotonic() >= self._end:
            raise SlowQueryError("it takes too long")

    def __enter__(self) -> Deadline:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SlowError):
            raise SlowQueryError(str(error)) from None


def _in_order(
    found: Sequence[Sequence[Row]], scores: Sequence[Vectors]
) -> tuple[list[Vectors], list[Positions]]:
    ordered, positions = [], []
    for hits, each in zip(found, scores, strict=True):
        near = np.array([hit["entity"]["position"] for hit in hits], dtype=np.int64)
        order = np.lexsort((near, -np.round(each, _DECIMALS)))
        ordered.append(each[order])
        positions.append(near[order])
    return ordered, positions
