"""The tars of a tree, whose files are read where they lie, as if each tar were a folder.

WebDataset, and img2dataset with it, keeps images so: ``00000.tar`` with ``000000000.jpg`` and,
beside it, ``000000000.txt`` and ``000000000.json``.  What lies where in a tar is written down in
the journal, since to find that out takes a read of all of it: one that has not changed is opened
for those of its images only that are not known.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from build.journal import Journal
from build.scan import Contents, ImageFile
from models.images import read_content

_BLOCK = 512  # bytes; of the format, POSIX.1-1988
_WORDS = (".txt", ".json")
# What is larger is no sidecar (build/captions.py).
_LARGEST_WORDS = 1 << 20

# Name to offset and size in bytes; None for what is no regular file.
_Spans = dict[str, tuple[int, int] | None]


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar: ``size`` bytes from ``offset``."""

    archive: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            OSError: the tar cannot be read.
        """
        with self.archive.open("rb") as stream:
            stream.seek(self.offset)
            return stream.read(self.size)


class Archives:
    """The tars that a scan has come by.

    Args:
        root: of the tree.
        journal: where the places of files are looked up and put, if there is one.
    """

    def __init__(self, root: Path, journal: Journal | None = None) -> None:
        self._root = root
        self._journal = journal
        self._folders: dict[Path, dict[str, Member]] = {}
        self._words: list[tuple[str, bytes]] = []

    def enter(self, archive: ImageFile, scanned_ns: int) -> Contents:
        """The files of a tar that a scan at ``scanned_ns`` found in this state."""
        damage = None
        known = None if self._journal is None else self._journal.archive(archive)
        if known is not None:
            spans, words = json.loads(known[0]), known[1]
        else:
            spans, words, damage = _read(self._root / archive.path)
            if damage is None and self._journal is not None:
                self._journal.put_archive(archive, json.dumps(spans), words, scanned_ns)
                self._journal.commit()
        self._words.append((archive.path, words))
        path = self._root / archive.path
        folders: dict[str, dict[str, Member]] = {}
        for name, span in spans.items():
            if span is not None:
                folder, _, last = name.rpartition("/")
                folders.setdefault(folder, {})[last] = Member(path, *span)
        self._folders |= {path / folder: members for folder, members in folders.items()}
        return Contents({name: span and span[1] for name, span in spans.items()}, damage)

    def find(self, path: Path) -> Member | None:
        """The file at a path that leads into a tar; None for any other."""
        return self._folders.get(path.parent, {}).get(path.name)

    def names(self, folder: Path) -> list[str]:
        """The files of a tar, or of a folder in it; nothing of any other folder."""
        return sorted(self._folders.get(folder, {}))

    def content(self, path: Path) -> bytes:
        """The bytes of an image, in a tar or not.

        Raises:
            ImageError: as :func:`models.images.read_content`.
        """
        member = self.find(path)
        if member is None:
            return read_content(path)
        return read_content(member.archive, member.offset, member.size)

    def words(self) -> Iterator[tuple[str, bytes]]:
        """The tars by path, and a checksum of what each has beside its images."""
        yield from sorted(self._words)


def _read(path: Path) -> tuple[_Spans, bytes, str | None]:
    """What lies where in a tar, a checksum of its words, and what is wrong with it, if so.

    Of two files of one name the last is meant; what leads out of the tar stays within.
    """
    spans: _Spans = {}
    words = hashlib.sha256()
    end: int | None = 0
    try:
        with path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                name = _within(member.name)
                if not member.isreg() or member.issparse():
                    if not member.isdir():
                        spans[name] = None
                    end = None if member.issparse() else member.offset_data
                    continue
                spans[name] = (member.offset_data, member.size)
                end = member.offset_data + member.size
                if name.lower().endswith(_WORDS):
                    words.update(f"{name}\0{member.size}\0".encode("utf-8", "surrogateescape"))
                    stream.seek(member.offset_data)
                    words.update(stream.read(min(member.size, _LARGEST_WORDS)))
            damage = None if end is None or _ends(stream, end) else "there is no end to it"
    except Exception as error:
        # Besides its own, tarfile raises ValueError and others at damaged headers.
        damage = str(error) or type(error).__name__
    return spans, words.digest(), damage


def _within(name: str) -> str:
    """A file's name as a path below its tar, to which no ``/`` or ``..`` leads out."""
    parts = name.partition("\0")[0].split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..")) or "_"


def _ends(stream: BinaryIO, end: int) -> bool:
    """Whether a tar ends, as it should, with zeros after its last file.

    What comes after a header that is damaged tarfile leaves out without a word.
    """
    stream.seek(-(-end // _BLOCK) * _BLOCK)
    return stream.read(_BLOCK) == bytes(_BLOCK)
