"""The filters that the page offers."""

from __future__ import annotations

from typing import Any

import pytest

from ui.facets import Choice, Facet, between_years, date_field, facets, years_of


def values(*counted: tuple[Any, int], missing: int = 0) -> dict[str, Any]:
    told = [{"value": value, "count": count} for value, count in counted]
    return {"values": told, "total": len(told), "missing": missing}


def dates(**counts: int) -> dict[str, Any]:
    told = [{"year": int(year[1:]), "count": count} for year, count in counts.items()]
    return {"dates": told, "total": len(told), "missing": 0}


TOLD = {
    "licence": values(("CC0", 3), ("MIT", 1)),
    "year": values((1995, 2), (1990, 1)),
    "width": {
        "min": 640,
        "max": 6000,
        "histogram": [{"gte": 0, "lt": 5000, "count": 7}, {"gte": 5000, "lt": 10000, "count": 1}],
    },
    "taken_at": dates(y2019=4, y2021=1),
}


def test_each_field_has_the_control_that_fits_its_values() -> None:
    assert facets(TOLD, {}) == [
        Facet(
            "taken_at",
            "years",
            ((2019, 4), (2021, 1)),
            bars=(("2019", 4), ("2020", 0), ("2021", 1)),
        ),
        Facet("licence", "choice", (("CC0", 3), ("MIT", 1))),
        Facet(
            "year", "range", ((1995, 2), (1990, 1)), 1990, 1995, (("1990", 1), ("1995", 2))
        ),
        Facet("width", "range", (), 640, 6000, (("0 – 5000", 7), ("5000 – 10000", 1))),
    ]  # fmt: skip


def test_what_all_have_alike_filters_nothing() -> None:
    assert facets({"licence": values(("CC0", 4))}, {}) == []
    assert len(facets({"licence": values(("CC0", 4), missing=1)}, {})) == 1


@pytest.mark.parametrize("said", [None, [], "x", {}, {"values": []}, {"histogram": []}])
def test_what_says_nothing_offers_nothing(said: Any) -> None:
    assert facets({"licence": said}, {}) == []


def test_a_field_in_use_stays_so_that_it_can_be_given_up() -> None:
    assert facets({}, {"licence": "CC0"}) == [Facet("licence", "choice", (("CC0", None),))]
    assert facets({}, {"year": {"gte": 1990}}) == [Facet("year", "range")]
    # A single year from a link is a choice, not a range.
    [facet] = facets({"year": TOLD["year"]}, {"year": 1990})
    assert facet == Facet("year", "choice", ((1995, 2), (1990, 1)))
    many = {f"field {n}": values(("a", 1), ("b", 1)) for n in range(20)}
    offered = facets(many, {"field 19": "c"})
    assert len(offered) == 8
    assert offered[0] == Facet("field 19", "choice", (("a", 1), ("b", 1), ("c", None)))


def test_truth_is_not_one() -> None:
    [facet] = facets({}, {"drawn": {"in": [True, 1, 1]}})
    assert [value for value, _ in facet.values] == [True, 1]
    assert [type(value) for value, _ in facet.values] == [bool, int]


def test_a_condition_that_no_field_can_show_can_be_given_up() -> None:
    for condition in ({"gt": 1}, {"gte": "a"}, {"gte": True}, {"gte": 1 << 60}, {}, [1], None, ""):
        [facet] = facets({"year": TOLD["year"]}, {"year": condition})
        assert facet.control == "given", condition
    for condition in ({"gte": "2019-06"}, {"gte": "2019", "lte": "2020"}, {"gte": 2019}):
        [facet] = facets({"taken_at": TOLD["taken_at"]}, {"taken_at": condition})
        assert facet.control == "given", condition
    [facet] = facets({"taken_at": TOLD["taken_at"]}, {"taken_at": {"gte": "2018"}})
    assert facet.control == "years"


def test_a_range_goes_by_whole_numbers_where_all_are() -> None:
    [facet] = facets({"year": TOLD["year"]}, {})
    assert facet.is_whole({"gte": 1991})
    assert not facet.is_whole({"gte": 1990.5})


@pytest.mark.parametrize(
    ("choice", "condition"),
    [
        (Choice(("CC0",)), "CC0"),
        (Choice(("CC0", "MIT")), {"in": ["CC0", "MIT"]}),
        (Choice(("CC0",), excluded=True), {"not_in": ["CC0"]}),
        (Choice((False,)), False),
    ],
)
def test_some_values_are_a_condition_and_back(choice: Choice, condition: Any) -> None:
    assert choice.condition == condition
    assert Choice.of(condition) == choice


def test_no_value_is_no_condition() -> None:
    assert Choice().condition is None
    assert Choice(excluded=True).condition is None
    for other in (None, [], {"in": []}, {"in": "ab"}, {"in": [None]}, {"in": ["a"], "gte": 1}, ""):
        assert Choice.of(other) is None, other


def test_years_are_a_condition_on_texts_and_back() -> None:
    for ends in ((2019, 2021), (None, 2021), (2019, None), (2020, 2020)):
        assert years_of(between_years(*ends)) == ends
    assert between_years(None, None) is None
    assert between_years(None, 9999) is None
    assert between_years(987, 998) == {"gte": "0987", "lt": "0999"}


def test_how_old_an_image_is_says_when_it_was_taken_before_other_dates() -> None:
    assert date_field(TOLD) == "taken_at"
    assert date_field({"bought": dates(y2020=1)} | TOLD) == "taken_at"
    assert date_field({"licence": TOLD["licence"], "bought": dates(y2020=1)}) == "bought"
    assert date_field({"licence": TOLD["licence"]}) is None
