"""Embeddings that exist already: ``--embeddings x.npy --paths paths.txt``, or clip-retrieval's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from build.clip_retrieval import Parts, find_parts
from build.embedding_files import VectorFile, read_vectors
from build.errors import BuildError
from build.metadata import Fields
from build.path_lists import distinct, read_list
from models.vector_index import MOST_TEXTS


@dataclass(frozen=True)
class Given:
    """What a user brings: the ``files`` of vectors, and ``paths``, one for each of their rows.

    ``said`` is what a table says of images, by path; ``queries``, float32 ``[m, dim]``, are the
    embeddings of texts, of many some at random, None where there are none.
    """

    paths: list[str]
    files: list[VectorFile]
    said: Mapping[str, Fields]
    queries: NDArray[np.float32] | None


def read_given(embeddings: Path, paths: Path | None, root: Path | None, dim: int) -> Given:
    """Vectors that exist, the paths of their images, and what is said of these.

    Args:
        embeddings: a ``.npy``, or a folder that clip-retrieval has written.
        paths: a text file or a parquet table, line or row n the image of row n; may be None
            where the folder has metadata.
        root: the folder of the images, if there is one.
        dim: how wide the model's vectors are.

    Raises:
        BuildError: names what is wrong with which of the files.
    """
    parts = find_parts(embeddings) if embeddings.is_dir() else Parts([embeddings], [], [])
    if paths is None and not parts.metadata:
        raise BuildError(
            "--embeddings needs --paths: a text file or a parquet table, line or row n the "
            "image of row n."
        )
    files = [VectorFile(file, dim) for file in parts.images]
    if paths is not None:
        lists = [read_list(paths)]
        _check_fit(sum(map(len, files)), len(lists[0].paths), embeddings)
    else:
        lists = [read_list(file) for file in parts.metadata]
        for vectors, listed, file in zip(files, lists, parts.images, strict=True):
            _check_fit(len(vectors), len(listed.paths), file)
    names = distinct(lists, root)
    if not names:
        raise BuildError(f"{embeddings} holds no vectors.")
    said = dict(zip(names, (fields for each in lists for fields in each.said), strict=False))
    texts = [VectorFile(file, dim) for file in parts.texts]
    # clip-retrieval writes one for each image: all of them would take as much memory as these.
    some = np.random.default_rng(0).permutation(sum(map(len, texts)))[:MOST_TEXTS]
    queries = read_vectors(texts, np.sort(some), dim) if texts else None
    return Given(names, files, said, queries)


def _check_fit(vectors: int, paths: int, file: Path) -> None:
    """Refuse vectors and paths of different numbers.

    Raises:
        BuildError: says both numbers.
    """
    if vectors != paths:
        raise BuildError(
            f"{file} holds {vectors} vectors, but there are {paths} paths: "
            "line n of the paths has to name the image of row n."
        )
