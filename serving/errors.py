"""An error as the client sees it: a status, the field at fault and the rule."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from models.elsewhere import UnavailableError, UnsupportedError


class RequestError(Exception):
    """A request that gets an answer with ``status`` of 400 or above.

    Args:
        status: the HTTP status.
        message: what is wrong and what would be right.
        field: the field of the request that is at fault, None for the whole.
        headers: more headers for the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.field = field
        self.headers = headers or {}

    @classmethod
    def from_validation(cls, error: ValidationError) -> RequestError:
        """The first thing that pydantic found, as a 400 that names field and rule."""
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or None
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "no such field"
        elif first["type"] == "json_invalid":
            message = f"the body is no JSON: {message.removeprefix('Invalid JSON: ')}"
        elif field and not isinstance(first["input"], dict | list | None):
            message = f"{message}, got {_short(first['input'])}"
        return cls(400, f"{field}: {message}" if field else message, field)


class SpeechError(Exception):
    """The service cannot understand speech as it is set up."""


def starting() -> RequestError:
    """There is no bundle in use yet."""
    return RequestError(503, "the service is starting", headers={"Retry-After": "1"})


def stopping() -> RequestError:
    """What answers is being closed."""
    return RequestError(503, "the service is stopping: try again", headers={"Retry-After": "1"})


def unavailable(error: UnavailableError) -> RequestError:
    """What is searched lies elsewhere, and does not answer from there."""
    return RequestError(503, f"{error}: try again in a second", headers={"Retry-After": "1"})


def unsupported(error: UnsupportedError) -> RequestError:
    """What is searched lies elsewhere, where this cannot be done."""
    return RequestError(501, str(error), error.field)


def overloaded(what: str = "searches") -> RequestError:
    """Too many are under way; a second from now there will be room."""
    return RequestError(
        429, f"too many {what} at once: try again in a second", headers={"Retry-After": "1"}
    )


def too_late() -> RequestError:
    """The time that an answer may take is over."""
    return RequestError(504, "there was no answer in time: try again", headers={"Retry-After": "1"})


def nobody_waits() -> RequestError:
    """The caller has hung up; the status is nginx's, and only ever seen in the metrics."""
    return RequestError(499, "the caller has left")


def too_long(limit: int) -> RequestError:
    """A body of more than ``limit`` bytes."""
    size = f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit >> 10} KB"
    return RequestError(413, f"the body is longer than {size}")


def no_room() -> RequestError:
    """The disk on which uploads are put is full."""
    return RequestError(507, "there is no room for the upload: the service's /tmp is full")


def speech_is_off() -> RequestError:
    """A recording was sent to a service that has no model for it."""
    return RequestError(
        501, "this service does not understand speech: SIGHTLINE_SPEECH_MODEL is not set"
    )


def _short(value: object) -> str:
    if isinstance(value, str) and len(value) > 40:
        return f"{len(value)} characters"
    return repr(value)


def unknown_image(image_id: str) -> RequestError:
    """The bundle has no such image."""
    return RequestError(404, f"id: no image has the id {image_id!r}", "id")
