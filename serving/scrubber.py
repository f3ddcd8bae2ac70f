"""The thread that checks what the start of a bundle has left out."""

from __future__ import annotations

import threading
from collections.abc import Callable

from models import machine
from models.bundle import Bundle
from models.damage import DamagedError

# Between a thousandth of a gigabyte and the next, so that searches hardly notice.
_PAUSE_SECONDS = 0.01


class Scrubber:
    """Checks a bundle's files, slowly.

    Args:
        bundle: whose they are.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        # Set once nobody wants to know any more.
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, damaged: Callable[[DamagedError], None]) -> None:
        """Begin, in a thread of its own.

        Args:
            damaged: is told where something is not what it must be.
        """

        def check() -> None:
            try:
                for _ in self._bundle.scrub():
                    if self._stopped.wait(_PAUSE_SECONDS):
                        return
            except DamagedError as error:
                damaged(error)
            # What a large image encoder has taken for its check.
            machine.give_back_memory()

        self._thread = threading.Thread(target=check, name="scrub", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End soon."""
        self._stopped.set()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join()
