"""A filter in words, and its chips."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from ui.conditions import chips_html, describe_filter
from ui.english import ENGLISH
from ui.question import Question


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("CC0", "f = CC0"),
        (True, "f = true"),
        ({"in": ["CC0", "MIT"]}, "f = CC0 / MIT"),
        ({"not_in": ["CC0"]}, "f ≠ CC0"),
        ({"gte": 1990, "lt": 2000}, "f ≥ 1990, f < 2000"),
        ({"gte": "2019", "lt": "2022"}, "f = 2019–2021"),
        ({"gte": "2019", "lt": "2020"}, "f = 2019"),
        ({"gte": "2019"}, "f ≥ 2019"),
        ({"any": ["a", "b"]}, "f = a / b"),
        ({"exists": False}, "f exists false"),
        ({}, ""),
    ],
)
def test_a_condition_is_told_in_few_signs(condition: Any, told: str) -> None:
    assert describe_filter({"f": condition}, ENGLISH) == told


def kept(html: str) -> list[dict[str, Any]]:
    values = re.findall('data-action="keep" data-value="(.*?)"', html)
    return [json.loads(unescape(value)) for value in values]


def test_each_condition_and_each_value_can_be_taken_away() -> None:
    conditions = {"licence": {"in": ["CC0", "MIT"]}, "year": {"gte": 1990}}
    html = chips_html(Question(text="a fox", filter=conditions), ENGLISH, upload=False)
    assert kept(html) == [
        {"licence": "MIT", "year": {"gte": 1990}},
        {"licence": "CC0", "year": {"gte": 1990}},
        {"licence": {"in": ["CC0", "MIT"]}},
    ]
    assert 'data-action="clear"' in html
    assert html.count('href="?q=a+fox') == 4
    assert ENGLISH.clear_all in html
    assert ENGLISH.take_away.format(filter="Year ≥ 1990") in unescape(html)


def test_one_condition_needs_no_button_for_all() -> None:
    html = chips_html(Question(filter={"a": "<b>"}), ENGLISH, upload=False)
    assert kept(html) == [{}]
    assert ENGLISH.clear_all not in html
    assert "<b>" not in html


def test_no_address_holds_an_image_that_was_brought() -> None:
    html = chips_html(Question(filter={"a": 1, "b": 2}), ENGLISH, upload=True)
    assert "href" not in html
    assert html.count('<button type="button"') == 3


def test_the_order_is_taken_away_where_nothing_is_sought() -> None:
    question = Question(sort="path", filter={"a": 1})
    html = chips_html(question, ENGLISH, upload=False, order="by path")
    assert re.findall('data-action="(.*?)"', html) == ["keep", "order", "clear"]
    assert re.findall('href="(.*?)"', html)[1:] == [Question(filter={"a": 1}).link(), "?"]
    sought = Question(text="a fox", sort="path", filter={"a": 1})
    for html in (
        chips_html(sought, ENGLISH, upload=False, order="by path"),
        chips_html(question, ENGLISH, upload=True, order="by path"),
    ):
        assert re.findall('data-action="(.*?)"', html) == ["keep"]


def test_look_alikes_once_is_taken_away_like_a_condition() -> None:
    question = Question(text="a fox", fold=True)
    html = chips_html(question, ENGLISH, upload=False)
    assert re.findall('data-action="(.*?)"', html) == ["unfold"]
    assert re.findall('href="(.*?)"', html) == ["?q=a+fox"]
    assert f'aria-label="{ENGLISH.take_away.format(filter=ENGLISH.folded)}"' in html
    html = chips_html(replace(question, filter={"a": 1}), ENGLISH, upload=False)
    assert re.findall('data-action="(.*?)"', html) == ["keep", "unfold", "clear"]
    assert "fold=1" in re.findall('href="(.*?)"', html)[0]
    assert re.findall('href="(.*?)"', html)[2] == "?q=a+fox"
    assert "href" not in chips_html(Question(fold=True), ENGLISH, upload=True)
    # Where it changes nothing, nothing is said of it.
    for idle in (Question(fold=True), Question(ids=("a",), fold=True)):
        assert chips_html(idle, ENGLISH, upload=False) == ""
    browsed = chips_html(Question(sort="path", fold=True), ENGLISH, upload=False, order="by path")
    assert re.findall('data-action="(.*?)"', browsed) == ["order"]


def test_where_nothing_is_filtered_there_is_none() -> None:
    assert chips_html(Question(text="a fox"), ENGLISH, upload=False) == ""
    assert chips_html(Question(ids=("a",), filter={"a": 1}), ENGLISH, upload=False) == ""
