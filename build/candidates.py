"""The images that an evaluation ranks, and the queries that should find them.

Every distinct caption (or every question of a file) is a query, and every image that bears the
caption a hit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from build.archives import Archives
from build.captions import read_captions
from build.errors import BuildError
from build.questions import hits_of
from build.scan import scan
from models.image_encoder import ImageEncoder
from models.images import ImageError, decode
from models.model_card import ModelCard
from models.preprocessing import preprocess


@dataclass(frozen=True)
class Images:
    """The candidates: their paths, vectors and captions, row by row.

    ``vectors`` is float32 ``[images, dim]`` with rows of length one; ``skipped`` names
    the files that could not be read, with the reason.
    """

    root: Path
    paths: list[str]
    vectors: NDArray[np.float32]
    captions: list[str | None]
    skipped: list[str]


@dataclass(frozen=True)
class Query:
    """A text and the rows of the images that it should find (at least one)."""

    text: str
    hits: frozenset[int]


def read_images(root: Path, card: ModelCard, encoder: ImageEncoder) -> Images:
    """Embed every image of a tree and read its captions.

    Raises:
        BuildError: the folder does not exist or holds no image that can be read.
    """
    archives = Archives(root)
    found = scan(root, enter=archives.enter)
    names = [file.path for file in found.images]
    known, warnings = read_captions(root, names, archives)
    skipped = [*warnings, *(f"{each.path}: {each.reason}" for each in found.skipped)]
    paths, vectors = [], []
    for name in tqdm(names, desc="embedding", unit="image", leave=False):
        try:
            pixels = preprocess(decode(archives.content(root / name)), card.preprocessing)
        except ImageError as error:
            skipped.append(f"{name}: {error}")
            continue
        paths.append(name)
        vectors.append(encoder.encode(pixels[np.newaxis])[0])
    if not paths:
        raise BuildError(f"{root} holds no image that can be read ({len(skipped)} skipped).")
    captions = [known[name].text if name in known else None for name in paths]
    return Images(root, paths, np.stack(vectors), captions, skipped)


def caption_queries(images: Images) -> list[Query]:
    """Every distinct caption once, in the order of its first image.

    Raises:
        BuildError: no image has a caption.
    """
    hits: dict[str, set[int]] = {}
    for row, caption in enumerate(images.captions):
        if caption is not None:
            hits.setdefault(caption, set()).add(row)
    if not hits:
        raise BuildError(
            f"none of the {len(images.paths)} images in {images.root} has a caption. Put "
            "photo.txt beside photo.jpg, or captions.csv into the folder, or give --queries."
        )
    return [Query(caption, frozenset(rows)) for caption, rows in hits.items()]


def read_queries(file: Path, images: Images) -> list[Query]:
    """Questions with their hits: ``[{"query": ..., "hits": ["birds/*penguin*", ...]}]``.

    A hit is an image's path in the tree, or a pattern of such paths.

    Raises:
        BuildError: the file is not of this form, or a hit is no image of the tree.
    """
    try:
        entries = json.loads(file.read_text("utf-8"))
        asked = [(str(entry["query"]), [str(hit) for hit in entry["hits"]]) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f'{file} is no list of {{"query": "...", "hits": ["path", ...]}}: {error!r}'
        ) from None
    queries = [
        Query(text, hits_of(patterns, images.paths, f"{file}: {text!r}", images.root))
        for text, patterns in asked
    ]
    if not queries:
        raise BuildError(f"{file} holds no queries")
    return queries
