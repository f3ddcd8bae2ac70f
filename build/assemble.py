"""Vectors, captions and a model package to the files of a bundle."""

from __future__ import annotations

import platform
import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from build.captioner import CaptionModel, write_captions
from build.captions import Caption, read_captions
from build.describe import NO_CAPTION, describe
from build.journal import Journal
from build.packages import PACKAGE_FILES, Package
from build.tags import VOCABULARY, Tagger, read_vocabulary
from models.index import EXACT_UP_TO, Metric, VectorIndex
from models.items import Item, write_items
from models.manifest import ITEMS, THUMBNAILS, Manifest, Skipped, record_files
from models.thumbnails import write_thumbnails

_LIBRARIES = ("faiss-cpu", "numpy", "onnxruntime", "pillow", "tokenizers")
_TUNING_TEXTS = 500
_NAMED_WARNINGS = 10


@dataclass(frozen=True)
class Pictures:
    """The pictures of a bundle, in order of position, and those that are not in it.

    ``sizes`` are widths and heights in pixels, None where there is no file; ``vectors`` is
    float32 ``[n, dim]`` with rows of length one; ``reused`` counts the vectors that were
    there before; ``unread`` counts, by suffix, what looks like a picture and is not read;
    ``gone`` are known from earlier builds and were not found.
    """

    paths: list[str]
    sizes: list[tuple[int, int] | None]
    vectors: NDArray[np.float32]
    skipped: list[Skipped]
    reused: int
    unread: Counter[str] = field(default_factory=Counter)
    gone: int = 0


def assemble(
    folder: Path,
    pictures: Pictures,
    *,
    package: Package,
    metric: Metric,
    root: Path | None,
    journal: Journal,
    captioner: CaptionModel | None = None,
) -> Manifest:
    """Write a bundle into an empty folder.

    Args:
        folder: where to.
        pictures: what it holds.
        package: the model package; its files become part of the bundle.
        metric: of the index.
        root: the tree of the pictures, where sidecars are looked for.
        journal: where the thumbnails are.
        captioner: the image-to-text model that describes pictures without a caption.

    Raises:
        BuildError: the captioner cannot describe pictures.
    """
    captions = {} if root is None else _captions(root, pictures.paths)
    written = {}
    if captioner is not None and root is not None:
        written = write_captions(root, _without_caption(pictures, captions), journal, captioner)
    tokenizer, text_encoder = package.tokenizer, package.text_encoder
    tagger = _tagger(package)
    guess = None if tagger is None else tagger.alt_texts
    items = describe(pictures.paths, pictures.sizes, pictures.vectors, captions, guess, written)

    queries = None
    if len(items) > EXACT_UP_TO:
        queries = text_encoder.encode(tokenizer.encode(_tuning_texts(items)))
    index = VectorIndex.build(pictures.vectors, metric, queries)

    for name in PACKAGE_FILES:
        shutil.copyfile(package.folder / name, folder / name)
    index_files = index.save(folder)
    write_items(folder / ITEMS, items)
    write_thumbnails(folder / THUMBNAILS, _thumbnails(items, journal))
    manifest = Manifest(
        model=package.card,
        index=index.facts,
        pictures=len(items),
        mean=index.mean().tolist(),
        skipped=pictures.skipped,
        picture_root=None if root is None else str(root.resolve()),
        captioner=None if captioner is None else captioner.facts,
        versions=_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        files=record_files(folder, (*PACKAGE_FILES, *index_files, ITEMS, THUMBNAILS)),
    )
    manifest.write(folder)
    return manifest


def _captions(root: Path, paths: Sequence[str]) -> Mapping[str, Caption]:
    captions, warnings = read_captions(root, paths)
    for warning in warnings[:_NAMED_WARNINGS]:
        print(f"warning: {warning}", file=sys.stderr)
    if len(warnings) > _NAMED_WARNINGS:
        print(f"... and {len(warnings) - _NAMED_WARNINGS} more warnings", file=sys.stderr)
    return captions


def _without_caption(pictures: Pictures, captions: Mapping[str, Caption]) -> list[str]:
    return [
        path
        for path, size in zip(pictures.paths, pictures.sizes, strict=True)
        if size is not None and not captions.get(path, NO_CAPTION).text
    ]


def _tagger(package: Package) -> Tagger | None:
    if package.card.pretrained == "random":
        return None  # what random weights see in a picture would only mislead
    return Tagger(package.tokenizer, package.text_encoder)


def _tuning_texts(items: Sequence[Item]) -> list[str]:
    """Texts such as users may search for, the same for the same pictures."""
    texts = list(dict.fromkeys(item.caption for item in items if item.caption))
    texts += read_vocabulary(VOCABULARY)
    return random.Random(0).sample(texts, min(len(texts), _TUNING_TEXTS))


def _thumbnails(items: Sequence[Item], journal: Journal) -> Iterator[tuple[int, bytes]]:
    """Positions and thumbnails, one at a time: together they may not fit."""
    for item in items:
        thumbnail = None if item.width is None else journal.thumbnail(item.image_path)
        if thumbnail is not None:
            yield item.position, thumbnail


def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in _LIBRARIES}
    return {"python": platform.python_version()} | libraries
