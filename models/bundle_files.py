"""The files of a bundle: which there have to be, and how each is checked when it is opened."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future
from pathlib import Path

from models.coded_scan import KIND
from models.damage import DamagedError
from models.database import Database
from models.file_names import (
    CHANGED,
    EMBEDDINGS,
    IMAGE_ENCODER,
    INDEX,
    ITEMS,
    LOOKS,
    MANIFEST,
    PROJECTION,
    ROW_CHECKSUMS,
    TEXT_ENCODER,
    THUMBNAILS,
    TOKENIZER,
)
from models.folder import Folder
from models.golden import compare_image
from models.image_encoder import ImageEncoder
from models.items import ItemStore
from models.looks import LookStore
from models.manifest import Manifest
from models.model_card import ModelCard
from models.vector_index import VectorIndex


def check_names(manifest: Manifest, path: Path, *, whole: bool) -> None:
    """Every file that a bundle is made of has to be vouched for; the image encoder may lack.

    Where its collection lies elsewhere, no more is needed than what a text is encoded with.
    """
    needed = [TOKENIZER, TEXT_ENCODER]
    if whole or ITEMS in manifest.files:
        needed += [ITEMS, THUMBNAILS]
    if whole:
        needed.append(INDEX)
    if whole and manifest.index.kind != "flat":
        needed += [EMBEDDINGS, ROW_CHECKSUMS]
    if whole and manifest.index.kind == KIND:
        needed.append(PROJECTION)
    if any(name in manifest.files for name in CHANGED):
        needed += CHANGED
    for name in needed:
        if name not in manifest.files:
            raise DamagedError(f"{path / MANIFEST} does not name {name}. Build it again.")


def check_fit(
    path: Path,
    manifest: Manifest,
    index: VectorIndex,
    items: ItemStore,
    looks: LookStore | None,
) -> None:
    """The parts have to be of the same images, and of the model whose vectors they hold."""
    counts = {MANIFEST: manifest.images, INDEX: len(index), ITEMS: len(items)}
    if looks is not None:
        counts[LOOKS] = len(looks)
    if len(set(counts.values())) > 1:
        raise DamagedError(
            f"{path} does not fit together: the numbers of images differ "
            f"({', '.join(f'{name}: {count}' for name, count in counts.items())}). "
            "Build it again."
        )
    widths = {index.dim, len(manifest.mean), manifest.model.embedding_dim}
    if len(widths) > 1:
        raise DamagedError(
            f"{path / INDEX} holds vectors {index.dim} wide, but the model makes "
            f"{manifest.model.embedding_dim}. Build it again."
        )


def at_once(folder: Folder, name: str) -> bool:
    """Whether a file is read before the first answer, however large the bundle."""
    return name in (TEXT_ENCODER, TOKENIZER, INDEX) or folder.in_memory(name)


def load_image_encoder(folder: Folder, model: ModelCard, threads: int) -> ImageEncoder:
    """The image encoder of a bundle, checked whatever was known of it."""
    graph = folder.read(IMAGE_ENCODER)
    if folder.in_memory(IMAGE_ENCODER):
        folder.confirm(IMAGE_ENCODER, graph)
    else:
        # Whatever was known of it: somebody may have written into the file since.
        folder.settle(IMAGE_ENCODER, hashlib.sha256(graph).hexdigest())
    encoder = ImageEncoder(folder.path, model, threads=threads, graph=graph)
    compare_image(folder.path, model, encoder)
    return encoder


def check_whole(folder: Folder, name: str) -> None:
    """Hash a file where it lies."""
    for _ in folder.check(name):
        pass


def done(database: Database) -> Future[Database]:
    """A database, as if somebody were still opening it."""
    future: Future[Database] = Future()
    future.set_result(database)
    return future
