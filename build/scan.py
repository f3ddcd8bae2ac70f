"""The pictures of a folder tree.

>>> found = scan(Path("demo/gallery"))
>>> found.pictures[0].path, found.pictures[0].size
('animals/aquarium-fish.webp', 14320)
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from build.choice import Choice
from build.errors import BuildError
from models.formats import is_unread, suffixes
from models.manifest import Skipped

UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A file that should be a picture, and what tells one state of it from the next.

    ``path`` is relative to the root of the tree, with ``/``; ``size`` is bytes, the times
    are nanoseconds.  A modification time can be set back by whoever copies a file, the
    time of its last change of any kind cannot.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True)
class Scan:
    """The pictures of a tree in order of their paths, and what could not be looked at.

    ``whole`` is False where a folder could not be read; ``time_ns`` is when the scan began;
    ``unread`` counts, by suffix, the files that look like pictures or films and are not read.
    """

    pictures: list[PictureFile]
    skipped: list[Skipped]
    whole: bool
    time_ns: int
    unread: Counter[str] = field(default_factory=Counter)


@dataclass
class _Walk:
    root: Path
    choice: Choice
    seen: set[tuple[int, int]] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    pictures: list[PictureFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    whole: bool = True


def scan(root: Path, *, include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Scan:
    """Find the pictures under ``root`` by their suffixes, in upper or lower case.

    Hidden files and folders are left out, and what :class:`~build.choice.Choice` leaves out.
    Linked folders are followed, after all others, and no folder is entered twice: that cuts
    loops, and a picture that is reached on two ways has the path without a link.

    Raises:
        BuildError: ``root`` is no folder, or a pattern makes no sense.
    """
    _require_folder(root)
    started = time.time_ns()
    walk = _Walk(root, Choice(root, include=include, exclude=exclude))
    _enter("", walk)
    while walk.links:
        walk.links.sort(reverse=True)
        _enter(walk.links.pop(), walk)
    return Scan(
        sorted(walk.pictures, key=lambda picture: picture.path),
        sorted(walk.skipped, key=lambda skipped: skipped.path),
        walk.whole,
        started,
        walk.unread,
    )


def look_up(root: Path, paths: Sequence[str]) -> Scan:
    """The same as :func:`scan` for paths that are known; those without a file are left out.

    Raises:
        BuildError: ``root`` is no folder.
    """
    _require_folder(root)
    started = time.time_ns()
    pictures = []
    for path in paths:
        try:
            facts = (root / path).stat()
        except (OSError, ValueError):  # ValueError: NUL in the path
            continue
        if stat.S_ISREG(facts.st_mode):
            pictures.append(_picture_file(path, facts))
    return Scan(pictures, skipped=[], whole=False, time_ns=started)


def sample(pictures: Sequence[str], size: int, seed: int) -> list[str]:
    """``size`` of the pictures by lot, in their order.

    Each picture draws its own lot from the seed, so that a tree which grows keeps most of
    its sample.
    """

    def lot(path: str) -> bytes:
        return hashlib.sha256(f"{seed}/{path}".encode()).digest()

    chosen = set(sorted(pictures, key=lot)[:size])
    return [path for path in pictures if path in chosen]


def _require_folder(root: Path) -> None:
    if not root.is_dir():
        raise BuildError(f"{root} is no folder. Give --images the folder of the pictures.")


def _picture_file(path: str, facts: os.stat_result) -> PictureFile:
    return PictureFile(path, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def _enter(start: str, walk: _Walk) -> None:
    """Walk a folder and those in it, but for linked ones, which are put off."""
    folders = [start]
    while folders:
        folder = folders.pop()
        try:
            facts = (walk.root / folder).stat()
            if (facts.st_dev, facts.st_ino) in walk.seen:
                continue
            walk.seen.add((facts.st_dev, facts.st_ino))
            with os.scandir(walk.root / folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            _skip(f"{folder}/" if folder else "./", UNREADABLE, f"folder: {error.strerror}", walk)
            walk.whole = False
            continue
        for entry in found:
            if entry.name.startswith("."):
                continue
            path = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                if walk.choice.takes_folder(path):
                    (walk.links if entry.is_symlink() else folders).append(path)
                continue
            if not walk.choice.takes_picture(path):
                continue
            suffix = PurePosixPath(entry.name).suffix.lower()
            if suffix in suffixes():
                _add(path, entry, walk)
            elif is_unread(suffix):
                walk.unread[suffix] += 1


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself


def _add(path: str, entry: os.DirEntry[str], walk: _Walk) -> None:
    try:
        facts = entry.stat()
    except OSError as error:
        what = "link: " if entry.is_symlink() else ""
        _skip(path, UNREADABLE, f"{what}{error.strerror}", walk)
        return
    if not stat.S_ISREG(facts.st_mode):
        _skip(path, UNREADABLE, "no regular file", walk)
    elif not _is_text(path):
        _skip(path, "name is not UTF-8", "rename the file", walk)
    else:
        walk.pictures.append(_picture_file(path, facts))


def _is_text(path: str) -> bool:
    """Whether a path can be written as UTF-8, in JSON and in an address."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _skip(path: str, reason: str, detail: str, walk: _Walk) -> None:
    printable = os.fsencode(path).decode("utf-8", "backslashreplace")
    walk.skipped.append(Skipped(path=printable, reason=reason, detail=detail))
