"""Makes a collection in Milvus, and puts images into it or takes them out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from pymilvus import MilvusClient, MilvusException

from models.embeddings import Vectors
from models.items import Item
from models.milvus import rows
from models.milvus.address import Address
from models.model_card import ModelCard

IndexKind = Literal["flat", "hnsw", "diskann"]

# To compare with so many takes a server some 10 ms.
FLAT_UP_TO = 100_000
_PARAMETERS: dict[str, dict[str, int]] = {
    "flat": {},
    "hnsw": {"M": 32, "efConstruction": 360},
    "diskann": {},
}
# As SQLite's has them.
_BM25 = {"bm25_k1": 1.2, "bm25_b": 0.75}
# What is written may take as long as it takes; this is for a server that has gone.
_SECONDS = 60.0
_AT_ONCE = 1000
# The first release of the server that has an index for arrays, and that with a BM25 function.
_INDEXES_ARRAYS = _COUNTS_WORDS = (2, 5)


class RefusedError(Exception):
    """Milvus cannot be reached, or does not do what is asked; the message says which."""


class Writer:
    """Changes one collection; made anew where it is not there.

    Args:
        address: where it is.
        token: ``USER:PASSWORD`` or an API key; None where the server asks for none.
        model: whose embeddings they are.
        kind: of the index, of a new collection.

    Raises:
        RefusedError: there is another model's, or Milvus refuses.
    """

    def __init__(
        self, address: Address, token: str | None, model: ModelCard, kind: IndexKind
    ) -> None:
        self._name = address.name
        self._address = address
        try:
            self._client = MilvusClient(
                address.uri, token=token or "", db_name=address.database, timeout=_SECONDS
            )
            if self._client.has_collection(self._name):
                self._check(model)
            else:
                self._make(model, kind)
            fields = self._client.describe_collection(self._name)["fields"]
            self._words = rows.has_words(fields)
            self._client.load_collection(self._name)
        except MilvusException as error:
            raise self._refused(error) from None

    def add(self, items: Sequence[Item], vectors: Vectors) -> int:
        """Write those that are not there just so already, and give how many these were.

        Args:
            items: some hundred; of one id each.
            vectors: their embeddings, float32 ``[n, dim]``, each of length one.

        Raises:
            TooLargeError: more is known of an image than a row holds.
            RefusedError: Milvus refuses.
        """
        made = rows.rows(items, vectors, words=self._words)
        try:
            there = {
                row["id"]: row["checksum"]
                for row in self._client.query(
                    self._name,
                    filter=_ids([item.id for item in items]),
                    output_fields=["id", "checksum"],
                    consistency_level="Strong",
                )
            }
            new = [row for row in made if row["id"] not in there]
            changed = [
                row for row in made if there.get(row["id"], row["checksum"]) != row["checksum"]
            ]
            if new:
                self._client.insert(self._name, new)
            if changed:
                self._client.upsert(self._name, changed)
        except MilvusException as error:
            raise self._refused(error) from None
        return len(new) + len(changed)

    def remove(self, ids: Sequence[str]) -> None:
        """Take images out.

        Raises:
            RefusedError: Milvus refuses.
        """
        try:
            for start in range(0, len(ids), _AT_ONCE):
                self._client.delete(self._name, filter=_ids(ids[start : start + _AT_ONCE]))
        except MilvusException as error:
            raise self._refused(error) from None

    def count(self) -> int:
        """How many images are there, those included that were written just now.

        Raises:
            RefusedError: Milvus refuses.
        """
        try:
            [row] = self._client.query(
                self._name, filter="", output_fields=["count(*)"], consistency_level="Strong"
            )
        except MilvusException as error:
            raise self._refused(error) from None
        return int(row["count(*)"])

    def ids(self) -> Iterator[list[str]]:
        """The ids of all images, some at a time.

        Raises:
            RefusedError: Milvus refuses.
        """
        try:
            pages = self._client.query_iterator(
                self._name, batch_size=_AT_ONCE, output_fields=["id"], consistency_level="Strong"
            )
            while page := pages.next():
                yield [row["id"] for row in page]
            pages.close()
        except MilvusException as error:
            raise self._refused(error) from None

    def close(self) -> None:
        """Bring all to the disk, and let go of the connection.

        Raises:
            RefusedError: Milvus refuses.
        """
        try:
            self._client.flush(self._name)
        except MilvusException as error:
            raise self._refused(error) from None
        finally:
            self._client.close()

    def _check(self, model: ModelCard) -> None:
        found = self._client.describe_collection(self._name)
        there = found["description"]
        if rows.is_of_an_earlier_release(found["fields"]):
            raise RefusedError(rows.earlier_release(self._address))
        # Milvus Lite keeps no description.
        if there not in ("", rows.described(model)):
            raise RefusedError(
                f"{self._address} has the embeddings of another model: {there}. Give another name."
            )

    def _make(self, model: ModelCard, kind: IndexKind) -> None:
        words = self._address.is_file or self._version() >= _COUNTS_WORDS
        self._client.create_collection(
            self._name,
            schema=rows.schema(model.embedding_dim, model, words=words),
            consistency_level="Bounded",
        )
        params = self._client.prepare_index_params()
        params.add_index(
            "embedding",
            index_type=kind.upper(),
            metric_type="IP",
            params=_PARAMETERS[kind],
        )
        params.add_index("position", index_type="INVERTED" if self._address.is_file else "STL_SORT")
        if self._version() >= _INDEXES_ARRAYS:
            params.add_index("facts", index_type="INVERTED")
            params.add_index("path", index_type="INVERTED")
        if words:
            params.add_index(
                rows.BM25, index_type="SPARSE_INVERTED_INDEX", metric_type="BM25", params=_BM25
            )
            if self._version() >= _INDEXES_ARRAYS:
                params.add_index("words", index_type="INVERTED")
        self._client.create_index(self._name, params)

    def _version(self) -> tuple[int, ...]:
        """Of a server; nothing of Milvus Lite, whose numbers are its own."""
        found = re.match(r"v?(\d+)\.(\d+)", self._client.get_server_version())
        return tuple(map(int, found.groups())) if found is not None else ()

    def _refused(self, error: MilvusException) -> RefusedError:
        return RefusedError(f"{self._address} refuses: {error.message}")


def _ids(ids: Sequence[str]) -> str:
    """Images by their ids, which are hex digits: :func:`models.items.item_id`."""
    named = ", ".join(f'"{bytes.fromhex(each).hex()}"' for each in ids)
    return f"id in [{named}]"
