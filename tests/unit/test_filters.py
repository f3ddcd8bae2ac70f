"""What a filter may ask for, and what is said of one that makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from models.filters import (
    KEPT_OF_A_TEXT,
    MAX_CONDITIONS,
    MAX_NAME,
    MAX_TEXT,
    MAX_VALUES,
    Condition,
    Interval,
    fits,
    nfc,
    read_filter,
)

OPERATORS = "gt, gte, lt, lte, in, not_in, any, all, exists, prefix"


def number(low: float | None, high: float | None, **ends: bool) -> tuple[Interval, ...]:
    return (Interval("number", low, high, **ends),)


@pytest.mark.parametrize(
    ("asked", "intervals", "others"),
    [
        (1999, number(1999, 1999), {}),
        (2.5, number(2.5, 2.5), {}),
        ("fox", (Interval("text", "fox", "fox"),), {}),
        (True, (Interval("boolean", 1, 1),), {}),
        (False, (Interval("boolean", 0, 0),), {}),
        (None, (Interval("null"),), {}),
        ({"gt": 1}, number(1, None, above=True), {}),
        ({"gte": 1}, number(1, None), {}),
        ({"lt": 1}, number(None, 1, below=True), {}),
        ({"lte": 1}, number(None, 1), {}),
        ({"gt": 1, "lte": 3}, number(1, 3, above=True), {}),
        ({"gt": 1, "gte": 1}, number(1, None, above=True), {}),
        ({"gt": 1, "gte": 2}, number(2, None), {}),
        ({"lt": 1, "lte": 1}, number(None, 1, below=True), {}),
        ({"lt": 2, "lte": 1}, number(None, 1), {}),
        ({"gte": "1990-01-01"}, (Interval("text", "1990-01-01"),), {}),
        ({"gte": 1, "lt": "a"}, (), {}),
        ({"exists": True}, None, {}),
        ({"exists": False}, None, {"negated": True}),
        (
            {"prefix": "fo"},
            (Interval("text", "fo", "fo" + "\U0010ffff" * KEPT_OF_A_TEXT),),
            {},
        ),
        ({"in": [1, "a"]}, (*number(1, 1), Interval("text", "a", "a")), {}),
        ({"any": [None]}, (Interval("null"),), {}),
        ({"all": [1]}, number(1, 1), {"every": True}),
        ({"not_in": [True]}, (Interval("boolean", 1, 1),), {"negated": True}),
    ],
)
def test_a_condition_is_read(
    asked: Any, intervals: tuple[Interval, ...] | None, others: dict[str, bool]
) -> None:
    assert read_filter({"field": asked}) == [Condition("field", intervals, **others)]


def test_all_operators_of_an_object_have_to_hold() -> None:
    read = read_filter({"a": {"exists": True, "gt": 1, "in": [2]}, "b": 3})
    assert read == [
        Condition("a", number(1, None, above=True)),
        Condition("a", None),
        Condition("a", number(2, 2)),
        Condition("b", number(3, 3)),
    ]


NAME, TEXT, LARGE = "n" * (MAX_NAME + 1), "t" * (MAX_TEXT + 1), 1 << 63


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({NAME: 1}, f"'{'n' * 20}'…: the name of a field has at most 128 characters, not 129"),
        ({"a": {}}, f"a: one of {OPERATORS} is needed, and none is given"),
        ({"a": {"above": 1}}, f"a: one of {OPERATORS} is needed, not 'above'"),
        ({"a": {"x" * 30: 1}}, f"a: one of {OPERATORS} is needed, not '{'x' * 20}'"),
        ({"a": {"exists": 1}}, "a.exists: true or false, not 1"),
        ({"a": {"prefix": 1}}, "a.prefix: a text, not 1"),
        ({"a": {"in": "abc"}}, "a.in: a list of values, not 'abc'"),
        ({"a": {"in": {}}}, "a.in: a list of values, not an object"),
        ({"a": {"in": []}}, "a.in: 1 to 256 values, not 0"),
        ({"a": {"in": [1] * 257}}, "a.in: 1 to 256 values, not 257"),
        ({"a": {"in": [[1]]}}, "a.in: a number or a text, not a list"),
        ({"a": [1]}, "a: a number or a text, not a list"),
        ({"a": {"gt": True}}, "a.gt: a number or a text, not True"),
        ({"a": {"gt": None}}, "a.gt: a number or a text, not None"),
        ({"a": LARGE}, "a: a number is too large to compare"),
        ({"a": {"lt": -LARGE - 1}}, "a.lt: a number is too large to compare"),
        ({"a": TEXT}, "a: a text has at most 1000 characters, not 1001"),
        ({"a": {"prefix": TEXT}}, "a.prefix: a text has at most 1000 characters, not 1001"),
        # In the form in which it is compared it is longer than it was.
        ({"a": "\u0958" * 501}, "a: a text has at most 1000 characters, not 501"),
        ({"\u0958" * 65: 1}, f"'{chr(0x958) * 20}'…: the name of a field has at most 128 "),
        ({"a": "\ud800"}, "a: a text holds half a surrogate pair"),
        ({"\ud800": 1}, "'\\ud800': a text holds half a surrogate pair"),
        ({"a": {"exists": "y" * 60}}, f"a.exists: true or false, not '{'y' * 39}"),
    ],
)
def test_a_condition_that_makes_no_sense_is_named_with_the_rule(
    conditions: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=r"^[\s\S]+$") as refused:
        read_filter(conditions)
    assert str(refused.value).startswith(said)


def test_as_much_as_may_be_asked_may_be_asked() -> None:
    assert len(read_filter({f"f{n}": 1 for n in range(MAX_CONDITIONS)})) == MAX_CONDITIONS
    with pytest.raises(ValueError, match=r"^a filter has at most 64 conditions$"):
        read_filter({f"f{n}": 1 for n in range(MAX_CONDITIONS + 1)})
    for conditions in (
        {"n" * MAX_NAME: 1},
        {"\u0958" * 64: 1},
        {"a": {"in": [1] * MAX_VALUES}},
        {"a": "t" * MAX_TEXT},
        {"a": "\u0958" * 500},
        {"a": (1 << 63) - 1},
        {"a": -(1 << 63)},
    ):
        assert len(read_filter(conditions)) == 1


def test_texts_are_compared_in_one_form() -> None:
    one, other = "Zu\u0308rich", "Z\u00fcrich"
    assert read_filter({one: one}) == read_filter({other: other})
    assert nfc(one) == other
    assert nfc("plain") == "plain"


@pytest.mark.parametrize(
    ("interval", "inside"),
    [
        (Interval("number"), [1, 2, 2, 3]),
        (Interval("number", 2), [2, 2, 3]),
        (Interval("number", 2, above=True), [3]),
        (Interval("number", None, 2), [1, 2, 2]),
        (Interval("number", None, 2, below=True), [1]),
        (Interval("number", 2, 2), [2, 2]),
        (Interval("number", 2, 2, above=True, below=True), []),
        (Interval("number", 3, 1), []),
        (Interval("number", 0, 9), [1, 2, 2, 3]),
    ],
)
def test_an_interval_cuts_what_is_in_it_out_of_what_is_sorted(
    interval: Interval, inside: list[int]
) -> None:
    cut = interval.slice_of([1, 2, 2, 3])
    assert [1, 2, 2, 3][cut] == inside
    assert cut.start <= cut.stop


def test_a_number_fits_where_sqlite_holds_it() -> None:
    assert fits((1 << 63) - 1)
    assert fits(-(1 << 63))
    assert not fits(1 << 63)
    assert not fits(-(1 << 63) - 1)
