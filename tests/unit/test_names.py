"""Names within a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.names import find_names


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("photos by Alex Liivet", ["Alex Liivet"]),
        ("mariachi band in Mexico, Guadalajara", ["Mexico", "Guadalajara"]),
        ("a temple (Petra) in spring 2015", ["Petra", "2015"]),
        ("SpaceX launch pad", ["SpaceX"]),
        ("NASA portrait", ["NASA"]),
        ("start of the Falcon 9, at dusk", ["Falcon 9"]),
        ("UT33C multimeter", ["UT33C"]),
        ("Alex Liivet skyscraper", ["Alex Liivet"]),
        ("Île de la Cité", ["Cité"]),
        ("the Eiffel Tower in October 2005.", ["Eiffel Tower", "October 2005"]),
        # The first word's capital says nothing, nor one that all have.
        ("Italian noodles", []),
        ("Cupid's arrow", []),
        ("Photos By Alex Liivet", []),
        ("PHOTOS BY ALEX LIIVET", []),
        ("20 1 18 4 13", []),
        ("photos by alex liivet", []),
        # One letter, and how many of something, name nobody.
        ("what I saw: 7 dogs and 10 cats", []),
        ("", []),
        ("--- ,", []),
    ],
)
def test_a_name_is_told_by_its_writing(query: str, names: list[str]) -> None:
    assert find_names(query.split()) == names


@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1)))
def test_whatever_is_typed(words: list[str]) -> None:
    for name in find_names(words):
        assert len(name) > 1
        for part in name.split():
            assert any(part in word for word in words)
