"""A bundle that differs little from another one: what is the same is not written again.

The new bundle is a folder of its own, as whole as any.  The files of the model, and the large
ones of images, it shares with the old one where the file system can (hard links); what is new of
embeddings and thumbnails is in second files (:mod:`models.rows`).  The index keeps its codebooks,
and the databases of items are copied and changed.

What is shared is not read, so damage to it stays: it is found as in any bundle, by whoever reads
it, by ``info`` and by the service in the background.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from build.made_of import FORM
from build.moves import Moves
from build.tags import VOCABULARY, read_vocabulary
from models.arrays import read_array
from models.embeddings import Embeddings, checksums_of
from models.folder import Folder
from models.items import Item, change_items
from models.looks import change_looks
from models.manifest import (
    CHANGED,
    CHANGED_EMBEDDINGS,
    CHANGED_THUMBNAILS,
    EMBEDDINGS,
    INDEX,
    ITEMS,
    LOOKS,
    ROW_CHECKSUMS,
    ROWS,
    TUNING,
    FileRecord,
    Manifest,
    record_files,
)
from models.rows import Rows
from models.thumbnails import add_thumbnails, write_thumbnails
from models.tuning import Tuning
from models.vector_index import VectorIndex

# With more rows than this for each image, or more new ones for each old one, the whole is
# written anew: rows of images that are gone take room, and each change copies the new ones.
_MOST_ROWS = 2.0
_MOST_CHANGED = 0.5
_REWRITTEN = (INDEX, ITEMS, LOOKS, ROW_CHECKSUMS, TUNING, *CHANGED)
_AT_ONCE = 1 << 16
_AFTER = ", the first 64 of them after a change"


@dataclass(frozen=True)
class Coming:
    """Images that come: items in order of position, and of each its embedding and thumbnail.

    ``vectors`` is float32 ``[n, dim]``; ``thumbnail`` gives that of the n-th as WebP, and ``looks``
    are how they look from afar (:mod:`models.looks`), None where there is no file.
    """

    items: Sequence[Item]
    vectors: NDArray[np.float32]
    thumbnail: Callable[[int], bytes | None]
    looks: Sequence[bytes | None]


def is_due(manifest: Manifest, rows: int, unchanged: int, moves: Moves) -> bool:
    """Whether a bundle is to be written anew, and not changed.

    Args:
        manifest: of the old one.
        rows: that it has, and of them
        unchanged: those that were there when it was last written anew.
        moves: what is to change.
    """
    rows += len(moves.new)
    return (
        manifest.index.kind == "flat"
        or manifest.form != FORM
        or rows > _MOST_ROWS * moves.count
        or rows - unchanged > _MOST_CHANGED * unchanged
    )


def write_changed(
    old: Folder,
    manifest: Manifest,
    index: VectorIndex,
    moves: Moves,
    coming: Coming,
    folder: Path,
) -> Manifest | None:
    """Write a changed bundle into an empty folder, but for its manifest.

    Args:
        old: the bundle, its files open.
        manifest: its manifest.
        index: its index of codes, which is of no use afterwards.
        moves: what is to change.
        coming: what comes.
        folder: where to.

    Returns:
        The manifest; None where the codebooks do not fit the images any more, and all has
        to be built anew.

    Raises:
        DamagedError: a file of the old bundle that is read is damaged.
    """
    before = index.embeddings
    mean = _mean(manifest, before, moves, coming.vectors)
    for _ in old.check(TUNING):
        pass
    tuning = Tuning.load(old.path).changed(moves.now_at, moves.new, coming.vectors)
    row = before.row_count
    linked = [name for name in manifest.files if name not in _REWRITTEN]
    for name in linked:
        _link(old.path / name, folder / name)
    _write_vectors(old, before.row_of, row, moves, coming.vectors, folder)
    numbered = ((row + at, coming.thumbnail(at)) for at in range(len(coming.items)))
    thumbnails = ((at, webp) for at, webp in numbered if webp)
    if CHANGED_THUMBNAILS in old:
        _copy(old, CHANGED_THUMBNAILS, folder)
        add_thumbnails(folder / CHANGED_THUMBNAILS, thumbnails)
    else:
        write_thumbnails(folder / CHANGED_THUMBNAILS, thumbnails)
    _copy(old, ITEMS, folder)
    change_items(folder / ITEMS, moves.now_at, coming.items, read_vocabulary(VOCABULARY))
    names = [ITEMS, ROW_CHECKSUMS, *CHANGED]
    earlier = old.read(LOOKS) if LOOKS in old else b""
    if LOOKS in old:
        old.confirm(LOOKS, earlier)
    if change_looks(folder / LOOKS, earlier, moves.now_at, moves.new, coming.looks):
        names.append(LOOKS)
    records = {name: manifest.files[name] for name in linked}
    records |= record_files(folder, names)
    embeddings = _embeddings(folder, records)
    index = index.changed(moves.now_at, moves.new, coming.vectors, mean, embeddings)
    found = tuning.again(index.nearest, manifest.index.search_parameters["candidates"])
    if found is None:
        return None
    candidates, recall = found
    index.save_codes(folder)
    tuning.save(folder)
    told = manifest.index.tuned_with.removesuffix(_AFTER) + _AFTER
    return manifest.model_copy(
        update={
            "index": manifest.index.model_copy(
                update={
                    "search_parameters": {"candidates": candidates},
                    "recall_at_10": round(recall, 4),
                    "tuned_with": told,
                }
            ),
            "images": moves.count,
            "mean": mean.tolist(),
            "made_of": "",
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": records | record_files(folder, (INDEX, TUNING)),
        }
    )


def _mean(
    manifest: Manifest, before: Embeddings, moves: Moves, vectors: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The mean of all embeddings now, float32 ``[dim]``."""
    total = np.array(manifest.mean) * manifest.images + vectors.sum(axis=0, dtype=np.float64)
    gone = np.flatnonzero(moves.now_at < 0)
    for start in range(0, len(gone), _AT_ONCE):
        total -= before.rows(gone[start : start + _AT_ONCE]).sum(axis=0, dtype=np.float64)
    mean: NDArray[np.float32] = (total / moves.count).astype(np.float32)
    return mean


