"""Vectors, captions and a model package to the files of a bundle."""

from __future__ import annotations

import platform
import random
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from build.bundle_images import Images
from build.bundle_items import describe
from build.captioner import CaptionModel
from build.journal import Journal
from build.made_of import FORM
from build.measured import measured
from build.packages import PACKAGE_FILES, Package
from build.progress import Progress, counted
from build.said import Said
from build.tags import VOCABULARY, Tagger, read_vocabulary
from build.thumbhash import thumbhashes
from models.checksums import record_files
from models.file_names import ITEMS, LOOKS, THUMBNAILS
from models.images import decode
from models.index_file import Metric
from models.item_writer import write_items
from models.items import Item
from models.looks import look_of, write_looks
from models.manifest import Manifest, OcrFacts
from models.thumbnails import write_thumbnails
from models.tuning import TARGET_RECALL
from models.vector_index import EXACT_UP_TO, VectorIndex

_LIBRARIES = ("faiss-cpu", "numpy", "pillow", "tokenizers")
# An index of codes learns from half of them, and is tuned on the others.
_TUNING_TEXTS = 1000


def assemble(
    folder: Path,
    images: Images,
    *,
    package: Package,
    metric: Metric,
    root: Path | None,
    journal: Journal,
    threads: int,
    said: Said,
    captioner: CaptionModel | None = None,
    ocr: OcrFacts | None = None,
    made_of: str = "",
    recall: float = TARGET_RECALL,
) -> Manifest:
    """Write a bundle into an empty folder.

    Args:
        folder: where to.
        images: what it holds.
        package: the model package; its files become part of the bundle.
        metric: of the index.
        root: the tree of the images.
        journal: where the thumbnails are.
        threads: of the computations.
        said: what is said of them (:func:`all_said`).
        captioner: the image-to-text model that has described images without a caption.
        ocr: what has read the text in the images.
        made_of: the checksum of all that the bundle is made of (:mod:`build.made_of`).
        recall: what an index of codes is to find of the ten nearest to a text.
    """
    tokenizer, text_encoder = package.tokenizer, package.text_encoder
    tagger = tagger_of(package)
    count = len(images.paths)
    queries = images.queries
    if queries is None and count > EXACT_UP_TO:
        captions = (said.of(path).caption for path in images.paths)
        queries = text_encoder.encode(tokenizer.encode(tuning_texts(captions)))
    items = describe(
        images.paths,
        images.sizes,
        images.vectors,
        said.descriptions,
        None if tagger is None else tagger.alt_texts,
        written=said.written,
        texts=said.texts,
    )
    hashes = hashes_of(images, journal, threads)
    items = (replace(item, thumbhash=one) for item, one in zip(items, hashes, strict=True))
    thumbnails = thumbnails_of(images, journal)
    looks = looks_of(images, journal)
    index, files = write_parts(
        folder, images.vectors, metric, queries, items, thumbnails, looks, package.folder, recall
    )
    manifest = Manifest(
        model=package.card,
        index=index.facts,
        images=count,
        mean=index.mean().tolist(),
        skipped=images.skipped,
        image_root=None if root is None else str(root.resolve()),
        captioner=None if captioner is None else captioner.facts,
        ocr=ocr,
        versions=versions(),
        made_of=made_of,
        form=FORM,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        files=record_files(folder, files),
        **measured(
            index, tokenizer, text_encoder, tagger, lambda at: said.of(images.paths[at]).caption
        ),
    )
    manifest.write(folder)
    return manifest


