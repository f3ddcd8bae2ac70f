"""A bundle, opened for serving: checked first, then loaded.

>>> bundle = Bundle.open(Path("bundles/demo"))
>>> vectors = bundle.text_encoder.encode(bundle.tokenizer.encode(["a red fox"]))
>>> similarities, positions = bundle.index.search(vectors, k=3)
>>> [item.image_path for item in bundle.items.get(positions[0])]
['animals/fox.png', 'animals/fox-face.png', 'animals/raccoon.png']
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.collection import Collection, LocalCollection
from models.database import Database
from models.folder import Folder
from models.golden import compare_picture, compare_texts
from models.image_encoder import ImageEncoder, LazyImageEncoder
from models.index import VectorIndex
from models.items import ItemStore
from models.looks import LookStore
from models.manifest import (
    CHANGED,
    CHANGED_EMBEDDINGS,
    CHANGED_THUMBNAILS,
    EMBEDDINGS,
    IMAGE_ENCODER,
    INDEX,
    ITEMS,
    LOOKS,
    MANIFEST,
    ROW_CHECKSUMS,
    TEXT_ENCODER,
    THUMBNAILS,
    TOKENIZER,
    TUNING,
    DamagedError,
    Manifest,
    ModelCard,
)
from models.text_encoder import TextEncoder
from models.thumbnails import ThumbnailStore
from models.tokenizer import Tokenizer

# A bundle below this many bytes is hashed whole before it is used, in a fifth of a second.  Of a
# larger one only what every answer needs.
WHOLE_BELOW = 256 << 20
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """How far :meth:`Bundle.scrub` has come: bytes, of all that there are to check."""

    done: int
    total: int


@dataclass(frozen=True)
class Bundle:
    """A model package and the pictures that it has embedded.

    All of it comes from one folder as it was when it was opened (:mod:`models.folder`):
    another bundle that takes its place changes nothing.
    """

    folder: Path
    manifest: Manifest
    tokenizer: Tokenizer
    text_encoder: TextEncoder
    index: VectorIndex
    items: ItemStore
    collection: Collection
    thumbnails: ThumbnailStore
    # None where it was built by an earlier release, or of vectors without pictures.
    looks: LookStore | None
    threads: int
    # None where the bundle was deployed without it.
    image_encoder: LazyImageEncoder | None
    _files: Folder

    @classmethod
    def open(cls, folder: Path, *, threads: int = 1, verify: bool = True) -> Bundle:
        """Check the files of the bundle and load what queries need.

        Of a bundle below ``WHOLE_BELOW`` bytes every file is hashed; of a larger one what every
        answer needs (the text encoder, the tokenizer, the index) and what is used from memory.
        Its other rows, its vectors and its image encoder are checked when they are first used,
        and whole files by :meth:`scrub`.

        Hashing and loading run side by side; nothing is returned before every hash is right,
        and the golden texts have their embeddings.

        Args:
            folder: the bundle.
            threads: how many threads one run of an encoder may use.
            verify: hash the files; False where the caller has just opened the bundle and
                checked its image encoder.

        Raises:
            DamagedError: names the file that is missing, altered or does not fit, or the
                text or picture whose embedding this machine computes otherwise.
        """
        attempts = _ATTEMPTS
        while True:
            held = Folder(folder)
            try:
                return cls._open(held, threads, verify)
            except DamagedError:
                attempts -= 1
                # A build may have replaced it just then: what that has put there will do.
                if not attempts or not held.is_replaced():
                    raise

    @classmethod
    def _open(cls, folder: Folder, threads: int, verify: bool) -> Bundle:
        path = folder.path
        manifest = Manifest.parse(folder.document(MANIFEST), path / MANIFEST)
        _check_names(manifest, path)
        folder.open(manifest.files)
        whole = sum(map(folder.size, folder)) < WHOLE_BELOW
        if not verify:
            folder.trust(name for name in folder if whole or _at_once(folder, name))
        verified: list[Future[Any]] = []
        with ThreadPoolExecutor() as pool:

            def read(name: str) -> bytes:
                content = folder.read(name)
                verified.append(pool.submit(folder.confirm, name, content))
                return content

            def open_database(name: str) -> Future[Database]:
                if folder.in_memory(name):
                    return pool.submit(Database, folder, name, read(name))
                # At once, since SQLite finds a file by its path only.
                return _done(Database(folder, name))

            databases = {
                name: open_database(name)
                for name in (ITEMS, THUMBNAILS, CHANGED_THUMBNAILS)
                if name in folder
            }
            model = manifest.model
            encoder = pool.submit(
                TextEncoder, path, model, threads=threads, graph=read(TEXT_ENCODER)
            )
            mean = np.array(manifest.mean, dtype=np.float32)
            index = pool.submit(VectorIndex.load, folder, manifest.index, mean)
            tokenizer = pool.submit(Tokenizer.load, path, model, read(TOKENIZER))
            looks = None
            if LOOKS in folder:
                looks = pool.submit(LookStore.load, folder)
                verified.append(looks)
            pictures = None
            if IMAGE_ENCODER in folder:
                load = partial(_load_image_encoder, folder, model, threads)
                pictures = LazyImageEncoder(load, checked=not verify)
                # Last, since it takes the longest and nothing waits for it but the end.
                if folder.in_memory(IMAGE_ENCODER):
                    verified.append(pool.submit(pictures.load))
                elif whole:
                    verified.append(pool.submit(pictures.check))
            if whole:
                for name in (*databases, EMBEDDINGS, CHANGED_EMBEDDINGS, LOOKS):
                    if name in folder and not folder.in_memory(name):
                        verified.append(pool.submit(_check, folder, name))
                # Only the build reads it.
                if TUNING in folder and not folder.checked(TUNING):
                    verified.append(pool.submit(_check, folder, TUNING))
            # First, since a damaged file makes its loader fail less clearly.
            for each in verified:
                each.result()
            opened = {name: database.result() for name, database in databases.items()}
            vectors, store = index.result(), ItemStore(opened[ITEMS])
            seen = None if looks is None else looks.result()
            thumbnails = ThumbnailStore(
                opened[THUMBNAILS],
                opened.get(CHANGED_THUMBNAILS),
                vectors.embeddings.row_of,
                vectors.embeddings.unchanged,
            )
            bundle = cls(
                folder=path,
                manifest=manifest,
                tokenizer=tokenizer.result(),
                text_encoder=encoder.result(),
                index=vectors,
                items=store,
                collection=LocalCollection(vectors, store, seen),
                thumbnails=thumbnails,
                looks=seen,
                threads=threads,
                image_encoder=pictures,
                _files=folder,
            )
        for name in (EMBEDDINGS, CHANGED_EMBEDDINGS):
            if name in folder and folder.checked(name):
                bundle.index.embeddings.trust(name)
        if bundle.looks is not None and folder.checked(LOOKS):
            bundle.looks.trust()
        bundle._check_fit()
        compare_texts(path, manifest.model, bundle.tokenizer, bundle.text_encoder, quickly=True)
        return bundle

    def scrub(self) -> Iterator[Scrubbed]:
        """Check the files that the start has left out; to be run in a thread of its own.

            >>> for scrubbed in bundle.scrub():
            ...     print(f"{scrubbed.done / scrubbed.total:.0%}")

        Yields:
            how far it has come, about a thousand times a gigabyte; nothing where nothing is left.

        Raises:
            DamagedError: names the file that is not what it must be.
        """
        left = [name for name in self._files if not self._is_checked(name)]
        total = sum(map(self._files.size, left))
        done = 0
        for name in left:
            for size in self._check(name):
                done += size
                yield Scrubbed(done, total)
            if name in (EMBEDDINGS, CHANGED_EMBEDDINGS):
                self.index.embeddings.trust(name)
            if name == LOOKS and self.looks is not None:
                self.looks.trust()

    def close(self) -> None:
        """Close its files; to be called when nobody uses it any more."""
        self.collection.close()
        self.thumbnails.close()
        self._files.close()

    def _is_checked(self, name: str) -> bool:
        if name == IMAGE_ENCODER and self.image_encoder is not None:
            return self.image_encoder.checked
        return self._files.checked(name)

    def _check(self, name: str) -> Iterator[int]:
        if name == IMAGE_ENCODER and self.image_encoder is not None:
            self.image_encoder.check()
            yield self._files.size(name)
        else:
            yield from self._files.check(name)

    def _check_fit(self) -> None:
        counts = {
            MANIFEST: self.manifest.pictures,
            INDEX: len(self.index),
            ITEMS: len(self.items),
        }
        if self.looks is not None:
            counts[LOOKS] = len(self.looks)
        if len(set(counts.values())) > 1:
            raise DamagedError(
                f"{self.folder} does not fit together: the numbers of pictures differ "
                f"({', '.join(f'{name}: {count}' for name, count in counts.items())}). "
                "Build it again."
            )
        widths = {self.index.dim, len(self.manifest.mean), self.manifest.model.embedding_dim}
        if len(widths) > 1:
            raise DamagedError(
                f"{self.folder / INDEX} holds vectors {self.index.dim} wide, but the model makes "
                f"{self.manifest.model.embedding_dim}. Build it again."
            )


def _check_names(manifest: Manifest, path: Path) -> None:
    """Every file that a bundle is made of has to be vouched for; the picture encoder may lack."""
    needed = [TOKENIZER, TEXT_ENCODER, INDEX, ITEMS, THUMBNAILS]
    if manifest.index.kind != "flat":
        needed += [EMBEDDINGS, ROW_CHECKSUMS]
    if any(name in manifest.files for name in CHANGED):
        needed += CHANGED
    for name in needed:
        if name not in manifest.files:
            raise DamagedError(f"{path / MANIFEST} does not name {name}. Build it again.")


def _at_once(folder: Folder, name: str) -> bool:
    """Whether a file is read before the first answer, however large the bundle."""
    return name in (TEXT_ENCODER, TOKENIZER, INDEX) or folder.in_memory(name)


def _load_image_encoder(folder: Folder, model: ModelCard, threads: int) -> ImageEncoder:
    graph = folder.read(IMAGE_ENCODER)
    if folder.in_memory(IMAGE_ENCODER):
        folder.confirm(IMAGE_ENCODER, graph)
    else:
        # Whatever was known of it: somebody may have written into the file since.
        folder.settle(IMAGE_ENCODER, hashlib.sha256(graph).hexdigest())
    encoder = ImageEncoder(folder.path, model, threads=threads, graph=graph)
    compare_picture(folder.path, model, encoder)
    return encoder


def _check(folder: Folder, name: str) -> None:
    for _ in folder.check(name):
        pass


def _done(database: Database) -> Future[Database]:
    future: Future[Database] = Future()
    future.set_result(database)
    return future
