"""Vectors that exist already: ``--embeddings x.npy --paths paths.txt``, or clip-retrieval's."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from build.clip_retrieval import Parts, find_parts
from build.errors import BuildError
from build.metadata import Fields
from build.parquet import read_parquet
from build.progress import Progress

# Shorter than this a vector has no direction worth the name.
_SHORTEST = 1e-6
# What float32 makes of a length of one differs by no more.
_ROUNDING = 1e-6
# Rows that are in memory besides those that are kept.
_AT_ONCE = 16_384
# A scheme of two letters or more: C:// is a drive.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


class VectorFile:
    """The vectors of a NumPy file, read some at a time: together they may not fit twice.

    Args:
        file: ``.npy``, floats ``[n, dim]``.
        dim: how wide the model's vectors are.

    Raises:
        BuildError: the file is of another form.
    """

    def __init__(self, file: Path, dim: int) -> None:
        self._file = file
        rows = self._mapped()
        if not isinstance(rows, np.ndarray):
            raise BuildError(f"{file} holds several arrays. Save the one with the vectors as .npy.")
        if rows.ndim != 2 or not np.issubdtype(rows.dtype, np.floating):
            raise BuildError(
                f"{file} holds {rows.dtype} of shape {list(rows.shape)}; floats of shape "
                f"[images, {dim}] are needed."
            )
        if rows.shape[1] != dim:
            raise BuildError(
                f"{file} holds vectors {rows.shape[1]} wide, but the model's are {dim} wide. "
                "Give --model the package of the model that made them."
            )
        self._count = len(rows)

    def __len__(self) -> int:
        return self._count

    def unit_rows(self) -> Iterator[NDArray[np.float32]]:
        """All vectors in order, scaled to length one: float32 ``[some, dim]`` at a time.

        Raises:
            BuildError: rows have no direction; said after the last one.
        """
        infinite, zero = [], []
        for start in range(0, self._count, _AT_ONCE):
            # Mapped anew: what was read of the file would else stay in memory until the end.
            rows = self._mapped()[start : start + _AT_ONCE]
            # Harmless: "overflow encountered in cast"; what became infinite is refused below.
            with np.errstate(over="ignore"):
                rows = rows.astype(np.float32)
            finite = np.isfinite(rows).all(axis=1)
            infinite.append(start + np.flatnonzero(~finite))
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            zero.append(start + np.flatnonzero(lengths[:, 0] < _SHORTEST))
            # So that a bundle's own vectors, exported, make the same index again.
            as_it_is = np.abs(lengths - 1) < _ROUNDING
            refused = ~finite[:, np.newaxis] | (lengths < _SHORTEST)
            rows /= np.where(as_it_is | refused, 1, lengths)
            yield rows
        self._refuse(infinite, "is not finite (NaN or infinity)")
        self._refuse(zero, "is zero")

    def _mapped(self) -> Any:
        try:
            return np.load(self._file, mmap_mode="r", allow_pickle=False)
        except OSError as error:
            raise BuildError(f"{self._file} cannot be read: {error.strerror or error}.") from None
        except (ValueError, EOFError) as error:
            raise BuildError(f"{self._file} is no .npy file of numbers: {error}.") from None

    def _refuse(self, bad: Sequence[NDArray[np.int64]], what: str) -> None:
        rows = [int(row) for some in bad for row in some]
        if rows:
            others = f" (and {len(rows) - 1} others)" if len(rows) > 1 else ""
            raise BuildError(
                f"{self._file}: row {rows[0]}{others} {what}; it cannot be searched for."
            )


@dataclass(frozen=True)
class Given:
    """What a user brings: the ``files`` of vectors, and ``paths``, one for each of their rows.

    ``said`` is what a table says of images, by path; ``queries``, float32 ``[m, dim]``, are the
    embeddings of texts, None where there are none.
    """

    paths: list[str]
    files: list[VectorFile]
    said: Mapping[str, Fields]
    queries: NDArray[np.float32] | None


def read_vectors(
    files: Sequence[VectorFile], rows: NDArray[np.int64], dim: int
) -> NDArray[np.float32]:
    """Some rows of files that follow one another, scaled to length one.

    Args:
        files: the vectors.
        rows: which of them, and in what order, int64 ``[n]`` without repeats.
        dim: how wide they are.

    Returns:
        float32 ``[n, dim]``.

    Raises:
        BuildError: a row has no direction, be it one of those asked for or not.
    """
    total = sum(map(len, files))
    place = np.full(total, -1)
    place[rows] = np.arange(len(rows))
    vectors = np.empty((len(rows), dim), dtype=np.float32)
    start = 0
    with Progress("reading vectors", total, 0) as progress:
        for some in chain.from_iterable(file.unit_rows() for file in files):
            to = place[start : start + len(some)]
            vectors[to[to >= 0]] = some[to >= 0]
            start += len(some)
            progress.advance(len(some))
    return vectors


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
        lists = [_read_list(paths)]
        _check_fit(sum(map(len, files)), len(lists[0].paths), embeddings)
    else:
        lists = [_read_list(file) for file in parts.metadata]
        for vectors, listed, file in zip(files, lists, parts.images, strict=True):
            _check_fit(len(vectors), len(listed.paths), file)
    names = _distinct(lists, root)
    if not names:
        raise BuildError(f"{embeddings} holds no vectors.")
    said = dict(zip(names, (fields for each in lists for fields in each.said), strict=False))
    texts = [VectorFile(file, dim) for file in parts.texts]
    queries = read_vectors(texts, np.arange(sum(map(len, texts))), dim) if texts else None
    return Given(names, files, said, queries)


def read_paths(file: Path, root: Path | None) -> list[str]:
    """The images that a text file, or a parquet table, names, as a bundle has them.

    Raises:
        BuildError: the file cannot be read, or a path is empty, leads out of ``root`` or repeats
            another.
    """
    return _distinct([_read_list(file)], root)


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
    """The image paths of some files, relative and with ``/``; addresses as they are.

    Backslashes are taken for slashes; paths that begin with ``root`` become relative to it,
    other absolute ones lose their leading slash.

    Raises:
        BuildError: a path is empty, leads out of the tree or repeats another.
    """
    # By the row in all of them: two numbers for each of a million would take as much as the paths.
    first: dict[str, int] = {}
    begin = 0
    for listed in lists:
        for number, path in enumerate(listed.paths):
            try:
                name = _relative(path, root)
            except ValueError as error:
                raise BuildError(f"{listed.file}: {listed.place(number)} {error}") from None
            # Of equal texts the one that is there already.
            row = first.setdefault(path if path == name else name, begin + number)
            if row != begin + number:
                other, earlier = _place(row, lists)
                where = "" if other is listed else f" of {other.file}"
                raise BuildError(
                    f"{listed.file}: {listed.place(number)} repeats {other.place(earlier)}{where}: "
                    f"{name}"
                )
        begin += len(listed.paths)
    return list(first)


def _place(row: int, lists: Sequence[_List]) -> tuple[_List, int]:
    """Which of the lists a row is in, and where."""
    for listed in lists:
        if row < len(listed.paths):
            break
        row -= len(listed.paths)
    return listed, row


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
        raise ValueError(f"names no image in the folder: {written}")
    return path


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
