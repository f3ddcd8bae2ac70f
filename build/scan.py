"""The images of a folder tree.

>>> found = scan(Path("demo/gallery"))
>>> found.images[0].path, found.images[0].size
('animals/aquarium-fish.webp', 14320)
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from build.choice import Choice
from build.errors import BuildError
from models.formats import is_unread, suffixes
from models.manifest import Skipped

UNREADABLE = "unreadable"
ARCHIVE = ".tar"


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file that should be an image, and what tells one state of it from the next.

    ``path`` is relative to the root of the tree, with ``/``; ``size`` is bytes, the times
    are nanoseconds.  A modification time can be set back by whoever copies a file, the
    time of its last change of any kind cannot.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True)
class Contents:
    """What a tar holds: the size of each file in bytes, None for what is no regular file.

    ``damage`` says what is wrong with it where that may not be all.
    """

    files: Mapping[str, int | None]
    damage: str | None = None


# What tells of a tar, as a scan that began at a time in nanoseconds found it, what it holds.
Enter = Callable[[ImageFile, int], Contents]


@dataclass(frozen=True)
class Scan:
    """The images of a tree in order of their paths, and what could not be looked at.

    ``whole`` is False where a folder or tar could not be read; ``time_ns`` is when the scan began;
    ``unread`` counts, by suffix, the files that look like images or films and are not read.
    """

    images: list[ImageFile]
    skipped: list[Skipped]
    whole: bool
    time_ns: int
    unread: Counter[str] = field(default_factory=Counter)


@dataclass
class _Walk:
    root: Path
    choice: Choice
    enter: Enter | None
    time_ns: int
    seen: set[tuple[int, int]] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    images: list[ImageFile] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    whole: bool = True


def scan(
    root: Path,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    enter: Enter | None = None,
) -> Scan:
    """Find the images under ``root`` by their suffixes, in upper or lower case.

    Hidden files and folders are left out, and what :class:`~build.choice.Choice` leaves out.
    Linked folders are followed, after all others, and no folder is entered twice: that cuts
    loops, and an image that is reached on two ways has the path without a link.  With ``enter``
    tars are folders, too: an image in one is at ``00000.tar/000000000.jpg``, and changes when the
    tar does.

    Raises:
        BuildError: ``root`` is no folder, or a pattern makes no sense.
    """
    _require_folder(root)
    started = time.time_ns()
    walk = _Walk(root, Choice(root, include=include, exclude=exclude), enter, started)
    _enter("", walk)
    while walk.links:
        walk.links.sort(reverse=True)
        _enter(walk.links.pop(), walk)
    return Scan(
        sorted(walk.images, key=lambda image: image.path),
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
    images = []
    for path in paths:
        try:
            facts = (root / path).stat()
        except (OSError, ValueError):  # ValueError: NUL in the path
            continue
        if stat.S_ISREG(facts.st_mode):
            images.append(_image_file(path, facts))
    return Scan(images, skipped=[], whole=False, time_ns=started)


def sample(images: Sequence[str], size: int, seed: int) -> list[str]:
    """``size`` of the images at random, in their order.

    Each image draws its own number from the seed, so that a tree which grows keeps most of
    its sample.
    """

    def drawn(path: str) -> bytes:
        return hashlib.sha256(f"{seed}/{path}".encode()).digest()

    chosen = set(sorted(images, key=drawn)[:size])
    return [path for path in images if path in chosen]


def _require_folder(root: Path) -> None:
    if not root.is_dir():
        raise BuildError(f"{root} is no folder. Give --images the folder of the images.")


def _image_file(path: str, facts: os.stat_result) -> ImageFile:
    return ImageFile(path, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


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
            if walk.enter is not None and entry.name.lower().endswith(ARCHIVE):
                if walk.choice.takes_folder(path) and (archive := _look_at(path, entry, walk)):
                    _enter_archive(archive, walk.enter, walk)
            elif _is_wanted(path, walk) and (image := _look_at(path, entry, walk)):
                walk.images.append(image)


def _enter_archive(archive: ImageFile, enter: Enter, walk: _Walk) -> None:
    contents = enter(archive, walk.time_ns)
    if contents.damage is not None:
        _skip(archive.path, UNREADABLE, f"tar: {contents.damage}", walk)
        walk.whole = False
    taken = {archive.path: True}
    for name, size in contents.files.items():
        path = f"{archive.path}/{name}"
        folder = path.rpartition("/")[0]
        if folder not in taken:
            taken[folder] = _takes_folders(folder, len(archive.path), walk.choice)
        if not taken[folder] or _is_hidden(path) or not _is_wanted(path, walk):
            continue
        if size is None:
            _skip(path, UNREADABLE, "no regular file", walk)
        elif not _is_text(path):
            _skip(path, "name is not UTF-8", "rename the file", walk)
        else:
            state = ImageFile(path, size, archive.mtime_ns, archive.ctime_ns)
            walk.images.append(state)


def _takes_folders(folder: str, outer: int, choice: Choice) -> bool:
    """Whether a folder in a tar is entered, and all above it up to the tar's own path."""
    while len(folder) > outer:
        if _is_hidden(folder) or not choice.takes_folder(folder):
            return False
        folder = folder.rpartition("/")[0]
    return True


def _is_hidden(path: str) -> bool:
    return path.rpartition("/")[2].startswith(".")


def _is_wanted(path: str, walk: _Walk) -> bool:
    """Whether a file is an image to be read; those that cannot be are counted."""
    if not walk.choice.takes_image(path):
        return False
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in suffixes():
        return True
    if is_unread(suffix):
        walk.unread[suffix] += 1
    return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself


def _look_at(path: str, entry: os.DirEntry[str], walk: _Walk) -> ImageFile | None:
    """The state of a file, None where it is to be skipped."""
    try:
        facts = entry.stat()
    except OSError as error:
        what = "link: " if entry.is_symlink() else ""
        _skip(path, UNREADABLE, f"{what}{error.strerror}", walk)
        return None
    if not stat.S_ISREG(facts.st_mode):
        _skip(path, UNREADABLE, "no regular file", walk)
    elif not _is_text(path):
        _skip(path, "name is not UTF-8", "rename the file", walk)
    else:
        return _image_file(path, facts)
    return None


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
