"""The files of a bundle, each opened once: those that are in use are those that were checked.

A folder can be replaced while it is served, by the build that renews it.  All of a bundle is
therefore reached through one handle of its folder: every file that the manifest names is opened
at once, and whatever is read of it later, and hashed, is read from that open file.

A file of up to ``IN_MEMORY_UP_TO`` bytes is used from memory, so that not even one that is
overwritten where it lies changes anything.  A larger one must not be overwritten while it is
in use: replace it by another of its name, as the build does with the whole folder.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from models.checksums import FileRecord, compare
from models.damage import DamagedError, cannot_be_read
from models.file_names import MANIFEST

IN_MEMORY_UP_TO = 32 << 20
_CHUNK = 1 << 20
# Windows opens files by their path only, and needs to be told that they are no texts.
_BY_HANDLE = os.open in os.supports_dir_fd
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    # What is no file at all is refused rather than waited for; nor does a link lead elsewhere.
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
)


class Folder:
    """A folder, held open, and those of its files that a manifest vouches for.

    Args:
        path: the folder; later only named in messages.

    Raises:
        DamagedError: it is not there, or may not be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptors: dict[str, int] = {}
        self._records: dict[str, FileRecord] = {}
        self._checked: set[str] = set()
        self.close = weakref.finalize(self, _close, self._descriptors)
        if _BY_HANDLE:
            try:
                self._descriptors["."] = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                raise cannot_be_read(path / MANIFEST, error) from None

    def document(self, name: str) -> bytes:
        """The content of a file that vouches for itself.

        Raises:
            DamagedError: it cannot be read.
        """
        descriptor = self._open(name)
        try:
            return b"".join(_chunks(descriptor))
        finally:
            os.close(descriptor)

    def open(self, files: Mapping[str, FileRecord]) -> None:
        """Open these files, which from now on are those of the folder.

        Args:
            files: by name, with what they must be.

        Raises:
            DamagedError: names the first that is missing, no file, or of another size.
        """
        for name, record in files.items():
            self._descriptors[name] = descriptor = self._open(name)
            self._records[name] = record
            compare(self.path / name, record, os.fstat(descriptor).st_size)

    def trust(self, names: Iterable[str]) -> None:
        """Hash nothing of these files: the caller knows that they are what they must be."""
        self._checked.update(names)

    def __contains__(self, name: str) -> bool:
        return name in self._records

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def size(self, name: str) -> int:
        """The size of a file in bytes."""
        return self._records[name].size

    def in_memory(self, name: str) -> bool:
        """Whether a file is small enough to be used from memory."""
        return self.size(name) <= IN_MEMORY_UP_TO

    def checked(self, name: str) -> bool:
        """Whether the whole of a file is known to be what it must be."""
        return name in self._checked

    def read(self, name: str) -> bytes:
        """The content of a file, to be given to :meth:`confirm`."""
        return b"".join(self.chunks(name))

    def confirm(self, name: str, content: bytes) -> None:
        """Hash what was read of a file, unless that is known.

        Raises:
            DamagedError: it is not what it must be.
        """
        if name not in self._checked:
            self.settle(name, hashlib.sha256(content).hexdigest())

    def check(self, name: str) -> Iterator[int]:
        """Hash a file where it lies, and yield from time to time how many bytes that were.

        Raises:
            DamagedError: it is not what it must be.
        """
        digest = hashlib.sha256()
        for chunk in self.chunks(name):
            digest.update(chunk)
            yield len(chunk)
        self.settle(name, digest.hexdigest())

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file piece by piece.

        Raises:
            DamagedError: the disk does not give it.
        """
        try:
            yield from _chunks(self._descriptors[name])
        except OSError as error:
            raise cannot_be_read(self.path / name, error) from None

    def settle(self, name: str, sha256: str) -> None:
        """Compare the SHA-256 of a file with what it must be.

        Raises:
            DamagedError: they differ.
        """
        compare(self.path / name, self._records[name], self.size(name), sha256)
        self._checked.add(name)

    def stream(self, name: str) -> BinaryIO:
        """The content of a file, to be read once from its beginning."""
        stream = os.fdopen(os.dup(self._descriptors[name]), "rb")
        stream.seek(0)
        return stream

    def map(self, name: str) -> mmap.mmap:
        """The content of a file, mapped into memory for reading."""
        return mmap.mmap(self._descriptors[name], 0, access=mmap.ACCESS_READ)

    def is_at(self, name: str, path: Path) -> bool:
        """Whether a path leads to the file that is open here."""
        try:
            there = path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptors[name]))

    def is_replaced(self) -> bool:
        """Whether there is another folder in the place of this one, or none."""
        if not _BY_HANDLE:
            return False
        try:
            there = self.path.stat()
        except OSError:
            return True
        return not os.path.samestat(there, os.fstat(self._descriptors["."]))

    def _open(self, name: str) -> int:
        path = self.path / name
        try:
            if _BY_HANDLE:
                descriptor = os.open(name, _FLAGS, dir_fd=self._descriptors["."])
            else:
                descriptor = os.open(path, _FLAGS)
        except OSError as error:
            raise cannot_be_read(path, error) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise DamagedError(f"{path} is no file. Build it again.")
        return descriptor


def _chunks(descriptor: int) -> Iterable[bytes]:
    """All of an open file, without moving the place at which another may be reading it."""
    at = 0
    while chunk := _read_at(descriptor, at):
        yield chunk
        at += len(chunk)


def _read_at(descriptor: int, at: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, _CHUNK, at)
    os.lseek(descriptor, at, os.SEEK_SET)
    return os.read(descriptor, _CHUNK)


def _close(descriptors: dict[str, int]) -> None:
    while descriptors:
        os.close(descriptors.popitem()[1])
