"""The filters that the page offers."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from ui.answers import Picture
from ui.facets import Facet, Seen, facets, meet

IDS = count()


def picture(**metadata: Any) -> Picture:
    return Picture(f"{next(IDS)}", "a.png", 0.3, "a fox", "http://x/a", None, None, metadata)


def seen(*pictures: Picture) -> Seen:
    found: Seen = {}
    meet(found, pictures)
    return found


def test_words_are_chosen_from_and_numbers_have_a_range() -> None:
    first, second = picture(licence="CC0", year=1990), picture(licence="CC0", year=1995)
    met = seen(first, second, picture(licence="MIT", year=2001))
    assert facets(met, {}) == [
        Facet("licence", ("CC0", "MIT"), "choice"),
        Facet("year", (1990, 1995, 2001), "range"),
    ]


def test_what_all_have_alike_filters_nothing() -> None:
    assert facets(seen(picture(licence="CC0"), picture(licence="CC0")), {}) == []


def test_a_field_in_use_stays_so_that_it_can_be_given_up() -> None:
    assert facets({}, {"licence": "CC0"}) == [Facet("licence", ("CC0",), "choice")]
    assert facets({}, {"year": {"gte": 1990}}) == [Facet("year", (), "range")]
    # A single year from a link is a choice, not a range.
    [facet] = facets(seen(picture(year=1990), picture(year=2001)), {"year": 1990})
    assert facet.control == "choice"


def test_a_condition_that_no_field_can_show_can_be_given_up() -> None:
    for condition in ({"gt": 1}, {"gte": "a"}, {"gte": True}, {"gte": 1 << 60}, {}, [1], None, ""):
        [facet] = facets(seen(picture(year=1990), picture(year=2001)), {"year": condition})
        assert facet.control == "given", condition


def test_a_range_goes_by_whole_numbers_where_all_are() -> None:
    [facet] = facets(seen(picture(year=1990), picture(year=2001)), {})
    assert facet.is_whole({"gte": 1991})
    assert not facet.is_whole({"gte": 1990.5})


def test_what_is_different_for_each_picture_is_no_filter() -> None:
    assert facets(seen(*(picture(title=f"picture {n}") for n in range(4))), {}) == []
    assert facets(seen(*(picture(author=f"{n % 41}") for n in range(200))), {}) == []
    assert facets(seen(*(picture(text=f"{n}" * 61) for n in range(3))), {}) == []


def test_a_field_with_words_and_numbers_is_chosen_from() -> None:
    met = seen(picture(size=3), picture(size="large"), picture(size="large"))
    [facet] = facets(met, {})
    assert facet == Facet("size", (3, "large"), "choice")


def test_a_picture_that_is_met_again_is_still_one() -> None:
    one, other = picture(title="one"), picture(title="other")
    assert facets(seen(one, other, one, other), {}) == []


def test_truth_values_and_lists_are_no_filters() -> None:
    met = seen(
        picture(drawn=True, tags=["a"], by=""), picture(drawn=False, tags=["b"], more={}, by="Ann")
    )
    assert facets(met, {}) == []


def test_not_more_than_a_handful_are_offered_and_those_in_use_come_first() -> None:
    one = picture(**{f"field {n}": "a" for n in range(9)})
    other = picture(**{f"field {n}": "b" for n in range(9)})
    offered = facets(seen(one, other, replace(one, id="third")), {"field 8": "a"})
    assert len(offered) == 6
    assert offered[0].name == "field 8"
