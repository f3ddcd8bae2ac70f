"""The page's languages."""

from __future__ import annotations

import string
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.english import ENGLISH
from ui.german import GERMAN
from ui.languages import accepted_languages, texts_for
from ui.texts import Texts


def names(value: object) -> list[set[str | None]]:
    parts = value if isinstance(value, tuple) else (value,)
    return [
        {name for _, name, _, _ in string.Formatter().parse(part) if name is not None}
        for part in parts
        if isinstance(part, str)
    ]


@pytest.mark.parametrize("field", [field.name for field in fields(Texts)])
def test_every_language_fills_in_the_same_things(field: str) -> None:
    english, german = getattr(ENGLISH, field), getattr(GERMAN, field)
    assert names(german) == names(english)
    assert german, "a text is missing"
    if field == "steps":
        assert [step for step, _ in german] == [step for step, _ in english]


@pytest.mark.parametrize(
    ("preferred", "texts"),
    [
        (["de-AT", "en"], GERMAN),
        (["fr", "DE"], GERMAN),
        (["en-GB"], ENGLISH),
        (["fr", "ja"], ENGLISH),
        ([""], ENGLISH),
        ([], ENGLISH),
    ],
)
def test_the_first_language_that_there_is_is_spoken(preferred: list[str], texts: Texts) -> None:
    assert texts_for(preferred) is texts


def test_the_browser_weighs_its_languages() -> None:
    assert accepted_languages("en;q=0.5, de-AT, de;q=0.8, *;q=0") == ["de-AT", "de", "en"]
    assert accepted_languages("") == []


@given(st.text())
def test_any_header_names_some_languages(header: str) -> None:
    assert isinstance(texts_for(accepted_languages(header)), Texts)


def test_numbers_are_written_as_the_language_writes_them() -> None:
    assert ENGLISH.number(0.3149) == "0.31"
    assert GERMAN.number(0.3149) == "0,31"
    assert GERMAN.some(GERMAN.found, 1) == "1 Bild"
    assert GERMAN.some(GERMAN.found, 0) == "0 Bilder"
