"""Another bundle in the place of the one in use, while requests go on.

It is opened, checked and warmed up beside the old one.  Whatever is wrong with it, the old one
stays.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

from models.bundle import Bundle
from models.file_names import MANIFEST
from serving.errors import RequestError
from serving.state import State
from serving.wire.responses import ReloadResponse

logger = logging.getLogger("sightline")

_LOOK_EVERY_SECONDS = 1.0


class Reloader:
    """Changes bundles, one at a time.

    ``tell_others`` reaches the other processes that serve the same port, where there are any.

    Args:
        state: which one is in use.
        use: warms a bundle up and puts it in use.
        open_bundle: opens the bundle that is now where the one in use came from; raises
            SystemExit, whose message says what is wrong with it.
    """

    def __init__(
        self,
        state: State,
        use: Callable[[Bundle], Awaitable[None]],
        open_bundle: Callable[[], Bundle] | None,
    ) -> None:
        self._state = state
        self._use = use
        self._open = open_bundle
        self.tell_others: Callable[[], None] = lambda: None
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def reload(self) -> ReloadResponse:
        """Open what is there now, and answer with it from now on.

        Raises:
            RequestError: 409, what is there cannot be used; the bundle in use stays.
        """
        if self._open is None:
            raise RequestError(409, "this service was given its bundle: it knows of no other")
        async with self._lock:
            started = time.perf_counter()
            before = self._state.version
            try:
                bundle = await asyncio.to_thread(self._open)
            except SystemExit as error:
                raise RequestError(409, f"not reloaded: {error} The bundle in use stays.") from None
            if bundle.manifest.version == before:
                bundle.close()
                return ReloadResponse(version=bundle.manifest.version, changed=False)
            await self._use(bundle)
            seconds = time.perf_counter() - started
            logger.info("bundle %s in place of %s, in %.1f s", self._state.version, before, seconds)
            return ReloadResponse(version=bundle.manifest.version, changed=True)

    async def reload_everywhere(self) -> ReloadResponse:
        """The same, and then the others.

        Raises:
            RequestError: 409, what is there cannot be used; the bundle in use stays everywhere.
        """
        response = await self.reload()
        self.tell_others()
        return response

    def reload_soon(self) -> None:
        """The same for who cannot wait; what comes of it is logged."""
        self._go(self._reload_and_log())

    def watch(self, folder: Path) -> None:
        """Reload whenever another bundle takes the folder's place, until :meth:`close`."""
        self._go(self._watch(folder / MANIFEST))

    def close(self) -> None:
        """Reload no longer."""
        for task in self._tasks:
            task.cancel()

    def _go(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload_and_log(self) -> None:
        try:
            await self.reload()
        except RequestError as error:
            logger.error("%s", error)

    async def _watch(self, manifest: Path) -> None:
        seen = await asyncio.to_thread(_identity, manifest)
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            found = await asyncio.to_thread(_identity, manifest)
            if found is not None and found != seen:
                seen = found
                await self._reload_and_log()


def _identity(path: Path) -> tuple[int, int, int] | None:
    """What changes when another file takes a file's place; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
