"""A bundle, opened for serving: checked first, then loaded.

>>> bundle = Bundle.open(Path("bundles/demo"))
>>> vectors = bundle.text_encoder.encode(bundle.tokenizer.encode(["a red fox"]))
>>> similarities, positions = bundle.index.search(vectors, k=3)
>>> [item.image_path for item in bundle.items.get(positions[0])]
['animals/fox.png', 'animals/fox-face.png', 'animals/raccoon.png']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle_files import (
    at_once,
    check_fit,
    check_names,
    check_whole,
    done,
    load_image_encoder,
)
from models.collection import Collection, LocalCollection
from models.damage import DamagedError
from models.database import Database
from models.file_names import (
    CHANGED,
    CHANGED_EMBEDDINGS,
    CHANGED_THUMBNAILS,
    EMBEDDINGS,
    IMAGE_ENCODER,
    ITEMS,
    LOOKS,
    MANIFEST,
    SEARCHED,
    SUMMARY,
    TEXT_ENCODER,
    THUMBNAILS,
    TOKENIZER,
    TUNING,
)
from models.folder import Folder
from models.golden import compare_texts
from models.image_encoder import LazyImageEncoder
from models.items import Item, ItemStore
from models.looks import LookStore
from models.manifest import Manifest
from models.scrubbing import Scrubbed, scrub
from models.summary import Summary
from models.text_encoder import TextEncoder
from models.thumbnails import ThumbnailStore
from models.tokenizer import Tokenizer
from models.vector_index import VectorIndex

# A bundle below this many bytes is hashed whole before it is used, in a fifth of a second.  Of a
# larger one only what every answer needs.
WHOLE_BELOW = 256 << 20
_ATTEMPTS = 3
# Makes the collection that is searched, for the model that the manifest describes; the summary of
# its images is None where there is none.
Elsewhere = Callable[[Manifest, Summary | None], Collection]


@dataclass(frozen=True)
class Bundle:
    """A model package and the images that it has embedded.

    All of it comes from one folder as it was when it was opened (:mod:`models.folder`):
    another bundle that takes its place changes nothing.
    """

    folder: Path
    manifest: Manifest
    tokenizer: Tokenizer
    text_encoder: TextEncoder
    # What is searched: what the bundle itself holds, unless that lies elsewhere.
    collection: Collection
    # None where the bundle was deployed without them.
    thumbnails: ThumbnailStore | None
    # None where it was built by an earlier release, or of vectors without images.
    looks: LookStore | None
    threads: int
    # None where the bundle was deployed without it.
    image_encoder: LazyImageEncoder | None
    _files: Folder
    # By which the thumbnails are numbered, where they are not by the collection.
    _numbers: ItemStore | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        threads: int = 1,
        verify: bool = True,
        elsewhere: Elsewhere | None = None,
    ) -> Bundle:
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
            elsewhere: makes the collection to search in place of the bundle's own, of which then
                nothing is read and nothing has to be there.

        Raises:
            DamagedError: names the file that is missing, altered or does not fit, or the
                text or image whose embedding this machine computes otherwise.
        """
        attempts = _ATTEMPTS
        while True:
            held = Folder(folder)
            try:
                return cls._open(held, threads, verify, elsewhere)
            except DamagedError:
                attempts -= 1
                # A build may have replaced it just then: what that has put there will do.
                if not attempts or not held.is_replaced():
                    raise

    @classmethod
    def _open(
        cls, folder: Folder, threads: int, verify: bool, elsewhere: Elsewhere | None
    ) -> Bundle:
        path = folder.path
        manifest = Manifest.parse(folder.document(MANIFEST), path / MANIFEST)
        check_names(manifest, path, whole=elsewhere is None)
        unused = () if elsewhere is None else SEARCHED
        folder.open({name: one for name, one in manifest.files.items() if name not in unused})
        whole = sum(map(folder.size, folder)) < WHOLE_BELOW
        if not verify:
            folder.trust(name for name in folder if whole or at_once(folder, name))
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
                return done(Database(folder, name))

            databases = {
                name: open_database(name)
                for name in (ITEMS, SUMMARY, THUMBNAILS, CHANGED_THUMBNAILS)
                if name in folder
            }
            model = manifest.model
            encoder = pool.submit(
                TextEncoder, path, model, threads=threads, graph=read(TEXT_ENCODER)
            )
            mean = np.array(manifest.mean, dtype=np.float32)
            index = None
            if elsewhere is None:
                index = pool.submit(VectorIndex.load, folder, manifest.index, mean)
            tokenizer = pool.submit(Tokenizer.load, path, model, read(TOKENIZER))
            looks = None
            if LOOKS in folder:
                looks = pool.submit(LookStore.load, folder)
                verified.append(looks)
            images = None
            if IMAGE_ENCODER in folder:
                load = partial(load_image_encoder, folder, model, threads)
                images = LazyImageEncoder(load, checked=not verify)
                # Last, since it takes the longest and nothing waits for it but the end.
                if folder.in_memory(IMAGE_ENCODER):
                    verified.append(pool.submit(images.load))
                elif whole:
                    verified.append(pool.submit(images.check))
            if whole:
                for name in (*databases, EMBEDDINGS, CHANGED_EMBEDDINGS, LOOKS):
                    if name in folder and not folder.in_memory(name):
                        verified.append(pool.submit(check_whole, folder, name))
                # Only the build reads it.
                if TUNING in folder and not folder.checked(TUNING):
                    verified.append(pool.submit(check_whole, folder, TUNING))
            # First, since a damaged file makes its loader fail less clearly.
            for each in verified:
                each.result()
            opened = {name: database.result() for name, database in databases.items()}
            items = ItemStore(opened[ITEMS]) if ITEMS in opened else None
            seen = None if looks is None else looks.result()
            thumbnails = None
            if index is None:
                assert elsewhere is not None
                summed = opened.get(ITEMS, opened.get(SUMMARY))
                collection = elsewhere(manifest, None if summed is None else Summary(summed))
                # Of a bundle that was changed the index's files say which is whose.
                if items is not None and not any(name in manifest.files for name in CHANGED):
                    thumbnails = ThumbnailStore(opened[THUMBNAILS])
            else:
                assert items is not None
                vectors = index.result()
                collection = LocalCollection(vectors, items, seen)
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
                collection=collection,
                thumbnails=thumbnails,
                looks=seen,
                threads=threads,
                image_encoder=images,
                _files=folder,
                _numbers=None if elsewhere is None else items,
            )
        for name in (EMBEDDINGS, CHANGED_EMBEDDINGS, LOOKS):
            if name in folder and folder.checked(name):
                bundle._trust(name)
        if elsewhere is None:
            check_fit(path, manifest, bundle.index, bundle.items, seen)
        compare_texts(path, manifest.model, bundle.tokenizer, bundle.text_encoder, quickly=True)
        return bundle

    @property
    def index(self) -> VectorIndex:
        """The index, of a bundle whose own is searched."""
        return self._own.index

    @property
    def items(self) -> ItemStore:
        """The items, of a bundle whose own are searched."""
        return self._own.items

    @property
    def _own(self) -> LocalCollection:
        assert isinstance(self.collection, LocalCollection)
        return self.collection

    def thumbnail(self, item: Item) -> bytes | None:
        """The thumbnail of an item of the collection as WebP, None where there is none here.

        Raises:
            DamagedError: it is not as it was written.
        """
        if self.thumbnails is None:
            return None
        position: int | None = item.position
        if self._numbers is not None:
            position = self._numbers.position_of(item.id)
        return None if position is None else self.thumbnails.get(position)

    def scrub(self) -> Iterator[Scrubbed]:
        """Check the files that the start has left out; to be run in a thread of its own.

            >>> for scrubbed in bundle.scrub():
            ...     print(f"{scrubbed.done / scrubbed.total:.0%}")

        Yields:
            how far it has come, about a thousand times a gigabyte; nothing where nothing is left.

        Raises:
            DamagedError: names the file that is not what it must be.
        """
        return scrub(self._files, self.image_encoder, self._trust)

    def close(self) -> None:
        """Close its files; to be called when nobody uses it any more."""
        self.collection.close()
        for store in (self._numbers, self.thumbnails):
            if store is not None:
                store.close()
        self._files.close()

    def _trust(self, name: str) -> None:
        """Check the rows of a file no more, the whole of which is what it must be."""
        if name in (EMBEDDINGS, CHANGED_EMBEDDINGS):
            self.index.embeddings.trust(name)
        if name == LOOKS and self.looks is not None:
            self.looks.trust()
