"""The paths of images as a text file or a parquet table lists them, and as a bundle has them.

Backslashes are taken for slashes, absolute paths become relative, addresses stay as they are.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from build.errors import BuildError
from build.metadata import Fields
from build.parquet import read_parquet

# A scheme of two letters or more: C:// is a drive.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True)
class PathList:
    """The paths of a file as they stand there, and what a table says of each image.

    ``unit`` is what ``first`` counts.
    """

    file: Path
    unit: str
    first: int
    paths: list[str]
    said: list[Fields]

    def place(self, number: int) -> str:
        """Where in the file a path stands: ``line 3``."""
        return f"{self.unit} {number + self.first}"


def read_list(file: Path) -> PathList:
    """The paths of a text file, or of a parquet table, as they stand there.

    Raises:
        BuildError: the file cannot be read.
    """
    if file.suffix.lower() == ".parquet":
        return PathList(file, "row", 0, *read_parquet(file))
    return PathList(file, "line", 1, _lines(file), [])


def read_paths(file: Path, root: Path | None) -> list[str]:
    """The images that a text file, or a parquet table, names, as a bundle has them.

    Raises:
        BuildError: the file cannot be read, or a path is empty, leads out of ``root`` or repeats
            another.
    """
    return distinct([read_list(file)], root)


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


def distinct(lists: Sequence[PathList], root: Path | None) -> list[str]:
    """The paths of some files, relative and with ``/``; addresses as they are.

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


def _place(row: int, lists: Sequence[PathList]) -> tuple[PathList, int]:
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
