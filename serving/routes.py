"""The HTTP API: each route reads a request, asks the engine, and writes the answer.

Documented in :mod:`serving.openapi`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from serving import metrics, originals
from serving.answer import BUNDLE_HEADER, facets, facts, results
from serving.archive import Archives
from serving.counting import count_matching
from serving.engine import Engine
from serving.errors import RequestError, speech_is_off, starting, unknown_image
from serving.exchange import Endpoint, Exchange, numbers, read
from serving.forms import uploaded
from serving.page import index_page
from serving.settings import Settings
from serving.state import State
from serving.tracing import TIMING
from serving.wire.requests import EncodeRequest, FacetsRequest, ImageSearchRequest, SearchRequest
from serving.wire.responses import Json, ReloadResponse

_FOREVER = "max-age=31536000, immutable"
_A_WHILE = "max-age=3600"
MAX_JSON = 4 << 20


class Routes:
    """Answers each route.

    Args:
        state: the engine in use.
        settings: time and size limits, the image folder.
        openapi: the document at ``/docs.json``.
        schema: what BentoML's own clients ask for, at ``/schema.json``; None for nothing there.
        reload: looks for another bundle.
    """

    def __init__(
        self,
        state: State,
        settings: Settings,
        openapi: dict[str, Any],
        schema: Callable[[], dict[str, Any]] | None,
        reload: Callable[[], Awaitable[ReloadResponse]],
    ) -> None:
        self._state = state
        self._settings = settings
        self._document = openapi
        self._openapi = to_json(openapi)
        self._schema = schema
        self._reload = reload
        self._exchange = Exchange(state, settings)
        self._archives = Archives(state, settings)
        # Whose key opens the service may keep an image; who lies between must not.
        self._scope = "private" if settings.keys else "public"

    def table(self) -> list[Route]:
        """All routes, those first that are asked for most."""
        post, get = ["POST"], ["GET"]
        return [
            Route(path, Endpoint(handler), methods=methods)
            for path, handler, methods in (
                ("/search", self.search, post),
                ("/images/{id}", self.image_by_id, get),
                ("/encode", self.encode, post),
                ("/images/{id}/facts", self.facts, get),
                ("/search_by_image", self.search_by_image, post),
                ("/facets", self.facets, get),
                ("/transcribe", self.transcribe, post),
                ("/image", self.image_by_path, get),
                ("/images.zip", self._archives.get, get),
                ("/info", self.info, get),
                ("/livez", self.livez, get),
                ("/readyz", self.readyz, get),
                ("/healthz", self.livez, get),
                ("/metrics", self.metrics, get),
                ("/reload", self.reload, post),
                ("/docs.json", self.documentation, get),
                ("/schema.json", self.schema, get),
                ("/", self.page, get),
            )
        ]

    async def search(self, request: Request) -> Response:
        """The images that a text describes."""
        with self._state.engine() as engine:
            engine.refuse_if_full()
            question = await read(request, SearchRequest)
            self._exchange.note(request, question.wording)
            found = await self._exchange.in_time(
                request, lambda ticket: engine.search(question, ticket)
            )
            request.scope["state"][TIMING] = found.timing
            return await results(found, engine)

    async def search_by_image(self, request: Request) -> Response:
        """The images that resemble an image."""
        async with uploaded(request, "image", self._settings.max_upload) as (image, fields):
            try:
                question = ImageSearchRequest.model_validate(fields)
            except ValidationError as error:
                raise RequestError.from_validation(error) from None
            self._exchange.note(request, question.wording)
            with self._state.engine() as engine:
                found = await self._exchange.in_time(
                    request, lambda ticket: engine.search_by_image(image, question, ticket)
                )
                request.scope["state"][TIMING] = found.timing
                return await results(found, engine)

    async def encode(self, request: Request) -> Response:
        """The vectors of some texts and images."""
        question = await read(request, EncodeRequest)
        with self._state.engine() as engine:
            vectors = await self._exchange.in_time(
                request, lambda ticket: engine.encode(question, ticket)
            )

            def answer() -> dict[str, Any]:
                return {
                    "embeddings": vectors.tolist(),
                    "dim": vectors.shape[1],
                    "model": engine.bundle.manifest.model.name,
                }

            return await numbers(engine, vectors.size, answer)

    async def facets(self, request: Request) -> Response:
        """How many images have which values."""
        asked: dict[str, object] = dict(request.query_params)
        if "fields" in asked:
            asked["fields"] = request.query_params.getlist("fields")
        try:
            question = FacetsRequest.model_validate(asked)
        except ValidationError as error:
            raise RequestError.from_validation(error) from None
        with self._state.engine() as engine:
            counted = await count_matching(engine.planner, engine.bundle.collection, question)
            return facets(counted, engine)

    async def transcribe(self, request: Request) -> Response:
        """The words of a recording."""
        if self._settings.speech_model is None:
            raise speech_is_off()
        transcriber = self._state.transcriber
        if transcriber is None:
            raise starting()
        async with uploaded(request, "audio", self._settings.max_upload) as (recording, fields):
            if fields:
                raise RequestError(400, f"{min(fields)}: no such field", min(fields))
            text = await self._exchange.in_time(
                request, lambda _: transcriber.transcribe(recording)
            )
        return Json(to_json({"text": text}))

    async def info(self, request: Request) -> Response:
        """What answers here."""
        with self._state.engine() as engine:
            facts = engine.bundle.manifest.public() | {
                "version": engine.version,
                "speech": self._settings.speech_model is not None,
            }
            return Json(to_json(facts), headers={BUNDLE_HEADER: engine.version})

    async def reload(self, request: Request) -> Response:
        """Change over to the bundle that is now where this one was."""
        if not self._settings.keys:
            raise RequestError(
                403, "only who has a key may ask for this: set SIGHTLINE_API_KEYS, or send SIGHUP"
            )
        return Json((await self._reload()).model_dump_json())

    async def livez(self, request: Request) -> Response:
        """The process is well."""
        return PlainTextResponse("\n")

    async def readyz(self, request: Request) -> Response:
        """Searches are answered."""
        if not self._state.ready:
            raise starting()
        return PlainTextResponse("\n")

    async def metrics(self, request: Request) -> Response:
        """Counters for Prometheus."""
        exposition = await asyncio.to_thread(self._state.metrics.exposition)
        return Response(exposition, media_type=metrics.CONTENT_TYPE)

    async def documentation(self, request: Request) -> Response:
        """This API in OpenAPI's words."""
        return Json(self._openapi)

    async def schema(self, request: Request) -> Response:
        """This API in BentoML's words."""
        if self._schema is None:
            raise HTTPException(404)
        return Json(to_json(self._schema()))

    async def page(self, request: Request) -> Response:
        """A page that says what is where."""
        # In a thread, since the template is compiled when it is first asked for.
        html = await asyncio.to_thread(index_page, self._document)
        return HTMLResponse(
            html, headers={"Content-Security-Policy": "default-src 'none'; style-src 'self'"}
        )

    async def image_by_id(self, request: Request) -> Response:
        """An image."""
        with self._state.engine() as engine:
            return await self._image(engine, request, request.path_params["id"])

    async def facts(self, request: Request) -> Response:
        """What is known of an image."""
        image_id = request.path_params["id"]
        with self._state.engine() as engine:
            item = await engine.planner.look_up(engine.bundle.collection.find, image_id)
            if item is None:
                raise unknown_image(image_id)
            return facts(item, engine)

    async def image_by_path(self, request: Request) -> Response:
        """An image, by where it lay when it was indexed."""
        path = request.query_params.get("path")
        if not path:
            raise RequestError(400, "path: which image? /image?path=…", "path")
        with self._state.engine() as engine:
            image_id = await engine.planner.look_up(engine.bundle.collection.id_of_path, path)
            if image_id is None:
                raise RequestError(404, "path: no image of the bundle has this path", "path")
            return await self._image(engine, request, image_id)

    async def _image(self, engine: Engine, request: Request, image_id: str) -> Response:
        """The original where it can be had, else the thumbnail that the bundle carries."""
        size = request.query_params.get("size")
        if size not in (None, "thumbnail"):
            raise RequestError(400, "size: 'thumbnail', or leave it out", "size")
        etag = f'"{image_id}-{engine.thumbnails}"'
        # The address that a search gives changes with the bundle, any other may not.
        lasting = request.query_params.get("v") == engine.thumbnails
        headers = {
            "Cache-Control": f"{self._scope}, {_FOREVER if size and lasting else _A_WHILE}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
        stored = await engine.planner.look_up(
            self._stored, engine, image_id, thumbnail=size is not None
        )
        if stored is None:
            raise unknown_image(image_id)
        if isinstance(stored, originals.Original):
            if stored.content is not None:
                return Response(stored.content, media_type=stored.media_type, headers=headers)
            return FileResponse(stored.path, media_type=stored.media_type, headers=headers)
        headers |= {"ETag": etag, "Date": formatdate(usegmt=True)}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(stored, media_type="image/webp", headers=headers)

    def _stored(
        self, engine: Engine, image_id: str, *, thumbnail: bool
    ) -> originals.Original | bytes | None:
        """The original where it is asked for and there, else the bundle's thumbnail."""
        item = engine.bundle.collection.find(image_id)
        if item is None:
            return None
        root = self._settings.images or engine.bundle.manifest.image_root
        if root is not None and not thumbnail:
            with_gps = self._settings.originals_with_gps
            found = originals.find(Path(root), item.image_path, with_gps=with_gps)
            if found is not None:
                return found
        return engine.bundle.thumbnail(item)
