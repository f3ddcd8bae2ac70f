"""Asks for a key, where the service has any."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.asgi import HEADERS
from serving.errors import RequestError

PROBES = frozenset({"/livez", "/readyz", "/healthz"})


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
