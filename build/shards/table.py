"""The table of a shard: what is in its columns, and how rows are written.

- ``id``, ``image_path``: as a bundle has them; ascending by path;
- ``embedding``: ``[dim]`` float32, or float16, of length one;
- ``width``, ``height``: pixels, upright; ``checksum``: SHA-256 of the file, hex;
- ``caption``, ``alt_text``: what somebody has written, null where nobody has;
- ``metadata``, ``sources``: what else is known, and where each of all this comes from, as JSON;
- ``thumbnail`` (WebP), ``thumbhash``, ``look`` (:mod:`models.looks`): how it looks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from build.bundle_items import json_safe
from build.errors import BuildError
from build.metadata.description import Description
from build.shards.documents import Precision
from build.thumbhash import thumbhash_of
from models.installation import extra
from models.items import item_id

if TYPE_CHECKING:
    import pyarrow

# Rows that are written, and later read, together.
GROUP = 1024
EMBEDDING = "embedding"
# Hardly any two values of these are the same, and bytes are compressed already.
_UNLIKE = ("id", "image_path", "checksum", "thumbhash", "thumbnail", "look", EMBEDDING)


@dataclass(frozen=True, slots=True)
class Row:
    """An image of a shard; ``vector`` is float32 ``[dim]``, ``checksum`` 32 bytes."""

    path: str
    vector: NDArray[np.float32]
    width: int
    height: int
    checksum: bytes
    said: Description
    thumbnail: bytes | None
    look: bytes | None


class TableWriter:
    """Writes rows into a file, a group of them at a time.

    Args:
        file: to be written.
        dim: how wide the embeddings are.
        precision: of their numbers.

    Raises:
        BuildError: pyarrow is not installed.
    """

    def __init__(self, file: Path, dim: int, precision: Precision) -> None:
        _, parquet = arrow()
        self._dim = dim
        self._dtype = np.dtype(precision)
        self._schema = _schema(dim, precision)
        self._waiting: list[Row] = []
        self.count = 0
        self._writer = parquet.ParquetWriter(
            file,
            self._schema,
            compression="zstd",
            use_dictionary=[name for name in self._schema.names if name not in _UNLIKE],
            write_page_checksum=True,
            write_statistics=["id", "image_path"],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()

    def add(self, rows: Sequence[Row]) -> None:
        """Write rows, which follow all earlier ones."""
        self._waiting += rows
        self.count += len(rows)
        if len(self._waiting) >= GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        pyarrow, _ = arrow()
        rows, self._waiting = self._waiting, []
        vectors = np.stack([row.vector for row in rows]).astype(self._dtype)
        columns: dict[str, Any] = {
            "id": [item_id(row.path) for row in rows],
            "image_path": [row.path for row in rows],
            "width": [row.width for row in rows],
            "height": [row.height for row in rows],
            "checksum": [row.checksum.hex() for row in rows],
            "caption": [json_safe(row.said.caption) for row in rows],
            "alt_text": [json_safe(row.said.alt_text) for row in rows],
            "metadata": [_json(row.said.metadata) for row in rows],
            "sources": [_json(row.said.sources) for row in rows],
            "thumbhash": [thumbhash_of(row.thumbnail) for row in rows],
            "thumbnail": [row.thumbnail for row in rows],
            "look": [row.look for row in rows],
            EMBEDDING: pyarrow.FixedSizeListArray.from_arrays(
                pyarrow.array(vectors.ravel()), self._dim
            ),
        }
        self._writer.write_table(pyarrow.table(columns, schema=self._schema))


def arrow() -> tuple[Any, Any]:
    """pyarrow, and its module for parquet.

    Raises:
        BuildError: they are not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise BuildError(
            f"shards are parquet, which needs packages that are not here ({error}): install them "
            f"with {extra('parquet')}"
        ) from None
    return pyarrow, parquet


def _schema(dim: int, precision: Precision) -> pyarrow.Schema:
    pyarrow, _ = arrow()
    number = pyarrow.float16() if precision == "float16" else pyarrow.float32()
    text, needed = pyarrow.string(), {"nullable": False}
    return pyarrow.schema(
        [
            pyarrow.field("id", text, **needed),
            pyarrow.field("image_path", text, **needed),
            pyarrow.field("width", pyarrow.int32(), **needed),
            pyarrow.field("height", pyarrow.int32(), **needed),
            pyarrow.field("checksum", text, **needed),
            pyarrow.field("caption", text),
            pyarrow.field("alt_text", text),
            pyarrow.field("metadata", text, **needed),
            pyarrow.field("sources", text, **needed),
            pyarrow.field("thumbhash", text),
            pyarrow.field("thumbnail", pyarrow.binary()),
            pyarrow.field("look", pyarrow.binary()),
            pyarrow.field(EMBEDDING, pyarrow.list_(number, dim), **needed),
        ]
    )


def _json(value: dict[str, Any]) -> str:
    return json.dumps(json_safe(value), ensure_ascii=False)
