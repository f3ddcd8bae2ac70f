"""Parquet tables of images: where each is, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build.caption import PATH_COLUMNS, Caption, said_in
from build.errors import BuildError
from build.metadata import Fields
from models.installation import extra

if TYPE_CHECKING:
    import pyarrow

# Of data sets that list images which lie elsewhere.
_ADDRESS = "url"
# How pandas writes what it numbers rows with.
_ROW_NAMES = "__index_level_"


def read_parquet(file: Path) -> tuple[list[str], list[Fields]]:
    """The paths of a table's images, row by row, and what the other columns say of them.

    Paths stand in a column ``image_path``, ``file_name``, ``path`` or else ``url``, captions in
    ``caption`` or ``text``.  Cells without a value say nothing, nor do columns of bytes.

    Raises:
        BuildError: the extra ``parquet`` is not installed, the file cannot be read, it has no
            such column, or a row has no path.
    """
    table = _read(file)
    column = next((name for name in (*PATH_COLUMNS, _ADDRESS) if name in table.schema.names), None)
    if column is None:
        wanted = ", ".join(PATH_COLUMNS)
        raise BuildError(f"{file} has no column {wanted} or {_ADDRESS} that names the images.")
    paths: list[str] = []
    said: list[Fields] = []
    for number, row in enumerate(_rows(table)):
        path = row.pop(column)
        if not isinstance(path, str) or not path.strip():
            raise BuildError(f"{file}: row {number} has no {column}; every vector needs its path.")
        caption, _ = said_in(row)
        told = {name: value for name, value in caption.metadata.items() if value is not None}
        paths.append(path)
        said.append(Caption(caption.text, told).fields())
    return paths, said


def _read(file: Path) -> pyarrow.Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise BuildError(
            f"{file}: to read parquet needs packages that are not here ({error}): install them "
            f"with {extra('parquet')}"
        ) from None
    try:
        # A file, so that no column is made of the names of the folders around it.
        with parquet.ParquetFile(file) as opened:
            table = opened.read([field.name for field in opened.schema_arrow if _says(field)])
        for number, field in enumerate(table.schema):
            if pyarrow.types.is_timestamp(field.type):
                # Python's times have no nanoseconds.
                type_ = pyarrow.timestamp("us", field.type.tz)
                column = table.column(number).cast(type_, safe=False)
                table = table.set_column(number, field.name, column)
    except OSError as error:
        raise BuildError(f"{file} cannot be read: {error.strerror or error}.") from None
    except pyarrow.ArrowException as error:
        raise BuildError(f"{file} is no whole parquet file: {error}.") from None
    return table


def _says(field: pyarrow.Field) -> bool:
    """Whether a column may say something of images: not row numbers, nor images as bytes."""
    return not field.name.startswith(_ROW_NAMES) and "binary" not in str(field.type)


def _rows(table: pyarrow.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches():
        for row in batch.to_pylist():
            yield {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """A cell as JSON has it; None for what is no number, as pandas writes a missing one."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
