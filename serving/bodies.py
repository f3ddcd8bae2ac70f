"""Sees to it that what is sent is neither too long nor too slow, and unpacks it."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Collection, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.asgi import HEADERS
from serving.errors import RequestError, overloaded, too_long


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
                    raise overloaded("images")
                self._large += more
                large += more
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._large -= large


async def _in_time(receive: Receive, deadline: float) -> Message:
    try:
        async with asyncio.timeout_at(deadline):
            return await receive()
    except TimeoutError:
        raise RequestError(
            408, "the request did not arrive in time", headers={"Connection": "close"}
        ) from None


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
