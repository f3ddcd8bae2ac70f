"""What the load test takes for a good answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.answers import QUERIES, Judge, path, refusal_fault
from tests.ui.fake import result


def answer(*similarities: float) -> str:
    return json.dumps({"results": [result(n, one) for n, one in enumerate(similarities)]})


def test_a_good_answer_has_no_fault() -> None:
    judge = Judge()
    assert judge.fault(200, answer(0.3, 0.3, 0.1), 5) is None
    assert judge.fault(200, answer(), 5) is None
    assert Judge(images=2).fault(200, answer(0.3, 0.2), 5) is None
    assert Judge(images=9).fault(200, answer(0.3, 0.2), 2) is None
    assert Judge(images=9).fault(200, answer(0.3), 5, filtered=True) is None


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        (500, "oops", "status 500: oops"),
        (0, None, "no answer"),
        (200, "oops", "not an answer"),
        (200, None, "not an answer"),
        (200, "[]", "not an answer"),
        (200, '{"results": [{}]}', "not an answer"),
        (200, answer(0.1, 0.2, 0.3, 0.1, 0.1), "the best does not come first"),
        (200, answer(*[0.1] * 6), "6 results, 5 were asked for"),
        (200, answer(*[0.1] * 4), "4 results, there are 5"),
        (200, json.dumps({"results": [result(1, 0.2)] * 5}), "an image is there twice"),
        (
            200,
            json.dumps({"results": [result(n, 0.2, image_url="/images/1") for n in range(5)]}),
            "is another image's",
        ),
    ],
)
def test_a_bad_one_has(status: int, text: str | None, told: str) -> None:
    assert told in (Judge(images=9).fault(status, text, 5) or "")


def test_an_image_has_one_path_for_ever() -> None:
    judge = Judge()
    assert judge.fault(200, json.dumps({"results": [result(1, 0.2)]}), 5) is None
    other = json.dumps({"results": [result(1, 0.2, image_path="2.jpg")]})
    assert "is images/1.png and 2.jpg" in (judge.fault(200, other, 5) or "")


@pytest.mark.parametrize("status", [400, 404, 413])
def test_a_refusal_has_a_reason(status: int) -> None:
    assert refusal_fault(status, '{"error": {"field": null, "message": "k: too many"}}') is None
    for text in ("oops", None, "{}", '{"error": {"message": ""}}'):
        assert refusal_fault(status, text) is not None


@pytest.mark.parametrize("status", [0, 200, 302, 500, 503])
def test_nothing_else_is_one(status: int) -> None:
    assert refusal_fault(status, '{"error": {"field": null, "message": "k"}}') is not None


@given(st.text())
def test_any_body_is_judged_without_an_exception(text: str) -> None:
    Judge().fault(200, text, 5)
    refusal_fault(400, text)


def test_thumbnails_are_asked_of_the_service_under_test() -> None:
    assert path("/images/ab?size=thumbnail") == "/images/ab?size=thumbnail"
    assert path("https://elsewhere/images/ab") == "/images/ab"


def test_there_are_enough_different_queries() -> None:
    assert len(set(QUERIES)) == len(QUERIES) >= 40
    assert all(1 <= len(query) <= 77 for query in QUERIES)
