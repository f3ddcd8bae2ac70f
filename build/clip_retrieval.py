"""The embeddings that ``clip-retrieval inference`` writes.

``img_emb/img_emb_0.npy``, ``metadata/metadata_0.parquet``, ``text_emb/text_emb_0.npy`` and so on
by number, as ``clip_retrieval/clip_inference/writer.py`` has them; or all in one folder, as such
data sets are given away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from build.errors import BuildError

_IMAGES, _TEXTS, _METADATA = "img_emb", "text_emb", "metadata"


@dataclass(frozen=True)
class Parts:
    """The files of embeddings, in order.

    ``images`` and ``metadata`` belong together one by one, row by row; ``metadata`` and ``texts``
    may be empty.
    """

    images: list[Path]
    metadata: list[Path]
    texts: list[Path]


def find_parts(folder: Path) -> Parts:
    """The files of embeddings in a folder.

    Raises:
        BuildError: there are none, or some parts have no metadata where others have.
    """
    images = _numbered(folder, _IMAGES, "npy")
    if not images:
        raise BuildError(
            f"{folder} holds no {_IMAGES}/{_IMAGES}_0.npy, as clip-retrieval writes it. Give "
            "--embeddings such a folder, or a file of vectors."
        )
    metadata = _numbered(folder, _METADATA, "parquet")
    if metadata and metadata.keys() != images.keys():
        number = min(metadata.keys() ^ images.keys())
        there, missing = (_IMAGES, _METADATA) if number in images else (_METADATA, _IMAGES)
        raise BuildError(f"{folder}: there is {there}_{number}, but no {missing}_{number}.")
    texts = _numbered(folder, _TEXTS, "npy")
    return Parts(
        [images[number] for number in sorted(images)],
        [metadata[number] for number in sorted(metadata)],
        [texts[number] for number in sorted(texts)],
    )


def _numbered(folder: Path, name: str, suffix: str) -> dict[int, Path]:
    """The files of one kind by their numbers, which may begin with zeros."""
    of_this_kind = re.compile(rf"{name}_(\d+)\.{suffix}")
    found = {}
    for place in (folder / name, folder):
        if place.is_dir():
            for path in place.iterdir():
                if match := of_this_kind.fullmatch(path.name):
                    found[int(match[1])] = path
        if found:
            break
    return found
