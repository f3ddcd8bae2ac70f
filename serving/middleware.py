"""What every request passes on its way to a route, from the outside in.

:class:`Edge` gives it an id, counts and logs it; :class:`Errors` turns whatever goes wrong into
an answer of the one shape; :class:`Keys` asks for a key; :class:`Bodies` sees to it that what is
sent is neither too long nor too slow.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import secrets
import time
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import RequestError, overloaded, too_late, too_long
from serving.logs import request_id
from serving.state import State
from serving.tracing import Tracing
from serving.wire import ErrorDetail, ErrorResponse, Json

logger = logging.getLogger("sightline")

PROBES = frozenset({"/livez", "/readyz", "/healthz"})
# Who is told to come back in a second, and comes back at once all the same, costs more than a
# search: parsing and refusing.  Who has to wait for the refusal cannot ask in the meantime.
_PAUSE_BEFORE_429 = 0.1
_MOST_HEADERS = 100
_LONGEST_HEADERS = 32 << 10
_GIVEN_ID = re.compile(rb"[\w.:/+=-]{1,128}")
_TRACE_PARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_OTHER = "other"
# An error as a protocol puts it.
InWords = Callable[[RequestError], BaseModel]
# What Edge leaves in a request's ``state`` for those within: its headers by name, and the status
# of its answer, 0 before there is one.
HEADERS = "headers"
STATUS = "status"


class Edge:
    """Gives each request an id, counts it, logs it, and sends callers away while leaving.

    Args:
        app: what answers.
        state: counts; whether the service is leaving.
        labels: the path of each route by its endpoint, as it stands in metrics and logs.
        log_requests: log each of them, not only those that fail.
        tracing: where spans go, None for nowhere.
    """

    def __init__(
        self,
        app: ASGIApp,
        state: State,
        labels: Mapping[object, str],
        *,
        log_requests: bool,
        tracing: Tracing | None,
    ) -> None:
        self._app = app
        self._state = state
        self._labels = labels
        self._log_requests = log_requests
        self._tracing = tracing
        self._under_way = state.metrics.under_way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        headers = dict(scope["headers"])
        asked = _id_of(headers)
        request_id.set(asked)
        about = scope.setdefault("state", {})
        about[HEADERS] = headers
        about[STATUS] = 0

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                about[STATUS] = message["status"]
                own = [(b"x-request-id", asked.encode())]
                if self._state.leaving:
                    own.append((b"connection", b"close"))
                message["headers"] = [*message.get("headers", ()), *own]
            await send(message)

        self._under_way.inc()
        try:
            await self._app(scope, receive, answer)
        finally:
            self._under_way.dec()
            seconds = time.perf_counter() - started
            route = self._labels.get(scope.get("endpoint"), _OTHER)
            # Without a status the caller had left before there was an answer.
            status = about[STATUS] or 499
            metrics = self._state.metrics
            metrics.requests.labels(route, status).inc()
            metrics.duration.labels(route).observe(seconds)
            if self._log_requests:
                self._log(scope, route, status, seconds)
            if self._tracing is not None:
                self._tracing.record(scope, headers, route, status, seconds)

    def _log(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        extra = {
            "method": scope["method"],
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1e3, 3),
        }
        query = scope["state"].get("query")
        logger.info("request", extra=extra | ({"query": query} if query else {}))


class Errors:
    """Answers whatever goes wrong, in the one shape that every error has.

    Args:
        app: what answers.
        shapes: the shape that errors have at the path of another's protocol.
    """

    def __init__(self, app: ASGIApp, shapes: Mapping[str, InWords] = MappingProxyType({})) -> None:
        self._app = app
        self._shapes = shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            _check_headers(scope["headers"])
            await self._app(scope, receive, send)
        except ClientDisconnect:
            return
        except RequestError as error:
            refusal = error
        except HTTPException as error:
            refusal = _in_our_words(error, scope)
        except TimeoutError:
            refusal = too_late()
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            refusal = RequestError(500, "the service failed; its log says why")
        else:
            return
        if scope["state"][STATUS]:
            # Half of another answer is on its way: only breaking off tells that it is not whole.
            raise ConnectionAbortedError("an answer failed after it had begun")
        if refusal.status == 429:
            await asyncio.sleep(_PAUSE_BEFORE_429)
        in_words = self._shapes.get(scope["path"], _in_the_one_shape)
        answer = failure(refusal, in_words)
        await answer(scope, receive, send)


class Keys:
    """Asks for a key on every route but the probes.

    Args:
        app: what answers those who have one.
        keys: each of them opens.
        probes: the paths that are open all the same.
    """

    def __init__(
        self, app: ASGIApp, keys: Sequence[bytes], probes: Collection[str] = PROBES
    ) -> None:
        self._app = app
        self._keys = keys
        self._probes = probes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] not in self._probes:
            given = scope["state"][HEADERS].get(b"authorization", b"")
            scheme, _, token = given.partition(b" ")
            # Each is compared, and in constant time, so that the time tells nothing.
            right = [hmac.compare_digest(token.strip(), key) for key in self._keys]
            if scheme.lower() != b"bearer" or not any(right):
                raise RequestError(
                    401,
                    "this service asks for the header 'Authorization: Bearer KEY'",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        await self._app(scope, receive, send)


class Bodies:
    """Counts what is sent while it arrives, unpacks it, and hangs up on who takes too long.

    Args:
        app: what reads the body.
        limits: the most bytes that a path takes.
        limit: the most that any other takes.
        seconds: within which a body has to be there.
        kept: the paths of ``limits`` whose bodies are kept in memory until they are answered.
            Of what these have above ``limit`` there is no more at once than one may have.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Mapping[str, int],
        *,
        limit: int,
        seconds: float,
        kept: Collection[str] = (),
    ) -> None:
        self._app = app
        self._limits = limits
        self._limit = limit
        self._seconds = seconds
        self._kept = kept
        self._large = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._app(scope, receive, send)
            return
        headers = scope["state"][HEADERS]
        limit = self._limits.get(scope["path"], self._limit)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            raise too_long(limit)
        unpacker = _unpacker(headers.get(b"content-encoding", b""))
        deadline = asyncio.get_running_loop().time() + self._seconds
        size = unpacked = large = 0
        whole = False
        kept = scope["path"] in self._kept

        async def counted() -> Message:
            nonlocal size, unpacked, large, whole
            if whole:
                # Nothing but word that the caller has hung up.
                return await receive()
            message = await _in_time(receive, deadline)
            if message["type"] != "http.request":
                return message
            body = message.get("body", b"")
            whole = not message.get("more_body", False)
            size += len(body)
            if size > limit:
                raise too_long(limit)
            if unpacker is not None:
                body = unpacker(body, limit + 1 - unpacked, whole)
                unpacked += len(body)
                if unpacked > limit:
                    raise too_long(limit)
                message = {**message, "body": body}
            if kept and (more := (unpacked or size) - self._limit - large) > 0:
                if self._large + more > limit - self._limit:
                    raise overloaded("pictures")
                self._large += more
                large += more
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._large -= large


