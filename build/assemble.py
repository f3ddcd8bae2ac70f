"""Vectors, captions and a model package to the files of a bundle."""

from __future__ import annotations

import platform
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from build.archives import Archives
from build.bundle_items import describe
from build.caption import Caption
from build.captioner import CaptionModel, write_captions
from build.captions import read_captions
from build.examples import examples
from build.journal import Journal
from build.made_of import FORM
from build.metadata import Fields
from build.metadata.description import (
    NOTHING_SAID,
    SIDECAR,
    XMP_SIDECAR,
    Description,
    Metadata,
    combine,
    written_by_programs,
)
from build.metadata.embedded import READING
from build.metadata.xmp_sidecars import read_xmp_sidecars
from build.ocr import read_texts
from build.packages import PACKAGE_FILES, Package
from build.progress import Progress, counted
from build.senseless import floor
from build.subject import subject
from build.tags import VOCABULARY, Tagger, read_vocabulary
from build.thumbhash import thumbhashes
from models.images import decode, read_content
from models.index_file import Metric
from models.items import Item, write_items
from models.looks import look_of, write_looks
from models.manifest import ITEMS, LOOKS, THUMBNAILS, Manifest, OcrFacts, Skipped, record_files
from models.thumbnails import write_thumbnails
from models.vector_index import EXACT_UP_TO, VectorIndex

_LIBRARIES = ("faiss-cpu", "numpy", "onnxruntime", "pillow", "tokenizers")
_TUNING_TEXTS = 500
_NAMED_WARNINGS = 10


@dataclass(frozen=True)
class Images:
    """The images of a bundle, in order of position, and those that are not in it.

    ``sizes`` are widths and heights in pixels, None where there is no file; ``vectors`` is
    float32 ``[n, dim]`` with rows of length one; ``reused`` counts the vectors that were
    there before; ``unread`` counts, by suffix, what looks like an image and is not read;
    ``gone`` are known from earlier builds and were not found; ``said`` is what came with the
    vectors, by path, and ``queries``, float32 ``[m, dim]``, the embeddings of texts that did;
    ``archives`` are the tars that images are in.
    """

    paths: list[str]
    sizes: list[tuple[int, int] | None]
    vectors: NDArray[np.float32]
    skipped: list[Skipped]
    reused: int
    unread: Counter[str] = field(default_factory=Counter)
    gone: int = 0
    said: Mapping[str, Fields] = field(default_factory=dict)
    queries: NDArray[np.float32] | None = None
    archives: Archives | None = None


