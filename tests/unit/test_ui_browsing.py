"""Which orders there are, and what is to be seen where nothing is sought."""

from __future__ import annotations

from typing import Any

from ui.browsing import everything, first_images, in_order, is_mixed, orders
from ui.english import ENGLISH
from ui.question import Question

DATED: dict[str, Any] = {"taken_at": {"dates": [{"year": 2020, "count": 1, "months": {}}]}}


def test_only_what_has_a_date_is_sorted_by_it() -> None:
    assert list(orders(DATED, "", ENGLISH)) == ["", "-taken_at", "taken_at", "path"]
    assert list(orders({}, "", ENGLISH)) == ["", "path"]
    # What a link has brought stays.
    assert orders({}, "-year", ENGLISH)["-year"] == "-year"


def test_what_nobody_seeks_has_an_order_of_its_own() -> None:
    filtered = Question(filter={"a": 1})
    assert in_order(filtered, DATED).sort == "-taken_at"
    assert in_order(filtered, {}).sort == "path"
    for question in (Question(filter={"a": 1}, sort="path"), Question(text="a fox"), Question()):
        assert in_order(question, DATED) == question


def test_first_come_the_newest_or_some_of_everything() -> None:
    assert first_images(DATED) == everything(DATED) == Question(sort="-taken_at")
    assert not is_mixed(first_images(DATED))
    assert is_mixed(first_images({}))
    assert everything({}) == Question(sort="path")
