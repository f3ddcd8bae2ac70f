"""The page's state: fields, address and service, without a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ui.answers import Answer, FoundImage, ServiceError
from ui.client import Service
from ui.question import Question

APP = Path(__file__).resolve().parents[2] / "ui" / "app.py"
IMAGES = tuple(
    FoundImage(
        f"id-{n}", f"{n}.png", 0.3 - n / 100, f"picture number {n}", f"http://service/{n}",
        None, None, {"licence": ("CC0", "MIT")[n % 2], "year": 1990 + n, "size": n / 2},
    )
    for n in range(4)
)  # fmt: skip

FACETS = {
    "licence": {
        "values": [{"value": "CC0", "count": 2}, {"value": "MIT", "count": 2}],
        "missing": 0,
    },
    "year": {"values": [{"value": 1990 + n, "count": 1} for n in range(4)], "missing": 0},
    "taken_at": {
        "dates": [{"year": 2018 + n, "count": n, "months": {}} for n in range(1, 4)],
        "missing": 0,
    },
}


class FakeService:
    """Takes the place of the client's methods; remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        # What stands there before anything is asked.
        self.first: list[Question] = []
        self.shown: list[tuple[str, ...]] = []
        self.trouble: ServiceError | None = None
        self.bundle = "one"
        self.counted = 0
        self.many = 4

    def search(self, question: Question, offset: int | None) -> Answer:
        (self.first if offset is None else self.asked).append(question)
        if self.trouble:
            raise self.trouble
        return Answer(IMAGES, {"encode": 1.0}, 2.0, version=self.bundle)

    def images(self, ids: Sequence[str]) -> Answer:
        self.shown.append(tuple(ids))
        return Answer(IMAGES, {}, 0.0, ranked=False)

    def facets(self) -> dict[str, Any]:
        self.counted += 1
        return FACETS

    def info(self) -> dict[str, Any]:
        if self.trouble:
            raise self.trouble
        return {"images": self.many, "version": self.bundle}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeService]:
    fake = FakeService()

    def fake_search(self: Service, question: Question, offset: int | None = None) -> Answer:
        return fake.search(question, offset)

    monkeypatch.setattr(Service, "search", fake_search)
    monkeypatch.setattr(Service, "images", lambda self, ids: fake.images(ids))
    monkeypatch.setattr(Service, "info", lambda self: fake.info())
    monkeypatch.setattr(Service, "facets", lambda self: fake.facets())
    st.cache_data.clear()
    yield fake
    st.cache_data.clear()


def page(**params: str) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=30)
    for name, value in params.items():
        app.query_params[name] = value
    # The filters are drawn while they are unfolded.
    app.session_state["refine"] = True
    app.run()
    return healthy(app)


def healthy(app: AppTest) -> AppTest:
    assert [error.value for error in app.exception] == []
    return app


def params(app: AppTest) -> dict[str, str]:
    values = app.query_params.items()
    return {name: value if isinstance(value, str) else value[0] for name, value in values}


def test_the_filters_are_drawn_once_they_are_unfolded(service: FakeService) -> None:
    app = AppTest.from_file(str(APP), default_timeout=30)
    app.query_params["q"] = "a fox"
    healthy(app.run())
    assert not app.multiselect
    app.session_state["refine"] = True
    healthy(app.run())
    assert [field.key for field in app.multiselect] == ["facet_licence"]
    assert len(service.asked) == 1, "to unfold them asks nothing"


def test_what_is_not_wanted_is_in_sight(service: FakeService) -> None:
    app = AppTest.from_file(str(APP), default_timeout=30)
    app.query_params["q"], app.query_params["not"] = "a fox", "snow"
    healthy(app.run())
    assert app.session_state["refine"] is True


def test_nothing_is_asked_before_there_is_a_question(service: FakeService) -> None:
    app = page()
    assert service.asked == []
    assert params(app) == {}
    assert app.radio("order").value is None


def test_the_newest_images_are_there_before_anything_is_asked(service: FakeService) -> None:
    page()
    app = page()
    assert service.first == [Question(sort="-taken_at")], "they are asked for once"
    healthy(app.text_input("text").input("a fox").run())
    assert len(service.first) == 1
    service.bundle = "two"
    st.cache_data.clear()
    page()
    assert len(service.first) == 2