def _write_vectors(
    old: Folder,
    row_of: Rows | None,
    row: int,
    moves: Moves,
    vectors: NDArray[np.float32],
    folder: Path,
) -> None:
    """Write what is new of the embeddings, the checksums of all, and the row of each position.

    Args:
        old: the bundle.
        row_of: the row of each position in it; None where a position is its row.
        row: of the first that comes.
        moves: what is to change.
        vectors: those that come.
        folder: where to.
    """
    rows = np.empty(moves.count, dtype="<u4")
    stays = moves.now_at >= 0
    was = np.arange(len(stays), dtype="<u4") if row_of is None else row_of
    rows[moves.now_at[stays]] = was[stays]
    rows[moves.new] = np.arange(row, row + len(vectors))
    np.save(folder / ROWS, rows)
    checksums = read_array(old.read(ROW_CHECKSUMS), np.dtype("<u8"), old.path / ROW_CHECKSUMS)
    np.save(folder / ROW_CHECKSUMS, np.concatenate([checksums, checksums_of(vectors)]))
    earlier = np.empty((0, vectors.shape[1]), dtype="<f4")
    if CHANGED_EMBEDDINGS in old:
        for _ in old.check(CHANGED_EMBEDDINGS):
            pass
        path = old.path / CHANGED_EMBEDDINGS
        earlier = read_array(old.map(CHANGED_EMBEDDINGS), np.dtype("<f4"), path)
    shape = (len(earlier) + len(vectors), vectors.shape[1])
    with (folder / CHANGED_EMBEDDINGS).open("wb") as stream:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for some in (earlier, np.ascontiguousarray(vectors, dtype="<f4")):
            stream.write(some.data)


def _embeddings(folder: Path, records: Mapping[str, FileRecord]) -> Embeddings:
    """All vectors of a bundle that has just been written."""
    files = Folder(folder)
    names = [EMBEDDINGS, ROW_CHECKSUMS, CHANGED_EMBEDDINGS, ROWS]
    files.open({name: records[name] for name in names})
    files.trust(names)
    embeddings = Embeddings.load(files)
    for name in (EMBEDDINGS, CHANGED_EMBEDDINGS):
        embeddings.trust(name)
    return embeddings


def _copy(old: Folder, name: str, folder: Path) -> None:
    """Copy a file that is going to be changed.

    Raises:
        DamagedError: it is not what it must be.
    """
    digest = hashlib.sha256()
    with (folder / name).open("wb") as stream:
        for chunk in old.chunks(name):
            digest.update(chunk)
            stream.write(chunk)
    old.settle(name, digest.hexdigest())


def _link(source: Path, target: Path) -> None:
    """Give a file that nobody changes a second name, or copy it where there are no such names."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
