"""Names for the files of an archive, which may be unpacked on any system.

An image's path is somebody else's text: it may lead out of the folder, or be no name at all where
the archive is unpacked.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import count
from pathlib import PurePosixPath

# What no name may have on Windows, and what nobody can see.
_UNUSABLE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\\u200e\u200f\u202a-\u202e\u2066-\u2069]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)", re.IGNORECASE)
# Of the 255 bytes that a name may have; the rest is for what makes it another's.
_MOST_BYTES = 200
# No suffix that anybody knows is longer.
_LONGEST_SUFFIX = 16


class EntryNames:
    """Gives each image a name of its own within one archive."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def of(self, image_path: str) -> str:
        """A relative path with ``/`` that no other image has, whatever their case.

        Args:
            image_path: where the image lay; its folders are kept.
        """
        parts = [part for part in image_path.replace("\\", "/").split("/") if part.strip(" .")]
        path = "/".join(map(_usable, parts)) or "image"
        if any(folder in self._files for folder in _folders(path)):
            # What would be its folder is a file.
            path = _usable(path.replace("/", "_"))
        suffix = _suffix(path)
        stem = path[: len(path) - len(suffix)]
        for number in count(2):
            if _key(path) not in self._files | self._folders:
                break
            path = f"{stem} ({number}){suffix}"
        self._files.add(_key(path))
        self._folders.update(_folders(path))
        return path


def _usable(part: str) -> str:
    """A part of a path as a name that every system takes."""
    # What was no text in a path has no way to be written in an archive.
    part = part.encode("utf-8", "replace").decode()
    part = _UNUSABLE.sub("_", unicodedata.normalize("NFC", part)).strip(" ").rstrip(" .")
    if _DEVICES.match(part):
        part = f"_{part}"
    if len(part.encode()) > _MOST_BYTES:
        suffix = _suffix(part)
        stem = part[: len(part) - len(suffix)].encode()[: _MOST_BYTES - len(suffix.encode())]
        part = stem.decode("utf-8", "ignore").rstrip(" .") + suffix
    return part


def _suffix(path: str) -> str:
    suffix = PurePosixPath(path).suffix
    return suffix if len(suffix) <= _LONGEST_SUFFIX else ""


def _folders(path: str) -> list[str]:
    return [_key(str(folder)) for folder in PurePosixPath(path).parents if folder.name]


def _key(path: str) -> str:
    """What is the same name where neither case nor the way of writing an accent counts."""
    return unicodedata.normalize("NFC", path.casefold())