def test_an_older_service_shows_nothing_before_it_is_asked(service: FakeService) -> None:
    def refused(question: Question, offset: int | None) -> Answer:
        raise ServiceError("refused", "a text is needed")

    service.search = refused  # type: ignore[method-assign]
    page()


def test_images_come_in_an_order_that_stands_in_the_address(service: FakeService) -> None:
    app = page(q="a fox")
    assert app.radio("order").options == ["best first", "newest first", "oldest first", "by path"]
    assert app.radio("order").value == ""
    healthy(app.radio("order").set_value("taken_at").run())
    assert service.asked[-1] == Question("a fox", sort="taken_at")
    assert params(app) == {"q": "a fox", "sort": "taken_at"}
    healthy(app.radio("order").set_value("").run())
    assert params(app) == {"q": "a fox"}
    assert page(q="a fox", sort="-mood").radio("order").value == "-mood"


def test_images_that_nobody_seeks_are_filtered_and_put_into_order(service: FakeService) -> None:
    app = page()
    healthy(app.multiselect("facet_licence").select('"CC0"').run())
    assert service.asked == [Question(filter={"licence": "CC0"}, sort="-taken_at")]
    # The order is nobody's wish, and in no address.
    assert list(params(app)) == ["filter"]
    assert app.radio("order").options == ["newest first", "oldest first", "by path"]
    assert app.radio("order").value == "-taken_at"
    healthy(app.radio("order").set_value("path").run())
    assert service.asked[-1].sort == "path"
    healthy(app.text_input("negative").input("snow").run())
    assert "negative" not in service.asked[-1].body()
    healthy(app.text_input("text").input("a fox").run())
    assert service.asked[-1] == Question("a fox", "snow", None, {"licence": "CC0"}, sort="path")


def test_what_is_typed_is_asked_once_and_stands_in_the_address(service: FakeService) -> None:
    app = page()
    healthy(app.text_input("text").input(" a red fox ").run())
    assert service.asked == [Question(text="a red fox")]
    assert params(app) == {"q": "a red fox"}
    healthy(app.run())
    assert len(service.asked) == 1


def test_a_link_fills_the_fields(service: FakeService) -> None:
    conditions = {"licence": "MIT", "year": {"gte": 1991}}
    app = page(q="a fox", k="24", filter=json.dumps(conditions), **{"not": "snow"})
    assert service.asked == [Question("a fox", "snow", None, conditions, 24)]
    assert app.text_input("text").value == "a fox"
    assert app.text_input("negative").value == "snow"
    assert app.radio("k").value == 24
    assert app.multiselect("facet_licence").value == ['"MIT"']
    assert app.number_input("facet_gte_year").value == 1991


def test_an_address_that_changes_by_itself_is_followed(service: FakeService) -> None:
    app = page(q="a fox")
    app.query_params["q"] = "a dog"
    healthy(app.run())
    assert app.text_input("text").value == "a dog"
    assert [question.text for question in service.asked] == ["a fox", "a dog"]


def test_an_address_that_lags_behind_takes_nothing_from_the_field(service: FakeService) -> None:
    app = page(q="a fox")
    app.query_params["q"] = "an older search"
    healthy(app.text_input("text").input("a dog").run())
    assert app.text_input("text").value == "a dog"
    assert params(app) == {"q": "a dog"}


def test_filters_are_offered_set_and_given_up(service: FakeService) -> None:
    app = page(q="a fox")
    healthy(app.multiselect("facet_licence").select('"CC0"').run())
    assert service.asked[-1].filter == {"licence": "CC0"}
    healthy(app.number_input("facet_gte_year").set_value(1991).run())
    healthy(app.number_input("facet_lte_year").set_value(1992).run())
    assert service.asked[-1].filter == {"licence": "CC0", "year": {"gte": 1991, "lte": 1992}}
    healthy(app.multiselect("facet_licence").set_value([]).run())
    healthy(app.number_input("facet_gte_year").set_value(None).run())
    assert service.asked[-1].filter == {"year": {"lte": 1992}}
    healthy(app.number_input("facet_lte_year").set_value(None).run())
    assert params(app) == {"q": "a fox"}


