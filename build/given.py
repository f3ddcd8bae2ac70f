"""Vectors that exist already: ``--embeddings x.npy --paths paths.txt``."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from build.errors import BuildError

# Shorter than this a vector has no direction worth the name.
_SHORTEST = 1e-6


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
    unit: NDArray[np.float32] = (rows / lengths).astype(np.float32)
    return unit


def read_paths(file: Path, root: Path | None) -> list[str]:
    """The picture paths of a text file, one a line, relative and with ``/``.

    Backslashes are taken for slashes; paths that begin with ``root`` become relative to it,
    other absolute ones lose their leading slash.

    Args:
        file: UTF-8 text, with any line ends.
        root: the folder of the pictures, if there is one.

    Raises:
        BuildError: a line is empty, leads out of the tree or repeats another.
    """
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
    paths = [_relative(line, root, file, number) for number, line in enumerate(lines, start=1)]
    first: dict[str, int] = {}
    for number, path in enumerate(paths, start=1):
        if first.setdefault(path, number) != number:
            raise BuildError(f"{file}: line {number} repeats line {first[path]}: {path}")
    return paths


def _relative(line: str, root: Path | None, file: Path, number: int) -> str:
    path = line.strip("\r\n").replace("\\", "/")
    if not path.strip():
        raise BuildError(f"{file}: line {number} is empty; every vector needs its path.")
    if root is not None:
        for base in (root.absolute(), root.resolve()):
            path = path.removeprefix(f"{base.as_posix().rstrip('/')}/")
        if not (root / path).exists():
            path = path.removeprefix(f"{root.as_posix()}/")
    path = posixpath.normpath(path).lstrip("/")
    if path in ("", ".") or path.split("/")[0] == "..":
        raise BuildError(f"{file}: line {number} names no picture in the folder: {line.strip()}")
    return path


def check_fit(vectors: NDArray[np.float32], paths: Sequence[str], file: Path) -> None:
    """Refuse vectors and paths of different numbers.

    Raises:
        BuildError: says both numbers.
    """
    if len(vectors) != len(paths):
        raise BuildError(
            f"{file} holds {len(vectors)} vectors, but there are {len(paths)} paths: "
            "line n of the paths has to name the picture of row n."
        )


def _refuse(file: Path, bad: NDArray[np.bool_], what: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        others = f" (and {len(rows) - 1} others)" if len(rows) > 1 else ""
        raise BuildError(f"{file}: row {rows[0]}{others} {what}; it cannot be searched for.")
