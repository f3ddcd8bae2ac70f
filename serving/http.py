"""The HTTP API, answered before BentoML's own routing.

BentoML's endpoint machinery costs about a millisecond a request, and every request
leaves objects behind for as long as its time-out timer runs.  Routes that are ours
are therefore answered here, in the first middleware that BentoML lets a service add;
everything else (probes, ``/docs.json``, ``/schema.json``) goes on to BentoML.
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import ValidationError
from pydantic_core import to_json
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from models.schemas import DEFAULT_K, EncodeRequest, ErrorDetail, ErrorResponse, SearchRequest
from serving import metrics
from serving.errors import RequestError, speech_is_off
from serving.settings import Settings

if TYPE_CHECKING:
    from models.bundle import Bundle
    from serving.engine import Engine, Found, Hit, Timing
    from serving.speech import Transcriber

logger = logging.getLogger("sightline")

_PROBES = frozenset({"/livez", "/readyz", "/healthz"})
_MAX_JSON = 4 << 20
_DECIMALS = 6
_FOREVER = "public, max-age=31536000, immutable"
_A_WHILE = "public, max-age=3600"

Handler = Callable[[Request], Awaitable[Response]]


class ServiceState:
    """What the service that BentoML makes, the front and the server know of each other.

    ``engine`` is there once the service is ready, ``transcriber`` where it hears speech;
    ``bundle`` before them, where it was opened while BentoML was still being imported;
    ``leaving`` is true once the service was told to stop and still answers.
    """

    bundle: Bundle | None = None
    engine: Engine | None = None
    leaving: bool = False
    transcriber: Transcriber | None = None


class Json(Response):
    """A body that pydantic has serialised."""

    media_type = "application/json"


class Front:
    """Answers Sightline's routes and hands everything else on.

    Args:
        app: BentoML's application.
        state: holds the engine as soon as it is ready.
        settings: key, picture folder and upload limit.
    """

    def __init__(self, app: ASGIApp, state: ServiceState, settings: Settings) -> None:
        self._app = app
        self._state = state
        self._settings = settings
        self._key = (
            f"Bearer {settings.api_key.get_secret_value()}".encode() if settings.api_key else None
        )
        self._routes: Mapping[str, tuple[frozenset[str], Handler]] = {
            "/search": (frozenset({"POST"}), self._search),
            "/search_by_image": (frozenset({"POST"}), self._search_by_image),
            "/encode": (frozenset({"POST"}), self._encode),
            "/transcribe": (frozenset({"POST"}), self._transcribe),
            "/images/{id}": (frozenset({"GET", "HEAD"}), self._image),
            "/image": (frozenset({"GET", "HEAD"}), self._image_by_path),
            "/info": (frozenset({"GET", "HEAD"}), self._info),
            "/metrics": (frozenset({"GET", "HEAD"}), self._metrics),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        path: str = scope["path"]
        endpoint = "/images/{id}" if path.startswith("/images/") else path
        route = self._routes.get(endpoint)
        request = Request(scope, receive, send)
        try:
            if path not in _PROBES:
                self._authorise(request)
            if route is None:
                await self._app(scope, receive, send)
                return
            methods, handler = route
            if scope["method"] not in methods:
                allowed = ", ".join(sorted(methods))
                raise RequestError(
                    405, f"{path} answers {allowed} only", headers={"Allow": allowed}
                )
            response = await handler(request)
        except RequestError as error:
            response = _failure(error)
        except ClientDisconnect:
            return
        except Exception:
            logger.exception("%s %s failed", scope["method"], path)
            response = _failure(RequestError(500, "the service failed; its log says why"))
        if self._state.leaving:
            response.headers["Connection"] = "close"
        await response(scope, receive, send)
        if route is not None:
            metrics.REQUESTS.labels(endpoint, response.status_code).inc()
            metrics.DURATION.labels(endpoint).observe(time.perf_counter() - started)

    @property
    def _engine(self) -> Engine:
        if self._state.engine is None:
            raise _starting()
        return self._state.engine

    @property
    def _transcriber(self) -> Transcriber:
        if self._settings.speech_model is None:
            raise speech_is_off()
        if self._state.transcriber is None:
            raise _starting()
        return self._state.transcriber

    def _authorise(self, request: Request) -> None:
        if self._key is None:
            return
        given = request.headers.get("authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._key):
            raise RequestError(
                401,
                "this service asks for the header 'Authorization: Bearer KEY'",
                headers={"WWW-Authenticate": "Bearer"},
            )

    async def _search(self, request: Request) -> Response:
        body = await _body(request, _MAX_JSON)
        try:
            question = SearchRequest.model_validate_json(body)
        except ValidationError as error:
            raise RequestError.from_validation(error) from None
        return self._results(await self._engine.search(question))

    async def _search_by_image(self, request: Request) -> Response:
        content, fields = await self._uploaded(request, "image", {"k"})
        k = _read_k(fields.get("k"))
        return self._results(await self._engine.search_by_image(content, k))

    async def _transcribe(self, request: Request) -> Response:
        transcriber = self._transcriber
        recording, _ = await self._uploaded(request, "audio", set())
        return Json(to_json({"text": await transcriber.transcribe(recording)}))

    async def _uploaded(
        self, request: Request, name: str, others: set[str]
    ) -> tuple[bytes, dict[str, object]]:
        """The file of a form that is called ``name``, and the form's fields."""
        limit = int(self._settings.max_upload_mb * (1 << 20))
        _refuse_long(request, limit)
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise RequestError(
                400, f"{name}: send multipart/form-data with the file as {name!r}", name
            )
        try:
            async with request.form(max_files=1, max_fields=4, max_part_size=1024) as form:
                file = form.get(name)
                if not isinstance(file, UploadFile):
                    raise RequestError(400, f"{name}: the file is missing", name)
                unknown = sorted(set(form) - {name} - others)
                if unknown:
                    raise RequestError(400, f"{unknown[0]}: no such field", unknown[0])
                content = await file.read(limit + 1)
                fields: dict[str, object] = dict(form)
        except MultiPartException as error:
            raise RequestError(400, f"the body is no multipart form: {error.message}") from None
        if len(content) > limit:
            raise _too_long(limit)
        return content, fields

    async def _encode(self, request: Request) -> Response:
        try:
            question = EncodeRequest.model_validate_json(await _body(request, _MAX_JSON))
        except ValidationError as error:
            raise RequestError.from_validation(error) from None
        vectors = await self._engine.encode(question)
        return Json(
            to_json(
                {
                    "embeddings": vectors.tolist(),
                    "dim": vectors.shape[1],
                    "model": self._engine.bundle.manifest.model.name,
                }
            )
        )

    async def _info(self, request: Request) -> Response:
        speech = {"speech": self._settings.speech_model is not None}
        return Json(to_json(self._engine.bundle.manifest.public() | speech))

    async def _metrics(self, request: Request) -> Response:
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    async def _image(self, request: Request) -> Response:
        return self._picture(request, request.url.path.removeprefix("/images/"))

    async def _image_by_path(self, request: Request) -> Response:
        path = request.query_params.get("path")
        if not path:
            raise RequestError(400, "path: which picture? /image?path=…", "path")
        picture_id = self._engine.bundle.items.id_of_path(path)
        if picture_id is None:
            raise RequestError(404, "path: no picture of the bundle has this path", "path")
        return self._picture(request, picture_id)

    def _picture(self, request: Request, picture_id: str) -> Response:
        """The original where it can be had, else the thumbnail that the bundle carries."""
        size = request.query_params.get("size")
        if size not in (None, "thumbnail"):
            raise RequestError(400, "size: 'thumbnail', or leave it out", "size")
        items = self._engine.bundle.items
        position = items.position_of(picture_id)
        if position is None:
            raise RequestError(404, f"no picture has the id {picture_id!r}", "id")
        if size is None:
            original = self._original(items.get([position])[0].image_path)
            if original is not None:
                return FileResponse(
                    original,
                    headers={"Cache-Control": _A_WHILE, "X-Content-Type-Options": "nosniff"},
                )
        thumbnail = self._engine.bundle.thumbnails.get(position)
        if thumbnail is None:
            raise RequestError(404, f"the bundle has no picture for {picture_id!r}", "id")
        return self._thumbnail(request, picture_id, thumbnail)

    def _thumbnail(self, request: Request, picture_id: str, thumbnail: bytes) -> Response:
        version = self._engine.version
        etag = f'"{picture_id}-{version}"'
        headers = {
            "ETag": etag,
            # The address that a search gives changes with the bundle, any other may not.
            "Cache-Control": _FOREVER if request.query_params.get("v") == version else _A_WHILE,
            "X-Content-Type-Options": "nosniff",
            "Date": formatdate(usegmt=True),
        }
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(thumbnail, media_type="image/webp", headers=headers)

    def _original(self, image_path: str) -> Path | None:
        root = self._settings.images or self._engine.bundle.manifest.picture_root
        if root is None:
            return None
        path = PurePosixPath(image_path)
        if path.is_absolute() or ".." in path.parts:
            return None
        original = Path(root) / path
        return original if original.is_file() else None

    def _results(self, found: Found) -> Response:
        version = self._engine.version
        return Json(
            to_json({"results": [result_fields(hit, version) for hit in found.hits]}),
            headers={"Server-Timing": _server_timing(found.timing)},
        )


