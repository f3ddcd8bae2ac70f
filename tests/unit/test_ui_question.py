"""Links that ask again what was asked."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.question import COUNTS, MAX_TEXT, Question

TEXTS = st.text(max_size=MAX_TEXT).map(str.strip)
VALUES = st.one_of(st.text(), st.integers(), st.booleans(), st.none())
RANGES = st.dictionaries(st.sampled_from(["gte", "gt", "lte", "lt"]), st.integers(), min_size=1)
QUESTIONS = st.builds(
    Question,
    text=TEXTS,
    negative=TEXTS,
    like=st.none() | st.text(min_size=1),
    filter=st.dictionaries(st.text(), VALUES | RANGES, max_size=4),
    k=st.sampled_from(COUNTS),
)


@given(QUESTIONS)
def test_a_link_asks_the_same_question(question: Question) -> None:
    link = question.link()
    params = dict(parse_qsl(link.removeprefix("?"), keep_blank_values=True))
    assert link.isascii()
    assert Question.from_params(params) == question


@given(st.dictionaries(st.sampled_from(["q", "not", "like", "k", "filter", "page"]), st.text()))
def test_any_link_makes_some_question(params: dict[str, str]) -> None:
    question = Question.from_params(params)
    assert question.k in COUNTS
    assert len(question.text) <= MAX_TEXT
    assert isinstance(question.filter, dict)


@pytest.mark.parametrize("k", ["0", "-12", "13", "1e2", "١٢", "a lot", "9" * 5000, ""])
def test_a_count_that_is_not_offered_is_the_usual_one(k: str) -> None:
    assert Question.from_params({"k": k}).k == COUNTS[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "null",
        '"x"',
        "[" * 100_000,
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        "9" * 9999,
    ],
)
def test_a_filter_that_is_none_is_left_out(text: str) -> None:
    assert Question.from_params({"filter": text}).filter == {}


def test_a_plain_search_has_a_plain_link() -> None:
    assert Question(text="a red fox").link() == "?q=a+red+fox"


def test_the_body_holds_only_what_was_said() -> None:
    assert Question(text="a fox").body() == {"query": "a fox", "k": 12}
    assert Question(text="a fox", negative="snow", filter={"year": 1990}, k=24).body() == {
        "query": "a fox",
        "negative": "snow",
        "filter": {"year": 1990},
        "k": 24,
    }


def test_one_more_is_asked_for_where_the_picture_itself_comes_first() -> None:
    assert Question(like="abc").body() == {"like": "abc", "k": 13}
    assert max(Question(like="abc", k=k).body()["k"] for k in COUNTS) <= 100


def test_what_is_not_to_be_seen_is_nothing_to_look_for() -> None:
    assert not Question(negative="a drawing").seeks
    assert Question(like="abc").seeks
    assert Question(text="a fox").seeks
