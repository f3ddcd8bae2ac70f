"""Pictures inside of JSON."""

from __future__ import annotations

import base64
import contextlib
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.inline import picture_bytes, size_of


@given(st.binary(), st.sampled_from(["", "data:image/png;base64,", "DATA:;a=b;Base64,"]))
def test_what_was_written_is_read(content: bytes, head: str) -> None:
    text = base64.b64encode(content).decode()
    assert picture_bytes(head + text) == content
    assert picture_bytes(head + "\n".join(textwrap.wrap(text, 76))) == content
    assert len(content) <= size_of(text) <= len(content) + 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("iVBORw0", "is no base64"),
        ("http://example.org/a.png", "is no base64"),
        ("ä", "is no base64"),
        ("data:image/png,iVBORw0KGgo=", "one of base64"),
        ("data:image/png;base64", "one of base64"),
        ("data:image/png;base64;iVBORw0KGgo=", "one of base64"),
    ],
)
def test_what_stands_for_nothing_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        picture_bytes(text)


@given(st.text())
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        picture_bytes(text)
