"""Links that ask again what was asked."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.question import COUNTS, MAX_CHOSEN, MAX_LIKES, MAX_TEXT, WEIGHTS, Question

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
    ids=st.lists(st.from_regex(r"[0-9a-f]{1,16}", fullmatch=True), unique=True, max_size=4).map(
        tuple
    ),
    fold=st.booleans(),
)
WEIGHED = st.builds(replace, QUESTIONS.filter(lambda one: one.like and one.text),
                    weight=st.sampled_from(WEIGHTS))  # fmt: skip


@given(QUESTIONS | WEIGHED)
def test_a_link_asks_the_same_question(question: Question) -> None:
    link = question.link()
    params = dict(parse_qsl(link.removeprefix("?"), keep_blank_values=True))
    assert link.isascii()
    assert Question.from_params(params) == question


@given(
    st.dictionaries(
        st.sampled_from(["q", "not", "like", "k", "filter", "weight", "ids", "fold", "page"]),
        st.text(),
    )
)
def test_any_link_makes_some_question(params: dict[str, str]) -> None:
    question = Question.from_params(params)
    assert question.k in COUNTS
    assert question.weight in WEIGHTS
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


# By words as well as by looks, and told where the keys have slipped.
TEXT = {"mode": "auto", "spelling": True}


def test_the_body_holds_only_what_was_said() -> None:
    assert Question(text="a fox").body() == {"query": "a fox", "k": 12} | TEXT
    assert (
        Question(text="a fox", negative="snow", filter={"year": 1990}, k=24).body()
        == {
            "query": "a fox",
            "negative": "snow",
            "filter": {"year": 1990},
            "k": 24,
        }
        | TEXT
    )


def test_one_more_is_asked_for_where_the_image_itself_comes_first() -> None:
    assert Question(like="abc").body() == {"like": "abc", "k": 13}
    assert max(Question(like="abc", k=k).body()["k"] for k in COUNTS) <= 100


def test_what_is_not_to_be_seen_is_nothing_to_look_for() -> None:
    assert not Question(negative="a drawing").seeks
    assert Question(like="abc").seeks
    assert Question(text="a fox").seeks


def test_images_are_to_be_seen_that_nobody_seeks() -> None:
    assert Question(filter={"a": 1}).browses
    assert Question(sort="path").browses
    assert not Question().browses
    assert not Question(text="a fox", sort="path").browses
    assert not Question(ids=("a",), sort="path").browses
    # There is nothing that something could be taken from, and no words to be spelt.
    asked = Question(negative="snow", sort="path", filter={"a": 1})
    assert asked.body() == {"sort": "path", "filter": {"a": 1}, "k": 12}
    assert Question(text="a fox", sort="path").body()["sort"] == "path"


def test_an_order_stands_in_the_link_unless_it_is_the_usual_one() -> None:
    assert Question.from_params({"sort": " -taken_at "}).link() == "?sort=-taken_at"
    assert Question.from_params({"sort": "relevance"}) == Question()
    assert Question.from_params({"sort": "x" * 130}) == Question()


def test_others_may_resemble_several() -> None:
    several = Question(text="a fox", like="a,b,,a,c", k=12)
    assert several.likes == ("a", "b", "c")
    likes = [{"like": one} for one in "abc"]
    assert several.body() == {"query": "a fox", "queries": likes, "k": 15} | TEXT
    assert Question(like="a,").body() == {"like": "a", "k": 13}
    assert Question(like=",").body() == {"k": 12}
    many = ",".join(map(str, range(MAX_LIKES + 5)))
    assert len(Question(like=many, k=96).body()["queries"]) == MAX_LIKES
    assert Question(like=many, k=96).body()["k"] == 100


def test_a_link_shows_no_more_images_than_can_be_chosen() -> None:
    many = ",".join(map(str, range(MAX_CHOSEN + 5)))
    question = Question.from_params({"ids": many})
    assert len(question.ids) == MAX_CHOSEN
    assert question.seeks


def test_an_image_of_the_collection_counts_as_much_as_is_said() -> None:
    asked = Question(text="snow", negative="a dog", like="abc", weight=0.5)
    assert asked.body()["queries"] == [{"like": "abc", "weight": 0.5}]
    assert "like" not in asked.body()
    assert "weight=0.5" in asked.link()
    several = replace(asked, like="a,b")
    assert several.body()["queries"] == [{"like": one, "weight": 0.5} for one in "ab"]
    # Alone, or as much as the words, it needs no weight.
    for plain in (replace(asked, weight=1.0), replace(asked, text="")):
        assert plain.body()["like"] == "abc"
        assert "queries" not in plain.body()
        assert "weight" not in plain.link()


def test_what_looks_alike_is_folded_where_something_is_sought() -> None:
    question = Question(text="a fox", fold=True)
    assert question.link() == "?q=a+fox&fold=1"
    assert question.body() == {"query": "a fox", "k": 12, "fold": 0.95} | TEXT
    assert Question(fold=True).form() == {"k": "12", "fold": "0.95"}
    # The service refuses to fold what nobody seeks.
    browsed = Question(sort="path", fold=True)
    assert browsed.body() == {"sort": "path", "k": 12}
    assert browsed.link() == "?sort=path&fold=1"
    asked = [question, browsed, Question(ids=("a",), fold=True)]
    assert [one.folds(False) for one in asked] == [True, False, False]
    assert browsed.folds(True)
    assert not replace(question, fold=False).folds(True)
    for strange in ("0", "true", "0.95", ""):
        assert not Question.from_params({"fold": strange}).fold


def test_a_form_holds_only_what_was_said() -> None:
    assert Question().form() == {"k": "12"}
    assert Question(text="snow", negative="a dog", filter={"year": 1999}, weight=0.25).form() == {
        "k": "12",
        "query": "snow",
        "negative": "a dog",
        "filter": '{"year": 1999}',
        "weight": "0.25",
        "mode": "auto",
        "spelling": "true",
    }
    assert "weight" not in Question(weight=4.0).form()
