"""Vectors that exist already: ``--embeddings x.npy --paths paths.txt``, or clip-retrieval's."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from build.clip_retrieval import Parts, find_parts
from build.errors import BuildError
from build.metadata import Fields
from build.parquet import read_parquet

# Shorter than this a vector has no direction worth the name.
_SHORTEST = 1e-6
# What float32 makes of a length of one differs by no more.
_ROUNDING = 1e-6
# A scheme of two letters or more: C:// is a drive.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True)
class Given:
    """What a user brings: float32 ``vectors`` ``[n, dim]`` of length one, and their ``paths``.

    ``said`` is what a table says of pictures, by path; ``queries``, float32 ``[m, dim]``, are the
    embeddings of texts, None where there are none.
    """

    paths: list[str]
    vectors: NDArray[np.float32]
    said: Mapping[str, Fields]
    queries: NDArray[np.float32] | None


def read_vectors(file: Path, dim: int) -> NDArray[np.float32]:
    """The rows of a NumPy file, scaled to length one.

    Args:
        file: ``.npy``, floats ``[n, dim]``.
        dim: how wide the model's vectors are.

    Returns:
        float32 ``[n, dim]``.

    Raises:
        BuildError: the file is of another form, or a row has no direction.
    """
    try:
        rows = np.load(file, allow_pickle=False)
    except OSError as error:
        raise BuildError(f"{file} cannot be read: {error.strerror or error}.") from None
    except (ValueError, EOFError) as error:
        raise BuildError(f"{file} is no .npy file of numbers: {error}.") from None
    if not isinstance(rows, np.ndarray):
        raise BuildError(f"{file} holds several arrays. Save the one with the vectors as .npy.")
    if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.floating):
        raise BuildError(
            f"{file} holds {rows.dtype} of shape {list(rows.shape)}; floats of shape "
            f"[pictures, {dim}] are needed."
        )
    if rows.shape[1] != dim:
        raise BuildError(
            f"{file} holds vectors {rows.shape[1]} wide, but the model's are {dim} wide. "
            "Give --model the package of the model that made them."
        )
    # Harmless: "overflow encountered in cast"; what became infinite is refused below.
    with np.errstate(over="ignore"):
        rows = rows.astype(np.float32)
    _refuse(file, ~np.isfinite(rows).all(axis=1), "is not finite (NaN or infinity)")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    _refuse(file, lengths[:, 0] < _SHORTEST, "is zero")
    # So that a bundle's own vectors, exported, make the same index again.
    lengths[np.abs(lengths - 1) < _ROUNDING] = 1
    unit: NDArray[np.float32] = (rows / lengths).astype(np.float32)
    return unit


def read_given(embeddings: Path, paths: Path | None, root: Path | None, dim: int) -> Given:
    """Vectors that exist, the paths of their pictures, and what is said of these.

    Args:
        embeddings: a ``.npy``, or a folder that clip-retrieval has written.
        paths: a text file or a parquet table, line or row n the picture of row n; may be None
            where the folder has metadata.
        root: the folder of the pictures, if there is one.
        dim: how wide the model's vectors are.

    Raises:
        BuildError: names what is wrong with which of the files.
    """
    parts = find_parts(embeddings) if embeddings.is_dir() else Parts([embeddings], [], [])
    if paths is None and not parts.metadata:
        raise BuildError(
            "--embeddings needs --paths: a text file or a parquet table, line or row n the "
            "picture of row n."
        )
    vectors = [read_vectors(file, dim) for file in parts.images]
    if paths is not None:
        lists = [_read_list(paths)]
        _check_fit(sum(map(len, vectors)), len(lists[0].paths), embeddings)
    else:
        lists = [_read_list(file) for file in parts.metadata]
        for rows, listed, file in zip(vectors, lists, parts.images, strict=True):
            _check_fit(len(rows), len(listed.paths), file)
    names = _distinct(lists, root)
    if not names:
        raise BuildError(f"{embeddings} holds no vectors.")
    said = dict(zip(names, (fields for each in lists for fields in each.said), strict=False))
    queries = [read_vectors(file, dim) for file in parts.texts]
    return Given(names, np.concatenate(vectors), said, np.concatenate(queries) if queries else None)


@dataclass(frozen=True)
class _List:
    """The paths of a file as they stand there; ``unit`` is what ``first`` counts."""

    file: Path
    unit: str
    first: int
    paths: list[str]
    said: list[Fields]

    def place(self, number: int) -> str:
        return f"{self.unit} {number + self.first}"


def _read_list(file: Path) -> _List:
    if file.suffix.lower() == ".parquet":
        return _List(file, "row", 0, *read_parquet(file))
    return _List(file, "line", 1, _lines(file), [])


def _lines(file: Path) -> list[str]:
    """The lines of UTF-8 text, with any line ends."""
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise BuildError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise BuildError(f"{file} is not UTF-8: {error}.") from None
    # str.splitlines would split at characters that a path may hold.
    lines = text.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.strip("\r") for line in lines]


def _distinct(lists: Sequence[_List], root: Path | None) -> list[str]:
    """The picture paths of some files, relative and with ``/``; addresses as they are.

    Backslashes are taken for slashes; paths that begin with ``root`` become relative to it,
    other absolute ones lose their leading slash.

    Raises:
        BuildError: a path is empty, leads out of the tree or repeats another.
    """
    first: dict[str, tuple[_List, int]] = {}
    for listed in lists:
        for number, path in enumerate(listed.paths):
            try:
                name = _relative(path, root)
            except ValueError as error:
                raise BuildError(f"{listed.file}: {listed.place(number)} {error}") from None
            other, earlier = first.setdefault(name, (listed, number))
            if (other, earlier) != (listed, number):
                where = "" if other is listed else f" of {other.file}"
                raise BuildError(
                    f"{listed.file}: {listed.place(number)} repeats {other.place(earlier)}{where}: "
                    f"{name}"
                )
    return list(first)


def _relative(path: str, root: Path | None) -> str:
    """A path as a bundle has it.

    Raises:
        ValueError: it is empty or leads out of the tree.
    """
    if _ADDRESS.match(path):
        return path
    written = path.strip()
    if not written:
        raise ValueError("is empty; every vector needs its path.")
    path = path.replace("\\", "/")
    if root is not None:
        for base in (root.absolute(), root.resolve()):
            path = path.removeprefix(f"{base.as_posix().rstrip('/')}/")
        if not (root / path).exists():
            path = path.removeprefix(f"{root.as_posix()}/")
    path = posixpath.normpath(path).lstrip("/")
    if path in ("", ".") or path.split("/")[0] == "..":
        raise ValueError(f"names no picture in the folder: {written}")
    return path


def _check_fit(vectors: int, paths: int, file: Path) -> None:
    """Refuse vectors and paths of different numbers.

    Raises:
        BuildError: says both numbers.
    """
    if vectors != paths:
        raise BuildError(
            f"{file} holds {vectors} vectors, but there are {paths} paths: "
            "line n of the paths has to name the picture of row n."
        )


def _refuse(file: Path, bad: NDArray[np.bool_], what: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        others = f" (and {len(rows) - 1} others)" if len(rows) > 1 else ""
        raise BuildError(f"{file}: row {rows[0]}{others} {what}; it cannot be searched for.")
