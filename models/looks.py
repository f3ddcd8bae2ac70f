"""How each image of a bundle looks from afar: 36 coarse colours, by which copies are known.

An embedding says what an image shows, so that two photographs of one tower may lie nearer to
each other than an image and a cutting of it.  Its colours seen from afar say little of what it
shows, but hardly change when it is resized, recompressed or trimmed at an edge.  Both together
tell copies from likes (:mod:`models.folding`).

``looks.bin`` has 112 bytes for each image, in order of position: a look (:func:`look_of`; zeros
where there is no image) and the CRC-32 of it.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.folder import Folder
from models.manifest import LOOKS, DamagedError
from models.modes import on_white

# Of 4 to 8 the one that tells best (benchmarks/folding.py), with overlapping cells.
_SIDE = 6
_CELLS = _SIDE * _SIDE
_CHANNELS = 3
WIDTH = _CELLS * _CHANNELS
_NONE = bytes(WIDTH)
# How much more a difference in colour counts than one in brightness.
_COLOUR = 1.5
_FACTORS = np.tile(np.array([1, _COLOUR, _COLOUR], dtype=np.float32), _CELLS)
_OFFSETS = np.tile(np.array([0, 128, 128], dtype=np.float32), _CELLS)
# What differs less, by two levels of brightness in each cell, is one colour all over: how it
# differs is chance, and says nothing.
_PLAIN = 12.0
# An image is reduced to this many times the size that is wanted before it is filtered.
_REDUCING_GAP = 3.0
_ROW = np.dtype([("look", "u1", WIDTH), ("checksum", "<u4")])


def look_of(image: Image.Image) -> bytes:
    """The look of a decoded image: brightness and two of colour (YCbCr) in 6 by 6 cells.

    Returns:
        108 bytes, row by row, never all zero.
    """
    size = (_SIDE, _SIDE)
    # A strip of one pixel cannot be reduced first.
    gap = _REDUCING_GAP if min(image.size) >= _SIDE else None
    small = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=gap)
    return on_white(small).convert("YCbCr").tobytes()


def unit_looks(looks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Looks as vectors whose inner product is a cosine.

    Args:
        looks: uint8 ``[n, 108]``.

    Returns:
        float32 ``[n, 108]``: the brightness without its mean and the colours, of length one; zeros
        where there is no image, or one of a single colour.
    """
    vectors = looks.astype(np.float32)
    vectors -= _OFFSETS
    vectors *= _FACTORS
    brightness = vectors[:, ::_CHANNELS]
    brightness -= brightness.mean(axis=1, keepdims=True)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    # No colour has neither blue nor red difference: where both are 0 there is no image.
    known = (lengths >= _PLAIN) & ((looks[:, 1] != 0) | (looks[:, 2] != 0))
    vectors *= (known / np.maximum(lengths, _PLAIN)).astype(np.float32)[:, np.newaxis]
    return vectors


def write_looks(path: Path, looks: Iterable[bytes | None]) -> bool:
    """Write a file of looks in order of position; None where there is no image.

    Returns:
        Whether there is any look; where there is none, there is no file either.
    """
    seen = False
    with path.open("wb") as stream:
        for look in looks:
            seen = seen or look is not None
            row = look or _NONE
            stream.write(row + zlib.crc32(row).to_bytes(4, "little"))
    if not seen:
        path.unlink()
    return seen


def change_looks(
    path: Path,
    before: bytes,
    now_at: NDArray[np.int64],
    new: NDArray[np.int64],
    looks: Sequence[bytes | None],
) -> bool:
    """Write a file of looks that differs little from another.

    Args:
        path: the file.
        before: the content of the other; empty where there is none.
        now_at: where the image of each position is now, int64 ``[n]``; -1: gone.
        new: the positions of those that have come, int64 ``[m]``.
        looks: theirs; None where there is no image.

    Returns:
        Whether there is any look; where there is none, there is no file either.
    """
    stays = now_at >= 0
    nothing = np.array([(np.frombuffer(_NONE, "u1"), zlib.crc32(_NONE))], dtype=_ROW)
    rows = np.repeat(nothing, int(stays.sum()) + len(new))
    if before:
        rows[now_at[stays]] = np.frombuffer(before, dtype=_ROW)[stays]
    for position, look in zip(new.tolist(), looks, strict=True):
        if look is not None:
            rows[position] = (np.frombuffer(look, "u1"), zlib.crc32(look))
    if not rows["look"].any():
        return False
    rows.tofile(path)
    return True


class LookStore:
    """Reads looks; safe from several threads.

    Args:
        content: of the file, in memory or mapped.
        path: where it lies, for messages.

    Raises:
        DamagedError: it is no file of looks.
    """

    def __init__(self, content: bytes | mmap.mmap, path: Path) -> None:
        if len(content) % _ROW.itemsize:
            raise DamagedError(f"{path} is no file of looks. Build it again.")
        self._rows = np.frombuffer(content, _ROW)
        self._path = path
        self._unchecked = np.ones(len(self._rows), dtype=np.bool_)

    @classmethod
    def load(cls, folder: Folder) -> LookStore:
        """Take the looks of a bundle into memory where they are few, else map them.

        Raises:
            DamagedError: the file is damaged.
        """
        path = folder.path / LOOKS
        if not folder.in_memory(LOOKS):
            return cls(folder.map(LOOKS), path)
        content = folder.read(LOOKS)
        folder.confirm(LOOKS, content)
        return cls(content, path)

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """The looks at some positions as :func:`unit_looks` has them, float32 ``[n, 108]``.

        Raises:
            DamagedError: one is not as it was written.
        """
        rows = self._rows[positions]
        for place in np.flatnonzero(self._unchecked[positions]).tolist():
            if zlib.crc32(rows["look"][place].tobytes()) != rows["checksum"][place]:
                raise DamagedError(
                    f"{self._path} is damaged: the look at {positions[place]}. Build it again."
                )
        self._unchecked[positions] = False
        return unit_looks(rows["look"])

    def look(self, position: int) -> bytes | None:
        """The look of one image as it was written, None where there is no image.

        Raises:
            DamagedError: it is damaged.
        """
        self.get(np.array([position]))
        look: bytes = self._rows["look"][position].tobytes()
        return None if look == _NONE else look

    def trust(self) -> None:
        """Check rows no more: somebody has hashed the whole file."""
        self._unchecked[:] = False
