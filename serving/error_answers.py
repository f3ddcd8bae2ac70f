"""Turns whatever goes wrong with a request into an answer of the one shape."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.asgi import STATUS
from serving.errors import RequestError, too_late
from serving.wire.responses import ErrorDetail, ErrorResponse, Json

logger = logging.getLogger("sightline")

# Who is told to come back in a second, and comes back at once all the same, costs more than a
# search: parsing and refusing.  Who has to wait for the refusal cannot ask in the meantime.
_PAUSE_BEFORE_429 = 0.1
_MOST_HEADERS = 100
_LONGEST_HEADERS = 32 << 10
# An error as a protocol puts it.
InWords = Callable[[RequestError], BaseModel]


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


def failure(error: RequestError, in_words: InWords) -> Json:
    """An error as an answer."""
    body = in_words(error).model_dump_json()
    return Json(body, status_code=error.status, headers=dict(error.headers))


def _in_the_one_shape(error: RequestError) -> ErrorResponse:
    return ErrorResponse(error=ErrorDetail(field=error.field, message=error.message))


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
