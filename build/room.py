"""Memory for pictures that are decoded at the same time, as much as the machine has."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from models import machine
from models.pictures import PictureError

# A control group counts everything: the program, the model, the journal, pages of files.
_SHARE = 0.5
# What decoding takes at the most, see models.pictures.Limits.
_BYTES_A_PIXEL = 10
_MEGAPIXEL = 1_000_000


class Room:
    """So many pixels may be decoded at once; who needs more waits for others to leave.

    Args:
        pixels: how many; by default as many as there is memory for.
    """

    def __init__(self, pixels: int | None = None) -> None:
        if pixels is None:
            pixels = int(machine.memory() * _SHARE / _BYTES_A_PIXEL)
        self.pixels = pixels
        self._free = pixels
        self._changed = threading.Condition()

    def place(self, size: int) -> Place:
        """A place for a picture whose file has so many bytes."""
        return Place(self, size // _BYTES_A_PIXEL)

    def take(self, pixels: int) -> None:
        """Wait until so many pixels are free, and take them."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels

    def give_back(self, pixels: int) -> None:
        """Let others have so many pixels."""
        with self._changed:
            self._free += pixels
            self._changed.notify_all()


class Place:
    """What one picture takes of a :class:`Room` until the end of a block."""

    def __init__(self, room: Room, for_the_file: int) -> None:
        self._room = room
        self._for_the_file = for_the_file
        self._taken = 0

    def __enter__(self) -> Self:
        self.admit(0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    def admit(self, pixels: int) -> None:
        """Have room for the file and so many pixels, and for no others any more.

        Raises:
            PictureError: there is never so much room on this machine.
        """
        self._leave()
        pixels += self._for_the_file
        if pixels > self._room.pixels:
            raise PictureError(
                "too large",
                f"{pixels / _MEGAPIXEL:.0f} megapixels, and this machine has memory for "
                f"{self._room.pixels / _MEGAPIXEL:.0f}",
                lasting=False,
            )
        self._room.take(pixels)
        self._taken = pixels

    def _leave(self) -> None:
        self._room.give_back(self._taken)
        self._taken = 0