def test_several_values_are_chosen_or_all_but_these(service: FakeService) -> None:
    app = page(q="a fox")
    assert not app.checkbox
    healthy(app.multiselect("facet_licence").set_value(['"CC0"', '"MIT"']).run())
    assert service.asked[-1].filter == {"licence": {"in": ["CC0", "MIT"]}}
    healthy(app.checkbox("facet_not_licence").check().run())
    assert service.asked[-1].filter == {"licence": {"not_in": ["CC0", "MIT"]}}
    healthy(app.multiselect("facet_licence").set_value(['"MIT"']).run())
    assert service.asked[-1].filter == {"licence": {"not_in": ["MIT"]}}
    healthy(app.checkbox("facet_not_licence").uncheck().run())
    assert service.asked[-1].filter == {"licence": "MIT"}


def test_dates_are_chosen_by_year(service: FakeService) -> None:
    app = page(q="a fox")
    assert app.selectbox("facet_first_taken_at").options == ["2019 (1)", "2020 (2)", "2021 (3)"]
    healthy(app.selectbox("facet_first_taken_at").set_value(2020).run())
    assert service.asked[-1].filter == {"taken_at": {"gte": "2020"}}
    healthy(app.selectbox("facet_last_taken_at").set_value(2021).run())
    assert service.asked[-1].filter == {"taken_at": {"gte": "2020", "lt": "2022"}}
    healthy(app.selectbox("facet_first_taken_at").set_value(None).run())
    healthy(app.selectbox("facet_last_taken_at").set_value(None).run())
    assert params(app) == {"q": "a fox"}
    shared = page(q="a fox", filter='{"taken_at": {"gte": "1999", "lt": "2020"}}')
    assert shared.selectbox("facet_first_taken_at").value == 1999
    assert shared.selectbox("facet_last_taken_at").value == 2019


def test_what_there_is_to_filter_by_is_asked_once_of_a_bundle(service: FakeService) -> None:
    app = page()
    assert app.multiselect("facet_licence").options == ["CC0 (2)", "MIT (2)"]
    healthy(app.text_input("text").input("a fox").run())
    page()
    assert service.counted == 1
    service.bundle = "two"
    healthy(app.text_input("text").input("a dog").run())
    assert service.counted == 2


@pytest.mark.parametrize(
    "conditions",
    [
        {"year": {"gte": "long ago"}},
        {"year": {"gte": 1990.5, "lte": 1992}},
        {"year": {"gte": None, "lt": 3}},
        {"year": {"gte": True}},
        {"year": {"gte": 10**30}},
        {"year": {"gte": [1]}},
        {"year": {}},
        {"year": [1990, 1991]},
        {"year": "1990"},
        {"year": 1990.0},
        {"licence": True},
        {"licence": None},
        {"licence": ["CC0"]},
        {"licence": {"gte": "CC0"}},
        {"size": {"gte": 1}},
        {"size": 0.5},
        {"": ""},
        {"unheard of": "x" * 200},
        {"nested": {"a": {"b": []}}},
        {"licence": {"in": ["CC0", "CC0", 1, True]}},
        {"licence": {"in": []}},
        {"taken_at": {"gte": "2019", "lt": "2019"}},
        {"taken_at": {"gte": "0000", "lt": "0000"}},
        {"taken_at": {"gte": "2019-02"}},
        {"taken_at": 2019},
        {"year": {"gte": 1990.0}},
        {str(n): n for n in range(30)},
    ],
    ids=str,
)
def test_a_link_with_any_filter_makes_a_page(
    service: FakeService, conditions: dict[str, Any]
) -> None:
    app = page(q="a fox", filter=json.dumps(conditions))
    assert service.asked[-1].filter == conditions
    healthy(app.text_input("text").input("a dog").run())
    assert service.asked[-1].filter == conditions


@pytest.mark.parametrize("problem", ["down", "slow", "busy", "refused", "locked", "failed"])
def test_trouble_keeps_the_search_and_is_over_when_it_is(
    service: FakeService, problem: Any
) -> None:
    service.trouble = ServiceError(problem, "oh", 2)
    app = page(q="a fox")
    assert app.text_input("text").value == "a fox"
    assert params(app) == {"q": "a fox"}
    service.trouble = None
    healthy(app.button[0].click().run())
    assert len(service.asked) == 2
    assert isinstance(app.session_state["answer"], Answer)


