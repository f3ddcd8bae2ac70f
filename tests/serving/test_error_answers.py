"""Whatever goes wrong is answered."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from serving.error_answers import Errors
from serving.errors import RequestError
from tests.serving.called import call, scope


def refusal(error: Exception) -> Any:
    async def app(about: Any, receive: Any, send: Any) -> None:
        raise error

    return Errors(app)


def told(app: Any, about: dict[str, Any], *messages: dict[str, Any]) -> tuple[int, str]:
    from serving.wire.responses import ErrorResponse

    about.setdefault("state", {"status": 0, "headers": dict(about["headers"])})
    start, rest = call(Errors(app), about, *messages)
    return start["status"], ErrorResponse.model_validate_json(rest["body"]).error.message


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (RequestError(418, "tea", "pot"), 418, "tea"),
        (HTTPException(404), 404, "there is nothing at /search: see /docs.json"),
        (HTTPException(405, headers={"Allow": "GET"}), 405, "/search answers GET only"),
        (HTTPException(406, "not so"), 406, "not so"),
        (TimeoutError(), 504, "there was no answer in time: try again"),
        (RuntimeError("secret"), 500, "the service failed; its log says why"),
    ],
)
def test_whatever_goes_wrong_is_answered(
    error: Exception, status: int, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert told(refusal(error), scope()) == (status, message)
    assert caplog.messages == (["POST /search failed"] if status == 500 else [])
    assert [bool(record.exc_info) for record in caplog.records] == [True] * (status == 500)


def test_who_has_hung_up_is_told_nothing() -> None:
    assert call(refusal(ClientDisconnect()), scope(state={"status": 0})) == []
