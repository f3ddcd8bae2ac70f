"""What a client is told: the status, the field, the words and the headers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from serving import errors
from serving.errors import RequestError
from serving.wire.requests import EncodeRequest, ImageSearchRequest, SearchRequest

SOON = {"Retry-After": "1"}


@pytest.mark.parametrize(
    ("make", "status", "message", "headers"),
    [
        (lambda: errors.starting(), 503, "the service is starting", SOON),
        (lambda: errors.stopping(), 503, "the service is stopping: try again", SOON),
        (
            lambda: errors.overloaded(),
            429,
            "too many searches at once: try again in a second",
            SOON,
        ),
        (
            lambda: errors.overloaded("recordings"),
            429,
            "too many recordings at once: try again in a second",
            SOON,
        ),
        (lambda: errors.too_late(), 504, "there was no answer in time: try again", SOON),
        (lambda: errors.nobody_waits(), 499, "the caller has left", {}),
        (lambda: errors.too_long(4 << 20), 413, "the body is longer than 4 MB", {}),
        (lambda: errors.too_long(1 << 20), 413, "the body is longer than 1 MB", {}),
        (lambda: errors.too_long((1 << 20) - 1), 413, "the body is longer than 1023 KB", {}),
        (
            lambda: errors.no_room(),
            507,
            "there is no room for the upload: the service's /tmp is full",
            {},
        ),
        (
            lambda: errors.speech_is_off(),
            501,
            "this service does not understand speech: SIGHTLINE_SPEECH_MODEL is not set",
            {},
        ),
    ],
)
def test_each_says_what_is_wrong_and_when_to_come_again(
    make: Callable[[], RequestError], status: int, message: str, headers: dict[str, str]
) -> None:
    error = make()
    assert (error.status, error.message, error.field) == (status, message, None)
    assert error.headers == headers
    assert str(error) == message


@pytest.mark.parametrize(
    ("kind", "body", "field", "message"),
    [
        (SearchRequest, "{", None, "the body is no JSON: EOF while parsing an object at line 1 "),
        (SearchRequest, "[]", None, "Input should be an object"),
        (
            SearchRequest,
            '{"query": "x", "k": 0}',
            "k",
            "k: Input should be greater than or equal to 1, got 0",
        ),
        (SearchRequest, '{"query": "x", "colour": 1}', "colour", "colour: no such field"),
        (
            SearchRequest,
            '{"query": "x", "k": "' + "a" * 41 + '"}',
            "k",
            "k: Input should be a valid integer, got 41 characters",
        ),
        (
            SearchRequest,
            '{"query": "x", "k": "' + "a" * 40 + '"}',
            "k",
            f"k: Input should be a valid integer, got '{'a' * 40}'",
        ),
        (SearchRequest, '{"query": "x", "k": {}}', "k", "k: Input should be a valid integer"),
        (EncodeRequest, '{"texts": [1]}', "texts.0", "texts.0: "),
    ],
)
def test_what_pydantic_finds_names_field_and_rule(
    kind: type[SearchRequest | EncodeRequest], body: str, field: str | None, message: str
) -> None:
    with pytest.raises(ValidationError) as found:
        kind.model_validate_json(body)
    error = RequestError.from_validation(found.value)
    assert (error.status, error.field) == (400, field)
    assert error.message.startswith(message)


def test_the_number_of_a_form_is_a_number_only_where_it_is_written_as_one() -> None:
    assert ImageSearchRequest.model_validate({"k": "7"}).k == 7
    for wrong in ("7.0", "", "1e1", "-1", "1" * 10, " 7"):
        with pytest.raises(ValidationError):
            ImageSearchRequest.model_validate({"k": wrong})
