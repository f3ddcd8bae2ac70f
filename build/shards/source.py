"""Where images lie that become shards: a folder of this machine, or an address."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from build.archives import Archives
from build.caption import Caption
from build.captions import read_tables
from build.choice import IGNORE_FILE, Choice
from build.errors import BuildError
from build.made_of import TABLES, checksum, is_sidecar
from build.scan import UNREADABLE, ImageFile, Scan, scan
from build.shards.storage import MissingError, RemoteStorage, Storage
from models.formats import is_unread, suffixes
from models.images import MAX_BYTES, ImageError

# Paths beside images, and a checksum of what is there.
Beside = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Found:
    """The images of a source, and what tables at its root say of them, by path."""

    scan: Scan
    tables: Mapping[str, Caption]
    warnings: Sequence[str]


class FolderSource:
    """A folder, and the tars in it.

    Args:
        root: the folder, as every machine that embeds has it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.address = str(root.resolve())
        self.archives: Archives | None = Archives(root)

    def find(self, include: Sequence[str], exclude: Sequence[str]) -> Found:
        """All images.

        Raises:
            BuildError: there is no such folder, or a pattern makes no sense.
        """
        assert self.archives is not None
        found = scan(self._root, include=include, exclude=exclude, enter=self.archives.enter)
        paths = [file.path for file in found.images]
        return Found(found, *read_tables(self._root, paths))

    def content(self, file: ImageFile) -> bytes:
        """The bytes of an image.

        Raises:
            ImageError: it cannot be read.
        """
        assert self.archives is not None
        return self.archives.content(self._root / file.path)

    def beside(self, paths: Sequence[str]) -> Beside:
        """The files beside some images that may say something of them."""
        assert self.archives is not None
        found = [(path, words) for path, words in self.archives.words() if _in_tar(path, paths)]
        for folder, stems in _stems(paths).items():
            with contextlib.suppress(OSError), os.scandir(self._root / folder) as entries:
                names = [entry.name for entry in entries if _belongs(entry.name, stems)]
                found += [
                    (str(PurePosixPath(folder, name)), checksum(self._root / folder / name))
                    for name in sorted(names)
                ]
        return found

    @contextmanager
    def sidecars(self, beside: Beside) -> Iterator[Path]:
        """A folder with the files beside images, as they lie in the tree."""
        yield self._root


class RemoteSource:
    """What lies at an address; what is in tars there is not looked for.

    Args:
        address: as fsspec has it.

    Raises:
        BuildError: nobody knows such addresses.
    """

    archives: Archives | None = None

    def __init__(self, address: str) -> None:
        self._storage = RemoteStorage(address)
        self.address = self._storage.address
        # By folder, of what may say something of images.
        self._words: dict[str, list[tuple[str, bytes]]] = {}

    def __reduce__(self) -> tuple[type[RemoteSource], tuple[str]]:
        return RemoteSource, (self.address,)

    def find(self, include: Sequence[str], exclude: Sequence[str]) -> Found:
        """All images.

        Raises:
            BuildError: it cannot be listed, or a pattern makes no sense.
        """
        with tempfile.TemporaryDirectory() as place:
            root = Path(place)
            _copy(self._storage, (IGNORE_FILE, *TABLES), root)
            found = self._walk(Choice(root, include=include, exclude=exclude))
            return Found(found, *read_tables(root, [file.path for file in found.images]))

    def content(self, file: ImageFile) -> bytes:
        """The bytes of an image.

        Raises:
            ImageError: it is not there any more.
            BuildError: the storage does not answer.
        """
        if file.size > MAX_BYTES:
            raise ImageError("too large", f"the file has more than {MAX_BYTES >> 20} MB")
        try:
            return self._storage.read(file.path)
        except MissingError:
            raise ImageError(UNREADABLE, "it is not there any more", lasting=False) from None

    def beside(self, paths: Sequence[str]) -> Beside:
        """The files beside some images that may say something of them."""
        return [
            (path, state)
            for folder, stems in _stems(paths).items()
            for path, state in self._words.get(folder, ())
            if _belongs(path.rpartition("/")[2], stems)
        ]

    @contextmanager
    def sidecars(self, beside: Beside) -> Iterator[Path]:
        """A folder with the files beside images, as they lie in the tree."""
        with tempfile.TemporaryDirectory() as place:
            _copy(self._storage, [path for path, _ in beside], Path(place))
            yield Path(place)

    def _walk(self, choice: Choice) -> Scan:
        """Look through the folders, one after the other: a listing is ten times what is kept."""
        found = Scan([], [], whole=True, time_ns=0)
        folders = [""]
        while folders:
            folder = folders.pop()
            for name, facts in self._listed(folder):
                path = f"{folder}/{name}" if folder else name
                if name.startswith("."):
                    continue
                if facts["type"] == "directory":
                    if choice.takes_folder(path):
                        folders.append(path)
                else:
                    self._take(path, facts, choice, found)
        found.images.sort(key=lambda file: file.path)
        return found

    def _listed(self, folder: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The names in a folder, and what is known of each."""
        filesystem, path = self._storage.filesystem, self._storage.path(folder)
        try:
            entries = self._storage.tried(folder, lambda: filesystem.ls(path, detail=True))
        except MissingError:
            return
        filesystem.invalidate_cache(path)
        for facts in entries:
            name = str(facts["name"]).rstrip("/").rpartition("/")[2]
            yield name, facts

    def _take(self, path: str, facts: Mapping[str, Any], choice: Choice, found: Scan) -> None:
        if is_sidecar(path):
            beside = self._words.setdefault(str(PurePosixPath(path).parent), [])
            beside.append((path, _state(facts)))
        suffix = PurePosixPath(path).suffix.lower()
        if not choice.takes_image(path):
            return
        if suffix in suffixes():
            found.images.append(_image_file(path, facts))
        elif is_unread(suffix):
            found.unread[suffix] += 1


Source = FolderSource | RemoteSource


def _stems(paths: Sequence[str]) -> dict[str, set[str]]:
    """By folder, what sidecars of some images are called, but for their suffix."""
    stems: dict[str, set[str]] = {}
    for path in map(PurePosixPath, paths):
        stems.setdefault(str(path.parent), set()).update((path.stem, path.name))
    return stems


def _belongs(name: str, stems: set[str]) -> bool:
    return is_sidecar(name) and name.rpartition(".")[0] in stems


def _in_tar(archive: str, paths: Sequence[str]) -> bool:
    return any(path.startswith(f"{archive}/") for path in paths)


def _copy(storage: Storage, names: Sequence[str], root: Path) -> None:
    for name in names:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.write_bytes(storage.read(name))
        except MissingError:
            continue
        except OSError as error:
            raise BuildError(f"{target}: {error.strerror or error}.") from None


def _image_file(path: str, facts: Mapping[str, Any]) -> ImageFile:
    """A file and its state; for a time there is whatever tells one state from the next."""
    state = int.from_bytes(_state(facts)[:7])
    return ImageFile(path, int(facts["size"] or 0), state, state)


def _state(facts: Mapping[str, Any]) -> bytes:
    told = [facts.get(name) for name in ("e_tag", "ETag", "LastModified", "mtime", "created")]
    times = [str(each.timestamp()) if isinstance(each, datetime) else str(each) for each in told]
    return hashlib.sha256(" ".join([str(facts.get("size")), *times]).encode()).digest()
