"""Several things in one line of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.algebra import MAX_TERMS, MAX_WEIGHT, Term, read_terms

# No quotes, nor a colon, which would make a multiplier of a number before it.
WORD = st.text(st.characters(codec="utf-8", exclude_characters='":'), min_size=1).filter(
    lambda word: len(word.split()) == 1 and word.split() == [word] and word not in "+-−–"
)
WORDS = st.lists(WORD, min_size=1, max_size=4).map(" ".join)
NUMBERS = st.sampled_from(["", "2:", "0.5:", ".5:", "3.:", "1: ", "0:"])


def weight_of(sign: str, number: str) -> float:
    size = float(number.strip(": ") or 1)
    return size if sign == "+" else -size


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("beach", [("beach", 1)]),
        ("beach + sunset - people", [("beach", 1), ("sunset", 1), ("people", -1)]),
        ("2:golden retriever + swimming pool", [("golden retriever", 2), ("swimming pool", 1)]),
        ("apple - .5:fruit", [("apple", 1), ("fruit", -0.5)]),
        ("a black-and-white t-shirt", [("a black-and-white t-shirt", 1)]),
        ("C++ - C", [("C++", 1), ("C", -1)]),
        ("- people", [("people", -1)]),
        (
            "beach \N{EN DASH} people \N{MINUS SIGN} dogs",
            [("beach", 1), ("people", -1), ("dogs", -1)],
        ),
        ('"rock + roll" - guitar', [("rock + roll", 1), ("guitar", -1)]),
        ('"2:golden retriever" + 2:"a  pool"', [("golden retriever", 2), ("a  pool", 2)]),
        ('a 5" nail', [('a 5" nail', 1)]),
        ("1:16:9 screen", [("16:9 screen", 1)]),
        ("at 12 : 30", [("at 12 : 30", 1)]),
    ],
)
def test_a_line_means_what_rclip_takes_it_for(line: str, found: list[tuple[str, float]]) -> None:
    assert read_terms(line) == [Term(*term) for term in found]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("beach -", "no words follow '-'"),
        ("beach + + sunset", "no words follow '+'"),
        ("+", "no words follow '+'"),
        ("beach + 2:", "no words follow '2:'"),
        ('beach - ""', "no words follow '-'"),
        ("101:beach", f"a multiplier is at most {MAX_WEIGHT:g}, not 101"),
        ("9" * 400 + ":beach", "a multiplier is at most 100, not 9{20}$"),
        (" + ".join(["a"] * 17), f"at most {MAX_TERMS} terms, not 17"),
    ],
)
def test_what_makes_no_sense_is_told(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("+", r"\+")):
        read_terms(line)


@given(
    st.lists(st.tuples(st.sampled_from("+-"), NUMBERS, WORDS), min_size=1, max_size=MAX_TERMS),
    st.booleans(),
)
def test_what_is_put_together_is_taken_apart(parts: list[tuple[str, str, str]], bare: bool) -> None:
    line = " ".join(f"{sign} {number}{words}" for sign, number, words in parts)
    if bare and parts[0][0] == "+":
        line = line.removeprefix("+ ")
    expected = [Term(words, weight_of(sign, number)) for sign, number, words in parts]
    assert read_terms(line) == expected


@given(WORDS)
def test_words_alone_are_themselves(words: str) -> None:
    assert read_terms(words) == [Term(words, 1)]


@given(st.text(st.characters(codec="utf-8", exclude_characters='":')).filter(str.strip))
def test_what_stands_between_quotes_is_left_alone(text: str) -> None:
    assert read_terms(f'"{text}" - dogs') == [Term(text.strip(), 1), Term("dogs", -1)]


@given(st.text() | st.text('ab +-2.:" \u2013'))
def test_whatever_is_typed_is_read_or_refused(line: str) -> None:
    try:
        found = read_terms(line)
    except ValueError:
        return
    assert 1 <= len(found) <= MAX_TERMS
    assert all(term.text.strip() and abs(term.weight) <= MAX_WEIGHT for term in found)
