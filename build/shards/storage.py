"""A folder in which files appear whole: on this machine's disks, or at an address.

Addresses are those of fsspec (``s3://bucket/photos``, ``gs://…``, ``sftp://…``); s3 and gs are
obstore's, as where a service fetches its bundle.  Credentials come from where each storage's own
client looks for them.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from build.errors import BuildError
from models.installation import extra

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_FILE = "file://"
# In these an object is there when all of it is; elsewhere a name is given at the end.
_WHOLE_OBJECTS = ("s3", "gs", "az", "abfs", "memory")
_BY_OBSTORE = ("s3", "gs")
# Seconds between tries of what a network has failed at.
_AGAIN = (1.0, 5.0, 20.0)
# obstore's own names of what no second try mends.
_REFUSED = ("PermissionDeniedError", "UnauthenticatedError")
_PART = ".part"

_T = TypeVar("_T")


class MissingError(Exception):
    """There is no such file."""


def is_address(place: str) -> bool:
    """Whether a place is one that fsspec is asked for, and no folder of this machine."""
    return bool(_ADDRESS.match(place)) and not place.startswith(_FILE)


def plain(place: str) -> str:
    """A folder of this machine by its path, where it is given as ``file://…``."""
    return place.removeprefix(_FILE)


def storage_at(place: str) -> Storage:
    """The storage at an address, or in a folder."""
    return RemoteStorage(place) if is_address(place) else Storage(plain(place))


class Storage:
    """A folder of this machine.

    Names are relative to it, with ``/``.

    Args:
        place: the folder; it is made when something is written.
    """

    def __init__(self, place: str) -> None:
        self.address = place
        self.folder = Path(place)

    def read(self, name: str) -> bytes:
        """All of a file.

        Raises:
            MissingError: it is not there.
            BuildError: it cannot be read.
        """
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise MissingError(name) from None
        except OSError as error:
            raise self._failure(name, error) from None

    def open(self, name: str) -> BinaryIO:
        """A file, to be read at any place.

        Raises:
            BuildError: it cannot be read, or is not there.
        """
        try:
            return (self.folder / name).open("rb")
        except OSError as error:
            raise self._failure(name, error) from None

    def size(self, name: str) -> int | None:
        """The bytes of a file, None where it is not there."""
        try:
            return (self.folder / name).stat().st_size
        except OSError:
            return None

    def put(self, file: Path, name: str) -> None:
        """Move a file of the workplace there: under its name it is whole.

        Raises:
            BuildError: it cannot be written.
        """
        target = self.folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
            file.replace(target)
        except OSError as error:
            raise self._failure(name, error) from None

    def write(self, name: str, content: bytes) -> None:
        """Write a file: under its name it is whole.

        Raises:
            BuildError: it cannot be written.
        """
        part = self.part(name)
        try:
            part.write_bytes(content)
        except OSError as error:
            raise self._failure(name, error) from None
        self.put(part, name)

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        with contextlib.suppress(OSError):
            (self.folder / name).unlink()

    def names(self) -> list[str]:
        """The files in the folder itself."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())

    def part(self, name: str) -> Path:
        """A file of this machine in which one is made that is put here later.

        Raises:
            BuildError: there is no place for it.
        """
        place = self.workplace()
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failure("", error) from None
        return place / f".{Path(name).name}.{os.getpid()}{_PART}"

    def workplace(self) -> Path:
        """The folder for such files, on the same disk."""
        return self.folder

    def tidy(self) -> None:
        """Take away what runs have left that were killed."""
        for name in self.names():
            if name.startswith(".") and name.endswith(_PART):
                self.remove(name)

    def _failure(self, name: str, error: OSError) -> BuildError:
        return BuildError(f"{self.folder / name}: {error.strerror or error}.")


class RemoteStorage(Storage):
    """A folder at an address; what fails for the network's sake is tried again.

    Raises:
        BuildError: nobody knows such addresses.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address.rstrip("/"))
        self.address = address.rstrip("/")
        self.filesystem, self.root = _open(self.address)

    def __reduce__(self) -> tuple[type[RemoteStorage], tuple[str]]:
        # A client's connections stay where they are.
        return RemoteStorage, (self.address,)

    def read(self, name: str) -> bytes:
        """All of a file."""

        content: bytes = self.tried(name, lambda: self.filesystem.cat_file(self.path(name)))
        return content

    def open(self, name: str) -> BinaryIO:
        """A file, to be read at any place."""

        def opened() -> BinaryIO:
            # obstore stumbles over itself where a file that is not there is opened.
            self.filesystem.info(self.path(name))
            stream: BinaryIO = self.filesystem.open(self.path(name), "rb")
            return stream

        try:
            return self.tried(name, opened)
        except MissingError:
            raise BuildError(f"{self.address}/{name}: there is no such file.") from None

    def size(self, name: str) -> int | None:
        """The bytes of a file, None where it is not there."""
        try:
            return int(self.tried(name, lambda: self.filesystem.info(self.path(name)))["size"])
        except MissingError:
            return None

    def put(self, file: Path, name: str) -> None:
        """Move a file of this machine there: under its name it is whole."""

        def put() -> None:
            if self._writes_whole:
                self.filesystem.put_file(str(file), self.path(name))
                return
            folder = self.path(name).rpartition("/")[0]
            part = f"{folder}/{file.name}"
            self.filesystem.makedirs(folder, exist_ok=True)
            self.filesystem.put_file(str(file), part)
            self.filesystem.mv(part, self.path(name))

        self.tried(name, put)
        file.unlink()

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        with contextlib.suppress(MissingError):
            self.tried(name, lambda: self.filesystem.rm_file(self.path(name)))

    def names(self) -> list[str]:
        """The files in the folder itself."""
        try:
            found = self.tried("", lambda: self.filesystem.ls(self.root, detail=False))
        except MissingError:
            return []
        return sorted(str(each).rpartition("/")[2] for each in found)

    def workplace(self) -> Path:
        """The folder of this machine's temporary files."""
        return Path(tempfile.gettempdir())

    def path(self, name: str) -> str:
        """What the file system calls a file."""
        return f"{self.root}/{name}" if name else self.root

    def tried(self, name: str, action: Callable[[], _T]) -> _T:
        """Do something, again where it fails for a reason that may pass.

        Raises:
            MissingError: there is no such file.
            BuildError: it fails every time.
        """
        for pause in (*_AGAIN, None):
            try:
                return action()
            except FileNotFoundError:
                raise MissingError(name) from None
            # Every storage's client raises errors of its own.
            except Exception as error:
                refused = isinstance(error, PermissionError | ValueError)
                if pause is None or refused or type(error).__name__ in _REFUSED:
                    told = " ".join(str(error).split())
                    raise BuildError(
                        f"{self.address}/{name}: {type(error).__name__}: {told}. Check "
                        "the address, the credentials and the network; the same command goes on."
                    ) from None
                time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    @cached_property
    def _writes_whole(self) -> bool:
        return self.address.partition("://")[0] in _WHOLE_OBJECTS


def _open(address: str) -> tuple[Any, str]:
    protocol = address.partition("://")[0]
    try:
        if protocol in _BY_OBSTORE:
            from obstore.fsspec import register

            register(protocol)
        from fsspec.core import url_to_fs

        filesystem, root = url_to_fs(address)
    except ImportError as error:
        raise BuildError(
            f"{address} needs packages that are not here ({error}): install them with "
            f"{extra('remote')}"
        ) from None
    except ValueError as error:
        raise BuildError(f"{address} is no address of a storage: {error}.") from None
    return filesystem, str(root).rstrip("/")
