"""The files of a folder by size and SHA-256, so that a damaged one shows before it is trusted.

>>> verify_files(Path("bundles/demo"), manifest.files)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from models.damage import DamagedError, cannot_be_read

_HASH_CHUNK = 1 << 20


def _plain(name: str) -> str:
    if name in ("", ".", "..") or set(name) & {"/", "\\", "\0"}:
        raise ValueError(f"{name!r} is no file of the bundle's own")
    return name


FileName = Annotated[str, AfterValidator(_plain)]


class FileRecord(BaseModel):
    """The identity of one file: its size in bytes and SHA-256 in hex."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    size: int
    sha256: str


def record_file(path: Path) -> FileRecord:
    """Size and SHA-256 of a file, read in chunks."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_HASH_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return FileRecord(size=size, sha256=digest.hexdigest())


def record_files(folder: Path, names: Iterable[str]) -> dict[str, FileRecord]:
    """The records of several files of a folder, by name."""
    return {name: record_file(folder / name) for name in names}


def compare(path: Path, expected: FileRecord, size: int, sha256: str | None = None) -> None:
    """Check a file's size, and its SHA-256 where that is known, against what was written.

    Raises:
        DamagedError: one of them differs.
    """
    if size != expected.size:
        raise DamagedError(f"{path} is damaged: {size} bytes, not {expected.size}. Build it again.")
    if sha256 is not None and sha256 != expected.sha256:
        raise DamagedError(
            f"{path} is damaged: its SHA-256 is {sha256[:12]}…, not {expected.sha256[:12]}…. "
            "Build it again."
        )


def verify_files(folder: Path, files: Mapping[str, FileRecord]) -> None:
    """Check that every file of ``folder`` is the one that was written.

    Files are hashed side by side: hashlib releases the interpreter's lock.

    Raises:
        DamagedError: names the first file that is missing, cut short or altered.
    """

    def check(name: str) -> None:
        path = folder / name
        try:
            found = record_file(path)
        except OSError as error:
            raise cannot_be_read(path, error) from None
        compare(path, files[name], found.size, found.sha256)

    with ThreadPoolExecutor(max_workers=4) as pool:
        for _ in pool.map(check, files):
            pass
