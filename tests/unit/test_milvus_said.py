"""What is said of images, as Milvus searches it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from models.items import Item, item_id
from models.milvus import expressions, said
from models.milvus.said import Wanted


def item(caption: str, path: str = "a/b.jpg", **more: Any) -> Item:
    sources = {"caption": "sidecar"}
    return Item(0, item_id(path), path, 4, 3, caption, "", sources=sources, **more)


def hexed(words: str) -> tuple[str, ...]:
    return tuple(word.encode().hex() for word in words.split())


def test_each_word_has_the_letter_of_its_column() -> None:
    [(tokens, text)] = said.columns([item("Gull, gull!", text="EXIT", metadata={"city": "Zürich"})])
    g, a, b, exit_, city = hexed("gull a b exit zurich")
    assert text == f"g{g} g{g} j{city} l{a} l{b} k{exit_} "
    assert tokens == sorted(expressions.token("word", word) for word in (g, a, b, exit_, city))


def test_of_what_is_too_long_the_end_is_left_out() -> None:
    words = " ".join(f"w{number}" for number in range(2 * said.MOST_WORDS))
    [(tokens, text)] = said.columns([item("gull", text=words)])
    assert len(tokens) == said.MOST_WORDS
    assert text.startswith(f"g{hexed('gull')[0]} ")
    [(tokens, text)] = said.columns([item("gull", text="again " * 20_000)])
    assert len(tokens) == 4
    assert said.MOST_BYTES - 12 < len(text) <= said.MOST_BYTES


def test_nothing_that_is_asked_gets_into_an_expression() -> None:
    asked = ['") or id != ("', "%", "_", "fox' --", "fox*", "it's \\ a", "\0", "中文"]
    wanted = said.wanted(asked)
    told = [said.expression(wanted), *(said.expression_in(one, wanted) for one in said.COLUMNS)]
    for expression in told:
        left = re.sub(
            r"[g-l][0-9a-f]+|[0-9]+|said like|array_contains_all\(words, \[", "", expression
        )
        assert not re.sub(r'or|and|[ ,()%"\]]', "", left), expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Fox", [Wanted(hexed("fox"))]),
        ("blue-eyed", [Wanted(hexed("blue eyed"))]),
        ("gui*", [Wanted(hexed("gui"), begins=True)]),
        ("new yo*", [Wanted(hexed("new yo"))]),
        ("…", []),
    ],
)
def test_what_is_asked_for(text: str, expected: list[Wanted]) -> None:
    assert said.wanted([text]) == expected


def test_what_asks_for_nothing_is_met_by_nobody() -> None:
    assert said.expression([]) == expressions.NOTHING
    assert said.in_column("caption", said.wanted(["gui*"])) == ""
