"""The HTML of what is chosen with, and what is said of chosen images."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_ui_results import FOX, WEAK, Page, answered
from ui import results, selection
from ui.english import ENGLISH
from ui.german import GERMAN
from ui.question import Question


def test_every_card_has_a_checkbox_with_its_image_s_name() -> None:
    html = results.answer_html(answered(FOX, WEAK), Question("a"), "", ENGLISH, info={})
    boxes = Page.of(html).all("input")
    assert [box.within[-1] for box in boxes] == ["li", "li"]
    assert [box.attributes["value"] for box in boxes] == [FOX.id] * 2
    assert boxes[0].attributes["aria-label"] == "Choose: A red fox in the snow"
    assert boxes[0].attributes["type"] == "checkbox"


@given(st.text())
def test_nothing_from_outside_is_markup_in_it(words: str) -> None:
    [box] = Page.of(selection.choose_html(replace(FOX, id=words), words, ENGLISH)).elements
    assert box.tag == "input"
    assert list(box.attributes) == ["type", "class", "value", "aria-label"]


def test_the_bar_leads_to_the_archive_or_asks_the_page_for_it() -> None:
    for texts in (ENGLISH, GERMAN):
        page = Page.of(selection.bar_html(texts, "http://photos/images.zip"))
        [archive] = [one for one in page.all("a") if one.attributes["data-part"] == "zip"]
        assert archive.attributes["data-base"] == "http://photos/images.zip"
        assert page.actions("zip") == []
        page = Page.of(selection.bar_html(texts, None))
        [archive] = page.actions("zip")
        assert archive.tag == "button"
        assert "data-base" not in archive.attributes


def test_a_table_says_what_is_known() -> None:
    facts = selection.facts_of([FOX], ranked=True)[FOX.id]
    assert facts["similarity"] == FOX.similarity
    assert facts["metadata"] == FOX.metadata
    assert list(facts)[:2] == ["image_path", "caption"]
    # Nobody has compared them with anything.
    assert selection.facts_of([FOX], ranked=False)[FOX.id]["similarity"] is None


def test_chosen_images_are_shown_without_what_a_search_says() -> None:
    question = Question(ids=(FOX.id, "gone", "gone too"))
    answer = replace(answered(FOX), ranked=False, timing={})
    said = results.summary(question, answer, "", None, ENGLISH)
    assert said == "1 chosen picture, 2 are no longer there"
    page = Page.of(results.answer_html(answer, question, said, ENGLISH, info={}))
    assert [one.attributes.get("class") for one in page.all("span")].count("similarity") == 0
    assert page.all("details")[-1].attributes.get("class") != "how"
    # Which of them meet a condition is not asked.
    assert page.actions("filter") == []
    assert page.actions("like")[0].attributes["href"] == f"?like={FOX.id}"
    # Of images that are all gone no other words are asked for.
    none = replace(answer, images=())
    assert ENGLISH.none_hint not in results.answer_html(none, question, said, ENGLISH, info={})
    [copy] = page.actions("copy")
    assert (copy.attributes["href"] or "").startswith("?ids=")


def test_what_resembles_several_shows_them_all() -> None:
    seeds = [("http://x/1", "A fox"), ("", "A dog"), ("http://x/2", "A cat")]
    page = Page.of(results.seed_html(seeds, "3 chosen pictures", "Forget", Question()))
    assert [one.attributes["alt"] for one in page.all("img")] == ["A fox", "A cat"]
    [told] = page.all("span")
    assert told.text == "3 chosen pictures"
    assert "aria-hidden" not in told.attributes
