"""Several images as one ZIP, written while it is sent, so that memory does not grow with it.

Nothing is compressed: images are already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO, RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zipfile import ZipFile, ZipInfo

from models.items import Item
from serving import originals
from serving.entry_names import EntryNames

if TYPE_CHECKING:
    from typing_extensions import Buffer

_CHUNK = 256 << 10
# Above, an entry needs fields that older programs do not read.
_LARGE = 1 << 31
_READABLE = 0o644 << 16
_ABOUT = "_about this archive.txt"


@dataclass(frozen=True, slots=True)
class Images:
    """What goes into an archive, and where it is had from.

    Args:
        items: the images, each once.
        unknown: ids that were asked for and are no image's.
        root: where the originals lie, None for nowhere.
        thumbnail: an image's thumbnail as WebP, None where there is none.
        with_gps: whether originals may say where they were taken.
    """

    items: Sequence[Item]
    unknown: Sequence[str]
    root: Path | None
    thumbnail: Callable[[Item], bytes | None]
    with_gps: bool

    def size(self) -> int:
        """How many bytes the originals have together, as far as they are there."""
        total = 0
        for item in self.items:
            # With what is overwritten in place: as long, and nothing has to be looked for.
            found = self._original(item, with_gps=True)
            if found is not None:
                total += found.path.stat().st_size
        return total

    def as_zip(self) -> Generator[bytes, None, None]:
        """The bytes of the archive, piece by piece.

        What cannot be had as it is told of in a text file within.

        Raises:
            OSError: an original can be read no further.
        """
        sink, names = _Sink(), EntryNames()
        small: list[str] = []
        with ZipFile(sink, "w") as archive:
            for item in self.items:
                for _ in self._written(archive, item, names, small):
                    yield sink.taken()
            if small or self.unknown:
                about = _told(small, self.unknown).encode()
                archive.writestr(_entry(names.of(_ABOUT), len(about)), about)
        yield sink.taken()

    def _written(
        self, archive: ZipFile, item: Item, names: EntryNames, small: list[str]
    ) -> Iterator[None]:
        """Write one image, with a stop after every piece."""
        source = self._opened(item)
        if source is None:
            content = self.thumbnail(item)
            if content is None:
                small.append(f"nothing at all: {item.image_path}")
                return
            name = names.of(f"{item.image_path}.thumbnail.webp")
            archive.writestr(_entry(name, len(content)), content)
            small.append(f"only a thumbnail: {item.image_path}")
            yield
            return
        stream, size, changed = source
        entry = _entry(names.of(item.image_path), size, changed)
        with stream, archive.open(entry, "w", force_zip64=size >= _LARGE) as written:
            while piece := stream.read(_CHUNK):
                written.write(piece)
                yield

    def _opened(self, item: Item) -> tuple[BinaryIO, int, float] | None:
        """An original, its bytes and when it was changed, in seconds; None where it is not."""
        found = self._original(item, with_gps=self.with_gps)
        if found is None:
            return None
        try:
            about = found.path.stat()
            stream = found.path.open("rb") if found.content is None else BytesIO(found.content)
        except OSError:
            return None
        return stream, about.st_size, about.st_mtime

    def _original(self, item: Item, *, with_gps: bool) -> originals.Original | None:
        if self.root is None:
            return None
        return originals.find(self.root, item.image_path, with_gps=with_gps)


class _Sink(RawIOBase):
    """Takes what is written, until it is taken on; cannot be gone back in, as no socket can."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: Buffer) -> int:
        """Keep it."""
        self._pieces.append(bytes(piece))
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """What was written since this was called last."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _entry(name: str, size: int, changed: float | None = None) -> ZipInfo:
    info = ZipInfo(name)
    info.file_size = size
    info.external_attr = _READABLE
    if changed is not None:
        date = time.localtime(changed)[:6]
        # A ZIP knows no other years.
        if 1980 <= date[0] <= 2107:
            info.date_time = date
    return info


def _told(small: Sequence[str], unknown: Sequence[str]) -> str:
    """What whoever unpacks the archive has to know."""
    lines = [*small, *(f"no image has this id any more: {one}" for one in unknown)]
    return "Not everything could be put in here as it is:\n\n" + "\n".join(lines) + "\n"