def write_parts(
    folder: Path,
    vectors: NDArray[np.float32],
    metric: Metric,
    queries: NDArray[np.float32] | None,
    items: Iterable[Item],
    thumbnails: Iterable[bytes | None],
    looks: Iterable[bytes | None],
    package: Path,
    recall: float,
) -> tuple[VectorIndex, tuple[str, ...]]:
    """Write all of a bundle but its manifest into an empty folder.

    Args:
        folder: where to.
        vectors: float32 ``[n, dim]``, rows of length one.
        metric: of the index.
        queries: what an index of codes is tuned with, float32 ``[m, dim]``.
        items: of each vector, in the same order.
        thumbnails: the same; None where there is none.
        looks: the same; None where there is none.
        package: the folder with the model's files.
        recall: what an index of codes is to find of the ten nearest.

    Returns:
        The index, and the names of the files.
    """
    count = len(vectors)
    with Progress("indexing", count, 0) as progress:
        index = VectorIndex.build(vectors, metric, queries, progress.advance, recall)
    for name in PACKAGE_FILES:
        shutil.copyfile(package / name, folder / name)
    index_files = index.save(folder)
    described = counted("describing", count, items)
    write_items(folder / ITEMS, described, read_vocabulary(VOCABULARY))
    numbered = enumerate(counted("thumbnails", count, thumbnails))
    write_thumbnails(folder / THUMBNAILS, ((at, webp) for at, webp in numbered if webp))
    seen = write_looks(folder / LOOKS, looks)
    return index, (*PACKAGE_FILES, *index_files, ITEMS, THUMBNAILS, *([LOOKS] if seen else []))


def tagger_of(package: Package) -> Tagger | None:
    """What says what images show that nobody describes; None where the model cannot tell."""
    if package.card.pretrained == "random":
        return None  # what random weights see in an image would only mislead
    return Tagger(package.tokenizer, package.text_encoder)


def tuning_texts(captions: Iterable[str | None]) -> list[str]:
    """Texts such as users may search for, the same for the same captions."""
    texts = chain((caption for caption in captions if caption), read_vocabulary(VOCABULARY))
    return list(dict.fromkeys(_some_of(texts, _TUNING_TEXTS)))


def _some_of(texts: Iterable[str], count: int) -> list[str]:
    """So many at random, one held in memory for each (reservoir sampling: Vitter's algorithm R)."""
    chance = random.Random(0)
    some: list[str] = []
    for seen, text in enumerate(texts):
        if seen < count:
            some.append(text)
        elif (place := chance.randrange(seen + 1)) < count:
            some[place] = text
    return some


def thumbnails_of(images: Images, journal: Journal) -> Iterator[bytes | None]:
    """The thumbnail of each image (WebP), None where there is none."""
    if images.shards is not None:
        return images.shards.each("thumbnail", images.paths)
    each = zip(images.paths, images.sizes, strict=True)
    return (None if size is None else journal.thumbnail(path) for path, size in each)


def hashes_of(images: Images, journal: Journal, threads: int) -> Iterator[str | None]:
    """The ThumbHash of each image in base64, None where there is no thumbnail."""
    if images.shards is not None:
        return images.shards.each("thumbhash", images.paths)
    return thumbhashes(zip(images.paths, images.sizes, strict=True), journal, threads)


def looks_of(images: Images, journal: Journal) -> Iterator[bytes | None]:
    """How each image looks from afar, None where there is none."""
    if images.shards is not None:
        return images.shards.each("look", images.paths)
    return _looks(images, journal)


def _looks(images: Images, journal: Journal) -> Iterator[bytes | None]:
    for path, size in zip(images.paths, images.sizes, strict=True):
        look = None if size is None else journal.look(path)
        if look is None and size is not None:
            # Embedded by an earlier release, which took no look at it.
            small, sha256 = journal.thumbnail(path), journal.get(path).sha256
            if small is not None and sha256 is not None:
                look = look_of(decode(small))
                journal.put_look(sha256, look)
        yield look


def versions() -> dict[str, str]:
    """The releases of Python and of the libraries that a bundle depends on."""
    libraries = {name: version(name) for name in _LIBRARIES}
    # By whatever package it is installed: onnxruntime, or onnxruntime-gpu.
    libraries["onnxruntime"] = onnxruntime.__version__
    return {"python": platform.python_version()} | libraries
