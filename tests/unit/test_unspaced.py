"""Scripts without spaces: each part of a run of letters is found, and no other script changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.unspaced import apart, sought


@pytest.mark.parametrize(
    ("text", "indexed"),
    [
        ("東京タワー", "東京 京タ タワ ワー ー"),
        ("猫", "猫"),
        ("猫 犬", "猫 犬"),
        ("IMG東京2024", "IMG 東京 京 2024"),
        ("ＩＭＧ ｶﾞ", "IMG ガ"),
        ("한강에", "한강 강에 에"),
        ("ピーター・パン", "ピー ータ ター ーパ パン ン"),
        ("น่ารัก", "นา าร รก ก"),
        ("東京、雪", "東京 京 、 雪"),
        ("\u0e31", ""),
    ],
)
def test_a_run_is_indexed_in_pairs(text: str, indexed: str) -> None:
    assert apart(text).split() == indexed.split()


def test_two_ways_to_write_a_letter_are_one() -> None:
    assert apart("か\u3099") == apart("が")
    assert apart("\u1112\u1161\u11ab") == apart("한")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京", ("東京", False)),
        ("東京タ", ("東京 京タ", False)),
        ("東京 タワ", ("東京 京   タワ", False)),
        ("猫", ("猫", True)),
        ("東京 猫", ("東京 京   猫", True)),
        ("東京2024", ("東京 京 2024", False)),
        ("in 東京!", ("in  東京", False)),
        ("ＩＭＧ", ("IMG", False)),
    ],
)
def test_the_pairs_of_what_is_sought_stand_one_behind_the_other(
    text: str, expected: tuple[str, bool]
) -> None:
    words = sought(text)
    assert words is not None
    assert (words[0].split(), words[1]) == (expected[0].split(), expected[1])


@given(st.text(st.characters(max_codepoint=0xDFF)))
def test_scripts_with_spaces_are_indexed_as_they_are(text: str) -> None:
    assert apart(text) is text
    assert sought(text) is None