def result_fields(hit: Hit, version: str) -> dict[str, Any]:
    """One picture of an answer, as :class:`models.schemas.SearchResult` has it."""
    item = hit.item
    result: dict[str, Any] = {
        "id": item.id,
        "image_path": item.image_path,
        "similarity": round(hit.similarity, _DECIMALS),
        "relevant": hit.relevant,
        "alt_text": item.alt_text,
        "image_url": f"/images/{quote(item.id)}?size=thumbnail&v={version}",
        "caption": item.caption,
        "metadata": item.metadata,
    }
    if hit.vector is not None:
        result["embedding"] = hit.vector.tolist()
    return result


def _server_timing(timing: Timing) -> str:
    """The header's value (W3C Server Timing): each step's milliseconds."""
    steps = {
        "tokenize": timing.tokenize,
        "queue": timing.queue,
        "encode": timing.encode,
        "search": timing.search,
    }
    return ", ".join(f"{step};dur={seconds * 1e3:.3f}" for step, seconds in steps.items())


def _starting() -> RequestError:
    return RequestError(503, "the service is starting", headers={"Retry-After": "1"})


def _failure(error: RequestError) -> Response:
    body = ErrorResponse(error=ErrorDetail(field=error.field, message=error.message))
    return Json(body.model_dump_json(), status_code=error.status, headers=dict(error.headers))


async def _body(request: Request, limit: int) -> bytes:
    """The request's body, refused as soon as it is longer than ``limit`` bytes."""
    _refuse_long(request, limit)
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_long(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _refuse_long(request: Request, limit: int) -> None:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise _too_long(limit)


def _too_long(limit: int) -> RequestError:
    return RequestError(413, f"the body is longer than {limit / (1 << 20):g} MB")


def _read_k(value: object) -> int:
    if value is None:
        return DEFAULT_K
    try:
        # The rule for k is written once, in the schema.
        number = int(str(value)) if str(value).isdecimal() else value
        return SearchRequest.model_validate({"query": "k", "k": number}).k
    except ValidationError as error:
        raise RequestError.from_validation(error) from None
