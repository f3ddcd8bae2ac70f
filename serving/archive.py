"""``GET /images.zip``: several images in one file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path

from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from models.bundle import Bundle
from serving.asgi import has_left
from serving.errors import RequestError, overloaded
from serving.settings import Settings
from serving.state import State
from serving.wire.fields import MAX_ARCHIVED
from serving.zipped import Images

# So many at once, per worker: each reads a disk for as long as its caller takes.
_MOST_UNDER_WAY = 4


class Archives:
    """Answers the route.

    Args:
        state: the engine in use.
        settings: where originals lie, what may leave with them, how much at once.
    """

    def __init__(self, state: State, settings: Settings) -> None:
        self._state = state
        self._settings = settings
        self._under_way = 0

    async def get(self, request: Request) -> Response:
        """Some images, by their ids.

        Raises:
            RequestError: 400, too many or too much; 404, none of them is there; 429, too many
                archives under way.
        """
        given = request.query_params.get("ids", "").split(",")
        ids = list(dict.fromkeys(filter(None, given)))
        if not ids:
            raise RequestError(400, "ids: which images? /images.zip?ids=ID,ID,…", "ids")
        if len(ids) > MAX_ARCHIVED:
            raise RequestError(
                400, f"ids: at most {MAX_ARCHIVED} images at once, got {len(ids)}", "ids"
            )
        with ExitStack() as held:
            held.enter_context(self._room())
            engine = held.enter_context(self._state.engine())
            images = await asyncio.to_thread(self._looked_up, engine.bundle, ids)
            return _Archive(images, held.pop_all())

    @contextmanager
    def _room(self) -> Iterator[None]:
        if self._under_way >= _MOST_UNDER_WAY:
            raise overloaded("archives")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def _looked_up(self, bundle: Bundle, ids: list[str]) -> Images:
        found = {one: bundle.collection.find(one) for one in ids}
        root = self._settings.images or bundle.manifest.image_root
        images = Images(
            items=[item for item in found.values() if item is not None],
            unknown=[one for one, item in found.items() if item is None],
            root=None if root is None else Path(root),
            thumbnail=bundle.thumbnail,
            with_gps=self._settings.originals_with_gps,
        )
        if not images.items:
            raise RequestError(404, "ids: no image has any of these ids", "ids")
        if (size := images.size()) > self._settings.max_archive:
            raise RequestError(
                400,
                f"ids: these images have {size / (1 << 20):.1f} MB, and at most "
                f"{self._settings.max_archive_mb:g} MB are sent at once: ask for fewer",
                "ids",
            )
        return images


class _Archive(Response):
    """Sends an archive.

    Args:
        images: what goes into it.
        held: what has to stay open until it is sent.
    """

    def __init__(self, images: Images, held: AbstractContextManager[object]) -> None:
        self._images = images
        self._held = held
        self.status_code = 200
        self.background = None
        self.init_headers(
            {
                "Content-Type": "application/zip",
                "Content-Disposition": 'attachment; filename="pictures.zip"',
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, unless the caller leaves."""
        pieces = self._images.as_zip()
        # Files are closed before what they lie in.
        with self._held, closing(pieces):
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] == "GET":
                async for piece in iterate_in_threadpool(pieces):
                    if has_left(receive):
                        return
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body"})
