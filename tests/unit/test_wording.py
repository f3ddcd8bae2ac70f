"""What is encoded of a query is the same in whatever dress it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.wording import is_quoted, undressed


@pytest.mark.parametrize(
    "dressed",
    [
        *('"a red fox"', "“a red fox”", "„a red fox“", "«a red fox»", "「a red fox」"),
        *("'a red fox'", "‘a red fox’", "a “red” fox", "'a' red 'fox'"),
        *("a red fox.", "a red fox?", "a red fox!!", "a red fox…", "a red fox ...", "¡a red fox!"),
        *(' "a red fox." ', "“a red fox”?", "a red fox,", "a  red\tfox"),
    ],
)
def test_quotes_and_stops_are_no_part_of_it(dressed: str) -> None:
    assert undressed(dressed) == "a red fox"


@pytest.mark.parametrize(
    "query",
    [
        *("a red fox", "A RED FOX", "Cupid's arrow", "Cupid’s arrow", "3.14", "C++"),
        *("no-one (else)", "a, b", "🦊", "gui*", "#1", "東京"),
    ],
)
def test_what_is_within_stays(query: str) -> None:
    assert undressed(query) == query


@pytest.mark.parametrize("query", ['"', "...", "?!", "''", " . "])
def test_what_has_nothing_else_in_it_stays(query: str) -> None:
    assert undressed(query) == query


@pytest.mark.parametrize("query", ['"a fox"', "“a red fox”.", " «ein Fuchs» ", '"a fox"!', '""'])
def test_quoted_from_end_to_end(query: str) -> None:
    assert is_quoted(query)


@pytest.mark.parametrize(
    "query", ["a fox", 'a "red" fox', '"a red" fox', '"a" "fox"', '"a fox', "'a fox'", ""]
)
def test_quoted_in_part_or_not_at_all(query: str) -> None:
    assert not is_quoted(query)


@given(st.text() | st.text("a '\"“”.,?é🦊"))
def test_it_is_done_once(query: str) -> None:
    bare = undressed(query)
    assert undressed(bare) == bare
    letters = [letter for letter in query if letter.isalnum()]
    assert [letter for letter in bare if letter.isalnum()] == letters
