"""What the load test takes for a good answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.answers import QUERIES, fault, path


def answer(*similarities: float) -> str:
    return json.dumps({"results": [{"similarity": one} for one in similarities]})


def test_a_good_answer_has_no_fault() -> None:
    assert fault(200, answer(0.3, 0.3, 0.1), 5) is None
    assert fault(200, answer(), 5) is None


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        (500, "oops", "status 500: oops"),
        (200, "oops", "not an answer"),
        (200, "[]", "not an answer"),
        (200, '{"results": [{}]}', "not an answer"),
        (200, answer(0.1, 0.2), "the best does not come first"),
        (200, answer(*[0.1] * 6), "6 results, 5 were asked for"),
    ],
)
def test_a_bad_one_has(status: int, text: str, told: str) -> None:
    assert told in (fault(status, text, 5) or "")


@given(st.text())
def test_any_body_is_judged_without_an_exception(text: str) -> None:
    fault(200, text, 5)


def test_thumbnails_are_asked_of_the_service_under_test() -> None:
    assert path("/images/ab?size=thumbnail") == "/images/ab?size=thumbnail"
    assert path("https://elsewhere/images/ab") == "/images/ab"


def test_there_are_enough_different_queries() -> None:
    assert len(set(QUERIES)) == len(QUERIES) >= 40
    assert all(1 <= len(query) <= 77 for query in QUERIES)