def test_a_condition_that_no_field_can_show_is_told_and_given_up(service: FakeService) -> None:
    app = page(q="a fox", filter='{"year": {"gt": 1990}}')
    assert app.checkbox("facet_year").label == "Year > 1990"
    healthy(app.checkbox("facet_year").uncheck().run())
    assert service.asked[-1].filter == {}
    assert app.number_input("facet_gte_year").value is None


def test_a_link_to_some_images_shows_them_until_something_is_sought(service: FakeService) -> None:
    app = page(ids="id-0,id-1")
    assert service.shown == [("id-0", "id-1")]
    assert params(app) == {"ids": "id-0,id-1"}
    healthy(app.run())
    assert len(service.shown) == 1
    healthy(app.text_input("text").input("a dog").run())
    assert service.asked == [Question(text="a dog")]
    assert params(app) == {"q": "a dog"}


def test_filters_do_not_stay_with_images_that_were_chosen(service: FakeService) -> None:
    for field in ("licence", "year"):
        app = page(ids="id-0,id-1")
        if field == "licence":
            app.multiselect("facet_licence").select('"CC0"')
        else:
            app.number_input("facet_gte_year").set_value(1991)
        healthy(app.run())
        assert list(params(app)) == ["filter"]
        assert field in params(app)["filter"]


def test_look_alikes_are_shown_once_as_long_as_the_reader_wants(service: FakeService) -> None:
    app = page(q="a fox")
    assert not app.toggle("fold").value
    healthy(app.toggle("fold").set_value(True).run())
    assert service.asked[-1] == Question(text="a fox", fold=True)
    assert params(app) == {"q": "a fox", "fold": "1"}
    healthy(app.text_input("text").input("a dog").run())
    assert service.asked[-1] == Question(text="a dog", fold=True)
    healthy(app.toggle("fold").set_value(False).run())
    assert params(app) == {"q": "a dog"}
    assert page(q="a fox", fold="1").toggle("fold").value


@pytest.mark.parametrize("asked", [{"sort": "path"}, {"ids": "id-0"}])
def test_what_nobody_seeks_is_not_folded(service: FakeService, asked: dict[str, str]) -> None:
    app = page(fold="1", **asked)
    assert app.toggle("fold").disabled
    assert params(app) == asked | {"fold": "1"}


def test_how_much_an_image_counts_is_asked_where_there_are_words(service: FakeService) -> None:
    app = page(like="id-1")
    assert not app.select_slider
    healthy(app.text_input("text").input("snow").run())
    assert service.asked[-1].weight == 1.0
    healthy(app.select_slider("lean").set_value(0.25).run())
    assert service.asked[-1] == Question(text="snow", like="id-1", weight=0.25)
    assert params(app) == {"q": "snow", "like": "id-1", "weight": "0.25"}
    healthy(app.text_input("negative").input("a dog").run())
    assert service.asked[-1].weight == 0.25


def told(app: AppTest) -> str:
    return " ".join(part.proto.body for part in app.get("html"))


def test_another_bundle_is_told_and_taken_over(service: FakeService) -> None:
    app = page(q="a fox")
    assert "4 pictures to search" in told(app)
    assert app.session_state["renewed"] == ""
    service.bundle, service.many = "two", 9
    healthy(app.run())
    assert len(service.asked) == 1, "nobody asks all the time"

    healthy(app.text_input("text").input("a dog").run())
    assert app.session_state["renewed"]
    assert "9 pictures to search" in told(app)
    healthy(app.run())
    assert len(service.asked) == 2
    healthy(app.text_input("text").input("a cat").run())
    assert app.session_state["renewed"] == "", "it is said once"


def test_what_stands_there_is_asked_anew_of_another_bundle(service: FakeService) -> None:
    app = page(q="a fox")
    service.bundle = "two"
    # Another session has noticed, or some minutes are over.
    st.cache_data.clear()
    healthy(app.run())
    assert [question.text for question in service.asked] == ["a fox", "a fox"]
    assert app.session_state["renewed"]
    assert app.session_state["answer"].version == "two"
    healthy(app.run())
    assert len(service.asked) == 2