def assemble(
    folder: Path,
    images: Images,
    *,
    package: Package,
    metric: Metric,
    root: Path | None,
    journal: Journal,
    threads: int,
    captioner: CaptionModel | None = None,
    ocr: OcrFacts | None = None,
    metadata: Metadata = "basic",
    made_of: str = "",
) -> Manifest:
    """Write a bundle into an empty folder.

    Args:
        folder: where to.
        images: what it holds.
        package: the model package; its files become part of the bundle.
        metric: of the index.
        root: the tree of the images, where sidecars are looked for.
        journal: where the thumbnails are.
        threads: of the computations.
        captioner: the image-to-text model that describes images without a caption.
        ocr: what reads the text in the images.
        metadata: how much of what images say themselves becomes part of the bundle.
        made_of: the checksum of all that the bundle is made of (:mod:`build.made_of`).

    Raises:
        BuildError: the captioner cannot describe images, or no text can be read here.
    """
    said = what_is_said(root, images, journal, metadata)
    tokenizer, text_encoder = package.tokenizer, package.text_encoder
    tagger = _tagger(package)
    count = len(images.paths)
    queries = images.queries
    if queries is None and count > EXACT_UP_TO:
        captions = (said.get(path, NOTHING_SAID).caption for path in images.paths)
        queries = text_encoder.encode(tokenizer.encode(tuning_texts(captions)))
    items = describe(
        images.paths,
        images.sizes,
        images.vectors,
        said,
        None if tagger is None else tagger.alt_texts,
        **read_by_machines(root, images, said, journal, threads, captioner, ocr),
    )
    hashes = thumbhashes(zip(images.paths, images.sizes, strict=True), journal, threads)
    items = (replace(item, thumbhash=one) for item, one in zip(items, hashes, strict=True))
    thumbnails = (
        None if size is None else journal.thumbnail(path)
        for path, size in zip(images.paths, images.sizes, strict=True)
    )
    looks = looks_of(images, journal)
    index, files = write_parts(
        folder, images.vectors, metric, queries, items, thumbnails, looks, package.folder
    )
    least = None if tagger is None else floor(index, tokenizer, text_encoder)
    manifest = Manifest(
        model=package.card,
        index=index.facts,
        images=count,
        mean=index.mean().tolist(),
        floor=least,
        subject=None if tagger is None else subject(index, tokenizer, text_encoder),
        examples=[]
        if tagger is None
        else examples(
            _captions(images, said),
            images.vectors,
            index,
            tokenizer,
            text_encoder,
            tagger,
            least,
        ),
        skipped=images.skipped,
        image_root=None if root is None else str(root.resolve()),
        captioner=None if captioner is None else captioner.facts,
        ocr=ocr,
        versions=versions(),
        made_of=made_of,
        form=FORM,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        files=record_files(folder, files),
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

    Returns:
        The index, and the names of the files.
    """
    count = len(vectors)
    with Progress("indexing", count, 0) as progress:
        index = VectorIndex.build(vectors, metric, queries, progress.advance)
    for name in PACKAGE_FILES:
        shutil.copyfile(package / name, folder / name)
    index_files = index.save(folder)
    described = counted("describing", count, items)
    write_items(folder / ITEMS, described, read_vocabulary(VOCABULARY))
    numbered = enumerate(counted("thumbnails", count, thumbnails))
    write_thumbnails(folder / THUMBNAILS, ((at, webp) for at, webp in numbered if webp))
    seen = write_looks(folder / LOOKS, looks)
    return index, (*PACKAGE_FILES, *index_files, ITEMS, THUMBNAILS, *([LOOKS] if seen else []))


def read_by_machines(
    root: Path | None,
    images: Images,
    said: Mapping[str, Description],
    journal: Journal,
    threads: int,
    captioner: CaptionModel | None,
    ocr: OcrFacts | None,
) -> dict[str, dict[str, str]]:
    """What a captioner says of images that have no caption, and what can be read in them.

    Returns:
        By path, as ``written`` and ``texts``: :func:`build.bundle_items.describe`.
    """
    written: dict[str, str] = {}
    if captioner is not None and root is not None:
        bare = _without_caption(images, said)
        written = write_captions(root, bare, journal, captioner, _content_of(images))
    texts: dict[str, str] = {}
    if ocr is not None and root is not None:
        there = _with_file(images)
        texts = read_texts(root, there, journal, ocr, threads, _content_of(images))
    return {"written": written, "texts": texts}


def what_is_said(
    root: Path | None, images: Images, journal: Journal, metadata: Metadata
) -> dict[str, Description]:
    """What images' files, the files beside them and a table say, by path."""
    captions: Mapping[str, Caption] = {}
    xmp: Mapping[str, Fields] = {}
    warnings: list[str] = []
    if root is not None:
        captions, warnings = read_captions(root, images.paths, images.archives)
    if root is not None and metadata != "none":
        xmp, more = read_xmp_sidecars(root, images.paths)
        warnings += more
    _tell(warnings)
    said = {}
    for path, size in zip(images.paths, images.sizes, strict=True):
        layers: list[tuple[str, Fields]] = []
        if size is not None:
            embedded = journal.said_by(path, READING)
            layers += written_by_programs(embedded | {XMP_SIDECAR: xmp.get(path, {})}, metadata)
        if (fields := images.said.get(path)) is not None:
            layers.append((SIDECAR, fields))
        if (caption := captions.get(path)) is not None:
            layers.append((SIDECAR, caption.fields()))
        description = combine(layers)
        if description != NOTHING_SAID:
            said[path] = description
    return said


def _tell(warnings: Sequence[str]) -> None:
    for warning in warnings[:_NAMED_WARNINGS]:
        print(f"warning: {warning}", file=sys.stderr)
    if len(warnings) > _NAMED_WARNINGS:
        print(f"... and {len(warnings) - _NAMED_WARNINGS} more warnings", file=sys.stderr)


def _with_file(images: Images) -> list[str]:
    sizes = zip(images.paths, images.sizes, strict=True)
    return [path for path, size in sizes if size is not None]


def _without_caption(images: Images, said: Mapping[str, Description]) -> list[str]:
    paths = _with_file(images)
    return [path for path in paths if not _is_described(said.get(path, NOTHING_SAID))]


def _content_of(images: Images) -> Callable[[Path], bytes]:
    return read_content if images.archives is None else images.archives.content


def _is_described(description: Description) -> bool:
    return bool(description.caption or description.alt_text)


def _tagger(package: Package) -> Tagger | None:
    if package.card.pretrained == "random":
        return None  # what random weights see in an image would only mislead
    return Tagger(package.tokenizer, package.text_encoder)


def _captions(images: Images, said: Mapping[str, Description]) -> dict[int, str]:
    """The captions of images that have one, by position."""
    captions = (said.get(path, NOTHING_SAID).caption for path in images.paths)
    return {position: caption for position, caption in enumerate(captions) if caption}


def tuning_texts(captions: Iterable[str | None]) -> list[str]:
    """Texts such as users may search for, the same for the same captions."""
    texts = list(dict.fromkeys(caption for caption in captions if caption))
    texts += read_vocabulary(VOCABULARY)
    return random.Random(0).sample(texts, min(len(texts), _TUNING_TEXTS))


def looks_of(images: Images, journal: Journal) -> Iterator[bytes | None]:
    """How each image looks from afar, None where there is none."""
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
    return {"python": platform.python_version()} | libraries
