"""A bundle's folder, replaced as a whole or not at all.

The new bundle is written beside the old one (``.photos.new``), brought to the disk, and the
two exchange their names in one step, so that a bundle is there at every instant.  Linux can
do that on most of its file systems; where it cannot be done the old one is renamed out of the
way first (``.photos.old``), and for that moment there is none.  A build that is killed in
between leaves a folder that the next one puts right.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build.errors import BuildError
from build.packages import PACKAGE_FILES
from models.checksums import verify_files
from models.damage import DamagedError
from models.file_names import (
    CHANGED,
    EMBEDDINGS,
    INDEX,
    ITEMS,
    LOOKS,
    MANIFEST,
    PROJECTION,
    ROW_CHECKSUMS,
    SUMMARY,
    THUMBNAILS,
    TUNING,
)
from models.manifest import Manifest

_OWN_FILES = frozenset(
    {
        *(MANIFEST, INDEX, PROJECTION, EMBEDDINGS, ROW_CHECKSUMS, ITEMS, LOOKS, THUMBNAILS),
        *(TUNING, SUMMARY, *CHANGED),
        *PACKAGE_FILES,
    }
)

_LINUX = sys.platform == "linux"
# As in <fcntl.h> and <linux/fs.h>.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# The kernel, or the file system (NFS, some of FUSE), has no such step.
_NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


class Output:
    """The place of a bundle and of what a build keeps beside it.

    Args:
        folder: the bundle, to be made or to be replaced; links are followed.

    Raises:
        BuildError: something that is no bundle is in the way.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._old = self._sibling("old")
        self._new = self._sibling("new")
        self.journal = self._sibling("journal.sqlite")
        self._refuse_others()
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BuildError(f"{self.folder.parent} cannot be made: {error.strerror}.") from None

    def recover(self) -> None:
        """Put right what a killed build left.

        To be called, like all that follows, by one build at a time, which the journal's
        lock sees to.
        """
        if self._old.exists() and not self.folder.exists():
            self._old.rename(self.folder)
        _remove(self._old)
        _remove(self._new)

    @contextmanager
    def new_folder(self) -> Iterator[Path]:
        """An empty folder for the new bundle, which is gone at the end unless published."""
        self._new.mkdir()
        try:
            yield self._new
        finally:
            _remove(self._new)

    def publish(self) -> None:
        """Put the new bundle in the place of the old one."""
        self._refuse_others()
        for path in self._new.iterdir():
            _sync(path)
        _sync(self._new)
        if not self.folder.exists():
            self._new.rename(self.folder)
        elif not _exchange(self._new, self.folder):
            self.folder.rename(self._old)
            self._new.rename(self.folder)
        _sync(self.folder.parent)
        _remove(self._old)

    def whole_manifest(self) -> Manifest | None:
        """The manifest of the bundle that is there, None where it is missing or damaged."""
        try:
            manifest = Manifest.read(self.folder)
            verify_files(self.folder, manifest.files)
        except DamagedError:
            return None
        return manifest

    def _sibling(self, suffix: str) -> Path:
        return self.folder.with_name(f".{self.folder.name}.{suffix}")

    def _refuse_others(self) -> None:
        """Refuse to replace what no build has written."""
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise BuildError(f"{self.folder} is a file. Give --output a folder for the bundle.")
        others = sorted({path.name for path in self.folder.iterdir()} - _OWN_FILES)
        if others:
            raise BuildError(
                f"{self.folder} is not only a bundle: it holds {others[0]!r}, and would be "
                "replaced. Give --output a new folder."
            )


def link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file, which is read-only; a copy where the disk is another."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change names in one step; False where the system cannot.

    Linux's ``renameat2(2)`` with ``RENAME_EXCHANGE``, for which Python has no name.
    """
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if _LINUX else None
    if rename is None:
        return False
    names = (os.fsencode(one), os.fsencode(other))
    if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_SUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(other))


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _sync(path: Path) -> None:
    """Wait until a file or the entries of a folder are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
