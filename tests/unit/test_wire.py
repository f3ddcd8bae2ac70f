"""What a search may ask, and how a refusal reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.errors import RequestError
from serving.wire.requests import SearchRequest


def refusal(body: Any) -> RequestError:
    with pytest.raises(ValidationError) as caught:
        SearchRequest.model_validate_json(body if isinstance(body, str) else json.dumps(body))
    return RequestError.from_validation(caught.value)


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"query": " \t\n "}, "query", "at least 1 character"),
        ({"query": "a" * 10_000}, "query", "at most 1000 characters, got 10000 characters"),
        ({"query": "fox", "k": 0}, "k", "greater than or equal to 1, got 0"),
        ({"query": "fox", "k": -1}, "k", "greater than or equal to 1, got -1"),
        ({"query": "fox", "k": 1001}, "k", "less than or equal to 1000, got 1001"),
        ({"query": "fox", "k": "3"}, "k", "valid integer, got '3'"),
        ({"query": "fox", "k": True}, "k", "valid integer"),
        ({"query": "fox", "offset": -1}, "offset", "greater than or equal to 0, got -1"),
        ({"query": "fox", "offset": 1001}, "offset", "it is at most 1000, got 1001"),
        ({"query": "fox", "offset": "0"}, "offset", "valid integer, got '0'"),
        ({"query": "fox", "colour": "red"}, "colour", "no such field"),
        ({"k": 3}, "query", "a text of 1 to 1000 characters is needed"),
        ("{", None, "no JSON"),
        ("[]", None, "should be an object"),
        ("", None, "no JSON"),
    ],
)
def test_a_refusal_names_field_and_rule(body: Any, field: str | None, rule: str) -> None:
    error = refusal(body)
    assert error.status == 400
    assert error.field == field
    assert rule in error.message


def test_defaults_and_trimming() -> None:
    request = SearchRequest.model_validate_json('{"query": "  a red fox "}')
    assert (request.query, request.k) == ("a red fox", 5)


@given(st.binary() | st.text().map(str.encode))
def test_whatever_arrives_is_taken_or_refused_in_words(body: bytes) -> None:
    try:
        accepted = SearchRequest.model_validate_json(body)
    except ValidationError as error:
        refused = RequestError.from_validation(error)
        accepted = None
    if accepted is None:
        assert refused.status == 400
        assert refused.message
    else:
        assert accepted.query is None or 1 <= len(accepted.query) <= 1000


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (1, 1),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (2**63, float(2**63)),
        ({"gt": 10**20}, {"gt": 1e20}),
        ({"in": [1, 10**20]}, {"in": [1, 1e20]}),
    ],
)
def test_a_whole_number_that_no_database_holds_is_a_number_all_the_same(
    given: Any, asked: Any
) -> None:
    body = json.dumps({"query": "fox", "filter": {"n": given}})
    read = SearchRequest.model_validate_json(body).filter
    assert read == {"n": asked}
    assert repr(read) == repr({"n": asked})


def test_a_number_that_is_none_is_refused() -> None:
    error = refusal({"query": "fox", "filter": {"n": 10**400}})
    assert error.message == "filter: n: a number is too large to compare"
    assert refusal({"query": "fox", "filter": {"n": {}}}).field == "filter"


def test_json_knows_no_integers() -> None:
    assert SearchRequest.model_validate_json('{"query": "fox", "k": 3.0}').k == 3
    assert "valid integer" in refusal({"query": "fox", "k": 3.5}).message
