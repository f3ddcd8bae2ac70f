"""What is said of images: by their files and the files beside them, by a captioner, by OCR."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from build.bundle_images import Images
from build.caption import Caption
from build.captioner import CaptionModel, write_captions
from build.captions import read_captions
from build.journal import Journal
from build.metadata import Fields
from build.metadata.description import (
    NOTHING_SAID,
    Description,
    Metadata,
    description_of,
)
from build.metadata.embedded import READING
from build.metadata.xmp_sidecars import read_xmp_sidecars
from build.ocr import read_texts
from build.said import Said
from models.images import read_content
from models.manifest import OcrFacts

_NAMED_WARNINGS = 10


def all_said(
    root: Path | None,
    images: Images,
    journal: Journal,
    threads: int,
    captioner: CaptionModel | None,
    ocr: OcrFacts | None,
    metadata: Metadata,
) -> Said:
    """What people, the images' files, a captioner and a reader of texts say of images.

    Args:
        root: the tree of the images, where sidecars are looked for.
        images: which they are; their vectors are not looked at.
        journal: where what was said before is.
        threads: of the reader.
        captioner: the image-to-text model that describes images without a caption.
        ocr: what reads the text in the images.
        metadata: how much of what images say themselves is wanted.

    Raises:
        BuildError: the captioner cannot describe images, or no text can be read here.
    """
    said = what_is_said(root, images, journal, metadata)
    written: dict[str, str] = {}
    if captioner is not None and root is not None:
        bare = _without_caption(images, said)
        written = write_captions(root, bare, journal, captioner, _content_of(images))
    texts: dict[str, str] = {}
    if ocr is not None and root is not None:
        there = _with_file(images)
        texts = read_texts(root, there, journal, ocr, threads, _content_of(images))
    return Said(said, written, texts)


def what_is_said(
    root: Path | None, images: Images, journal: Journal, metadata: Metadata
) -> Mapping[str, Description]:
    """What images' files, the files beside them and a table say, by path."""
    if images.shards is not None:
        return images.shards.said
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
        embedded = None if size is None else journal.said_by(path, READING)
        beside = [images.said[path]] if path in images.said else []
        if (caption := captions.get(path)) is not None:
            beside.append(caption.fields())
        description = description_of(embedded, xmp.get(path, {}), beside, metadata)
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
