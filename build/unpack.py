"""All that a bundle knows of its images, in files that other programs read.

``npy`` needs nothing more: ``embeddings.npy``, float32 ``[n, dim]``; ``paths.txt``, line n the
image of row n; and ``items.jsonl``, an object per image in the same order.  The first two are
what ``python -m build index --embeddings`` takes.  ``parquet`` is the same as one table,
``items.parquet``: metadata and sources, whose fields differ from image to image, are JSON in
it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from build.errors import BuildError
from build.progress import Progress
from models.bundle import Bundle
from models.embeddings import Vectors
from models.installation import extra
from models.items import Item

# Rows that are in memory together.
_AT_ONCE = 4096

Rows = Iterator[tuple[list[Item], Vectors]]


def unpack(bundle: Bundle, folder: Path, form: str) -> None:
    """Write items and embeddings of a bundle into a new folder.

    Args:
        bundle: open.
        folder: must not be there yet; a run that fails leaves none.
        form: one of ``FORMS``.

    Raises:
        BuildError: the folder is there or cannot be written, or a path does not fit the form.
        DamagedError: a part of the bundle is not as it was written.
    """
    with _new(folder) as place, Progress("exporting", len(bundle.items), 0) as progress:
        FORMS[form](place, bundle, _rows(bundle, progress))


def _rows(bundle: Bundle, progress: Progress) -> Rows:
    """Items and their vectors, some at a time."""
    for start in range(0, len(bundle.items), _AT_ONCE):
        positions = np.arange(start, min(start + _AT_ONCE, len(bundle.items)))
        yield bundle.items.get(positions.tolist()), bundle.index.embeddings.rows(positions)
        progress.advance(len(positions))


def _write_npy(folder: Path, bundle: Bundle, rows: Rows) -> None:
    shape = (len(bundle.items), bundle.index.dim)
    with (
        (folder / "embeddings.npy").open("wb") as embeddings,
        (folder / "paths.txt").open("w", encoding="utf-8", newline="\n") as paths,
        (folder / "items.jsonl").open("w", encoding="utf-8", newline="\n") as lines,
    ):
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(embeddings, header)
        for items, vectors in rows:
            embeddings.write(np.ascontiguousarray(vectors, dtype="<f4").data)
            for item in items:
                if "\n" in item.image_path or "\r" in item.image_path:
                    raise BuildError(
                        f"{item.image_path!r} holds a line break, for which paths.txt has no "
                        "place. Give --to parquet."
                    )
                paths.write(f"{item.image_path}\n")
                lines.write(f"{json.dumps(_told(item), ensure_ascii=False)}\n")


def _write_parquet(folder: Path, bundle: Bundle, rows: Rows) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise BuildError(
            f"--to parquet needs packages that are not here ({error}): install them with "
            f"{extra('parquet')}"
        ) from None
    dim = bundle.index.dim
    schema = pyarrow.schema(
        [
            pyarrow.field("id", pyarrow.string(), nullable=False),
            pyarrow.field("image_path", pyarrow.string(), nullable=False),
            pyarrow.field("width", pyarrow.int32()),
            pyarrow.field("height", pyarrow.int32()),
            pyarrow.field("caption", pyarrow.string()),
            pyarrow.field("alt_text", pyarrow.string(), nullable=False),
            pyarrow.field("text", pyarrow.string()),
            pyarrow.field("metadata", pyarrow.string(), nullable=False),
            pyarrow.field("sources", pyarrow.string(), nullable=False),
            pyarrow.field("thumbhash", pyarrow.string()),
            pyarrow.field("embedding", pyarrow.list_(pyarrow.float32(), dim), nullable=False),
        ]
    )
    with parquet.ParquetWriter(
        folder / "items.parquet",
        schema,
        compression="zstd",
        # Hardly any two numbers of embeddings are the same.
        use_dictionary=schema.names[:-1],
    ) as writer:
        for items, vectors in rows:
            told = [_told(item) for item in items]
            columns: list[Any] = [
                [_as_cell(each[name]) for each in told] for name in schema.names[:-1]
            ]
            columns.append(
                pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.ravel()), dim)
            )
            writer.write_table(pyarrow.table(columns, schema=schema))


FORMS: Mapping[str, Callable[[Path, Bundle, Rows], None]] = {
    "npy": _write_npy,
    "parquet": _write_parquet,
}


def _told(item: Item) -> dict[str, Any]:
    """What is known of an image, but for its place in this index."""
    fields = asdict(item)
    del fields["position"]
    return fields


def _as_cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value


@contextmanager
def _new(folder: Path) -> Iterator[Path]:
    """A folder that gets its name when all of it is written."""
    if folder.exists():
        raise BuildError(f"{folder} is there already. Give --output a new folder.")
    place = folder.with_name(f".{folder.name}.new")
    try:
        if place.exists():
            # What a run left that was killed.
            shutil.rmtree(place)
        place.mkdir(parents=True)
        yield place
        place.rename(folder)
    except OSError as error:
        raise BuildError(f"{error.filename or folder}: {error.strerror or error}.") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)
