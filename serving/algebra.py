"""Several things in one line of text, added and subtracted: ``beach + sunset - people``.

What the line means is what it means to rclip, whose arguments a shell has separated::

    line = [sign] term {sign term}
    sign = "+" | "-"                    between white space, or at an end of the line
    term = [number ":"] words

A sign inside a word is a part of it (``black-and-white``, ``t-shirt``).  Between double quotes
white space and signs are parts of the words, too, as they are for a shell: ``"rock + roll"``.  The
number says how much a term counts, ``2:golden retriever``, as often as 1 if there is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# White space outside of double quotes ends a token; a quote without another one is a character.
_TOKEN = re.compile(r'(?:"[^"]*"|\S)+')
_QUOTED = re.compile(r'"([^"]*)"')
# The dashes that telephones make of a minus between spaces.
_SIGNS = {"+": 1.0, "-": -1.0, "\N{MINUS SIGN}": -1.0, "\N{EN DASH}": -1.0}
# What a term, or whatever else is sought, may count, and how many there may be at once.
MAX_WEIGHT = 100.0
MAX_TERMS = 16
_MULTIPLIER = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Term:
    """Some words, and how much they count: less than nothing where they are subtracted."""

    text: str
    weight: float


def read_terms(line: str) -> list[Term]:
    """The terms of a line, one at the least.

    >>> read_terms("2:beach - people")
    [Term(text='beach', weight=2.0), Term(text='people', weight=-1.0)]

    Raises:
        ValueError: a sign or a multiplier has no words behind it, a multiplier is too large, or
            there are too many terms.
    """
    tokens = _TOKEN.findall(line)
    if not tokens or tokens[0] not in _SIGNS:
        tokens = ["+", *tokens]
    found: list[tuple[str, list[str]]] = []
    for token in tokens:
        if token in _SIGNS:
            found.append((token, []))
        else:
            found[-1][1].append(_QUOTED.sub(r"\1", token))
    if len(found) > MAX_TERMS:
        raise ValueError(f"at most {MAX_TERMS} terms, not {len(found)}")
    return [_term(sign, " ".join(words)) for sign, words in found]


def _term(sign: str, words: str) -> Term:
    multiplier = _MULTIPLIER.fullmatch(words)
    number, text = multiplier.groups() if multiplier else ("1", words)
    if not text.strip():
        raise ValueError(f"no words follow {sign if not multiplier else number + ':'!r}")
    weight = float(number)
    if weight > MAX_WEIGHT:
        raise ValueError(f"a multiplier is at most {MAX_WEIGHT:g}, not {number[:20]}")
    return Term(text.strip(), _SIGNS[sign] * weight)
