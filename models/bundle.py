"""A bundle, opened for serving: checked first, then loaded.

>>> bundle = Bundle.open(Path("bundles/demo"))
>>> vectors = bundle.text_encoder.encode(bundle.tokenizer.encode(["a red fox"]))
>>> similarities, positions = bundle.index.search(vectors, k=3)
>>> [item.image_path for item in bundle.items.get(positions[0])]
['animals/fox.png', 'animals/fox-face.png', 'animals/raccoon.png']
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from models.golden import compare_picture, compare_texts
from models.index import VectorIndex
from models.items import ItemStore
from models.manifest import INDEX, ITEMS, DamagedError, Manifest, verify_files
from models.text_encoder import TextEncoder
from models.tokenizer import Tokenizer

if TYPE_CHECKING:
    from models.image_encoder import ImageEncoder


@dataclass(frozen=True)
class Bundle:
    """A model package and the pictures that it has embedded."""

    folder: Path
    manifest: Manifest
    tokenizer: Tokenizer
    text_encoder: TextEncoder
    index: VectorIndex
    items: ItemStore
    threads: int

    @classmethod
    def open(cls, folder: Path, *, threads: int = 1, verify: bool = True) -> Bundle:
        """Check every file of the bundle and load what a text query needs.

        Hashing and loading run side by side; nothing is returned before every
        hash is right and the golden texts have their embeddings.

        Args:
            folder: the bundle.
            threads: how many threads one run of an encoder may use.
            verify: hash the files; False where the caller has just done so.

        Raises:
            DamagedError: names the file that is missing, altered or does not fit, or the
                text whose embedding this machine computes otherwise.
        """
        manifest = Manifest.read(folder)
        with ThreadPoolExecutor() as pool:
            verified = pool.submit(verify_files, folder, manifest.files if verify else {})
            tokenizer = pool.submit(Tokenizer.load, folder, manifest.model)
            encoder = pool.submit(TextEncoder, folder, manifest.model, threads=threads)
            index = pool.submit(VectorIndex.load, folder / INDEX, manifest.index)
            items = pool.submit(ItemStore.open, folder / ITEMS)
            # First, since a damaged file makes its loader fail less clearly.
            verified.result()
            bundle = cls(
                folder=folder,
                manifest=manifest,
                tokenizer=tokenizer.result(),
                text_encoder=encoder.result(),
                index=index.result(),
                items=items.result(),
                threads=threads,
            )
        bundle._check_fit()
        compare_texts(folder, manifest.model, bundle.tokenizer, bundle.text_encoder, quickly=True)
        return bundle

    @cached_property
    def image_encoder(self) -> ImageEncoder:
        """The picture encoder, loaded at its first use: few servers are sent pictures.

        So the golden picture is compared here, before the first picture of somebody else,
        and not when the bundle is opened: loading the encoder and running it once takes a
        quarter of a second with the demo's model, more with a larger one.

        Raises:
            DamagedError: this machine computes another embedding of the golden picture.
        """
        from models.image_encoder import ImageEncoder

        encoder = ImageEncoder(self.folder, self.manifest.model, threads=self.threads)
        compare_picture(self.folder, self.manifest.model, encoder)
        return encoder

    def _check_fit(self) -> None:
        counts = {
            "manifest.json": self.manifest.pictures,
            INDEX: len(self.index),
            ITEMS: len(self.items),
        }
        if len(set(counts.values())) > 1:
            raise DamagedError(
                f"{self.folder} does not fit together: the numbers of pictures differ "
                f"({', '.join(f'{name}: {count}' for name, count in counts.items())}). "
                "Build it again."
            )
        if self.index.dim != self.manifest.model.embedding_dim:
            raise DamagedError(
                f"{self.folder / INDEX} holds vectors {self.index.dim} wide, but the model makes "
                f"{self.manifest.model.embedding_dim}. Build it again."
            )