def failure(error: RequestError, in_words: InWords) -> Json:
    """An error as an answer."""
    body = in_words(error).model_dump_json()
    return Json(body, status_code=error.status, headers=dict(error.headers))


def _in_the_one_shape(error: RequestError) -> ErrorResponse:
    return ErrorResponse(error=ErrorDetail(field=error.field, message=error.message))


async def _in_time(receive: Receive, deadline: float) -> Message:
    try:
        async with asyncio.timeout_at(deadline):
            return await receive()
    except TimeoutError:
        raise RequestError(
            408, "the request did not arrive in time", headers={"Connection": "close"}
        ) from None


def _id_of(headers: Mapping[bytes, bytes]) -> str:
    """The caller's own name for the request, else its trace's, else a new one."""
    given = headers.get(b"x-request-id")
    if given is not None and _GIVEN_ID.fullmatch(given):
        return given.decode()
    parent = headers.get(b"traceparent")
    if parent is not None and (trace := _TRACE_PARENT.fullmatch(parent)):
        return trace[1].decode()
    return secrets.token_hex(8)


def _check_headers(headers: Sequence[tuple[bytes, bytes]]) -> None:
    if len(headers) > _MOST_HEADERS or (
        sum(len(name) + len(value) for name, value in headers) > _LONGEST_HEADERS
    ):
        raise RequestError(
            431,
            f"more than {_MOST_HEADERS} headers, or {_LONGEST_HEADERS >> 10} KB of them",
            headers={"Connection": "close"},
        )


def _in_our_words(error: HTTPException, scope: Scope) -> RequestError:
    """What Starlette's router says, as an error like any other."""
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return RequestError(404, f"there is nothing at {scope['path']}: see /docs.json")
    if error.status_code == 405:
        return RequestError(
            405, f"{scope['path']} answers {headers['Allow']} only", headers=headers
        )
    return RequestError(error.status_code, error.detail, headers=headers)


class _Unpacker:
    """Unpacks a body as it comes."""

    def __init__(self) -> None:
        # Both formats, told apart by their first bytes.
        self._stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)

    def __call__(self, body: bytes, most: int, whole: bool) -> bytes:
        """What some bytes unpack to, no more than so many bytes of it."""
        try:
            unpacked = self._stream.decompress(body, max(1, most))
        except zlib.error as error:
            raise RequestError(400, f"the body cannot be unpacked: {error}") from None
        if whole and not self._stream.eof and len(unpacked) < most:
            raise RequestError(400, "the body cannot be unpacked: its end is missing")
        return unpacked


def _unpacker(encoding: bytes) -> _Unpacker | None:
    encoding = encoding.strip().lower()
    if encoding in (b"", b"identity"):
        return None
    if encoding in (b"gzip", b"x-gzip", b"deflate"):
        return _Unpacker()
    raise RequestError(
        415, "Content-Encoding: gzip and deflate are read", headers={"Accept-Encoding": "gzip"}
    )
