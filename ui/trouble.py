"""Trouble with the service, named as ours, and the bodies of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from ui.answers import Problem, ServiceError


@contextmanager
def told_as_ours() -> Iterator[None]:
    """Trouble on the way to the service, as a :class:`ServiceError`."""
    try:
        yield
    except httpx.ConnectError as error:
        raise ServiceError("down", str(error)) from error
    except httpx.TimeoutException as error:
        problem: Problem = "down" if isinstance(error, httpx.ConnectTimeout) else "slow"
        raise ServiceError(problem, str(error)) from error
    except httpx.HTTPError as error:
        raise ServiceError("down", str(error)) from error


def refusal(response: httpx.Response) -> ServiceError:
    """What an answer says that is none."""
    try:
        error = response.json()["error"]
        message, field = str(error["message"]), error.get("field")
    except (AttributeError, KeyError, TypeError, ValueError):
        message, field = response.reason_phrase, None
    wait = response.headers.get("retry-after", "")
    problems: dict[int, Problem] = {401: "locked", 403: "locked", 429: "busy"}
    # What a gateway says of a service that is starting or gone.
    problems |= dict.fromkeys((502, 503, 504), "down")
    usual: Problem = "refused" if response.is_client_error else "failed"
    return ServiceError(
        problems.get(response.status_code, usual),
        message,
        int(wait) if wait.isdecimal() else None,
        field,
    )


def read_json(response: httpx.Response) -> Any:
    """The body of an answer.

    Raises:
        ServiceError: it is no JSON.
    """
    try:
        return response.json()
    except ValueError as error:
        raise ServiceError("failed", "the answer is no JSON") from error
