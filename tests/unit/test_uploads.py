"""Images within JSON."""

from __future__ import annotations

import base64

import pytest
from pydantic import TypeAdapter, ValidationError

from serving.errors import RequestError
from serving.uploads import within_json
from serving.wire.fields import SentImage
from serving.wire.requests import EncodeRequest

BYTES = bytes(range(256)) * 4
SENT = base64.b64encode(BYTES).decode()
READ: TypeAdapter[str] = TypeAdapter(SentImage)


@pytest.mark.parametrize("head", ["", "data:image/png;base64,", "DATA:;BASE64,"])
def test_base64_is_read_with_and_without_a_head(head: str) -> None:
    upload = within_json(READ.validate_python(head + SENT), "images.2", 2000)
    assert (upload.read(), upload.field) == (BYTES, "images.2")


def test_lines_are_broken_as_in_mail() -> None:
    broken = base64.encodebytes(BYTES).decode()
    assert within_json(READ.validate_python(broken), "image", 2000).read() == BYTES


@pytest.mark.parametrize("sent", ["http://a", "file:///a", "s3://a/b", "data:image/png,a", ""])
def test_no_address_is_taken(sent: str) -> None:
    with pytest.raises(ValidationError, match=r"no address is fetched|at least 1 character"):
        READ.validate_python(sent)


def test_one_byte_too_many_is_refused_before_it_is_read() -> None:
    exact = base64.b64encode(bytes(300)).decode()
    assert within_json(exact, "image", 300).read() == bytes(300)
    with pytest.raises(RequestError) as refused:
        within_json(exact, "images.1", 299)
    assert (refused.value.status, refused.value.field) == (413, "images.1")


def test_what_is_no_base64_is_told_when_it_is_read() -> None:
    with pytest.raises(RequestError) as refused:
        within_json("x", "images.1", 300).read()
    assert (refused.value.status, refused.value.field) == (400, "images.1")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "texts"),
        ({"texts": [], "images": []}, "texts"),
        ({"images": ["x"] * 65}, "images"),
        ({"texts": ["x"] * 257}, "texts"),
        ({"images": ["http://a"]}, "images.0"),
    ],
)
def test_something_is_to_be_encoded_and_not_too_much(body: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        EncodeRequest.model_validate(body)
    assert RequestError.from_validation(caught.value).field == field
