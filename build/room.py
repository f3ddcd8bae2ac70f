"""Memory for images that are decoded at the same time, as much as the machine has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models import machine
from models.images import ImageError

# A control group counts everything: the program, the model, the journal, pages of files.
_SHARE = 0.5
# What decoding takes at the most, see models.images.Limits.
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

    @contextmanager
    def place(self, size: int) -> Iterator[Callable[[int], None]]:
        """Room for an image whose file has so many bytes, until the end of the block.

        Yields:
            what asks for so many pixels beside the file, in the place of those asked for before.

        Raises:
            ImageError: there is never so much room on this machine.
        """
        taken = 0

        def admit(pixels: int) -> None:
            nonlocal taken
            self._give_back(taken)
            taken = 0
            pixels += size // _BYTES_A_PIXEL
            if pixels > self.pixels:
                raise ImageError(
                    "too large",
                    f"{pixels / _MEGAPIXEL:.0f} megapixels, and this machine has memory for "
                    f"{self.pixels / _MEGAPIXEL:.0f}",
                    lasting=False,
                )
            self._take(pixels)
            taken = pixels

        try:
            admit(0)
            yield admit
        finally:
            self._give_back(taken)

    def _take(self, pixels: int) -> None:
        """Wait until so many pixels are free, and take them."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels

    def _give_back(self, pixels: int) -> None:
        with self._changed:
            self._free += pixels
            self._changed.notify_all()
