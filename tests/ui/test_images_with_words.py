"""An image, brought or found, with words, exclusion, filter and weight."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.ui.conftest import SCREENSHOTS, Open
from tests.ui.test_accessibility import violations
from tests.ui.test_page import GALLERY, GUITAR, field, heading, paths, search, wait_for_heading
from ui.english import ENGLISH
from ui.german import GERMAN

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow

DRAWINGS = {"kind": "drawing"}


def upload(page: Page, image: Path = GUITAR) -> None:
    page.get_by_text(ENGLISH.upload, exact=True).click()
    page.locator("input[type=file]").set_input_files(image)


def leaning(page: Page, step: int) -> Locator:
    """What stands above the slider."""
    return page.get_by_test_id("stSliderThumbValue").get_by_text(ENGLISH.leans[step], exact=True)


def expected(service: httpx.Client, **fields: Any) -> list[str]:
    answer = service.post(
        "/search_by_image", files={"image": GUITAR.read_bytes()}, data={"k": "12"} | fields
    )
    return [one["image_path"] for one in answer.json()["results"]]


@pytest.mark.parametrize(("width", "dark"), [(1920, False), (360, True)])
def test_an_image_of_ones_own_keeps_all_that_was_asked(
    site: str, service: httpx.Client, visit: Open, width: int, dark: bool
) -> None:
    address = f"{site}?q=a%20drum&not=a%20violin&filter={json.dumps(DRAWINGS)}"
    page = visit(address, width=width, dark=dark)
    wait_for_heading(page, "for “a drum”, not like “a violin”")
    upload(page)
    wait_for_heading(page, f"“{GUITAR.name}” and “a drum”, not like “a violin”")
    fields = {"query": "a drum", "negative": "a violin", "filter": json.dumps(DRAWINGS)}
    fields["mode"] = "auto"
    assert paths(page) == expected(service, **fields)
    assert expected(service, **fields) != expected(service)

    # To the words, step by step; what counts is said in words.
    slider = page.get_by_role("slider", name=ENGLISH.lean)
    assert leaning(page, 2).is_visible()
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    leaning(page, 4).wait_for()
    weighed = expected(service, weight="0.25", **fields)
    page.wait_for_function(
        "all => [...document.querySelectorAll('.grid .path')].map((one) => one.textContent)"
        ".join() === all",
        arg=",".join(weighed),
    )
    assert weighed != expected(service, **fields)
    assert violations(page) == {}
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    heading(page).scroll_into_view_if_needed()
    page.screenshot(path=SCREENSHOTS / f"words-{width}.png")

    # Words stay when the image goes, and the focus has somewhere to be.
    page.locator("[data-action=forget]").click()
    wait_for_heading(page, "pictures for “a drum”, not like “a violin”")
    assert heading(page).evaluate("element => element === document.activeElement")
    assert page.get_by_role("slider", name=ENGLISH.lean).count() == 0


def test_what_one_image_says_narrows_a_search_with_another(site: str, visit: Open) -> None:
    page = visit(site)
    upload(page)
    wait_for_heading(page, f"like your picture “{GUITAR.name}”")
    page.locator("ul.grid summary").first.click()
    page.locator("ul.grid dt:text-is('licence') + dd button").first.click()
    page.wait_for_function(
        """() => new Set([...document.querySelectorAll("ul.grid dt")]
            .filter((term) => term.textContent === "licence")
            .map((term) => term.nextElementSibling.textContent)).size === 1"""
    )
    assert GUITAR.name in heading(page).inner_text()


def test_a_found_image_counts_as_much_as_is_said(
    site: str, service: httpx.Client, visit: Open
) -> None:
    page = visit(site)
    search(page, "a guitar")
    page.locator("[data-action=like]").first.click()
    page.locator(".seed").wait_for()
    identity = page.url.rpartition("like=")[2].partition("&")[0]
    page.get_by_label(ENGLISH.query_more).fill("a drum")
    page.get_by_label(ENGLISH.query_more).press("Enter")
    wait_for_heading(page, "and “a drum”")
    slider = page.get_by_role("slider", name=ENGLISH.lean)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**weight=4*")
    queries = [{"like": identity, "weight": 4.0}]
    asked = {"query": "a drum", "queries": queries, "k": 13, "mode": "auto"}
    answer = service.post("/search", json=asked).json()
    others = [one["image_path"] for one in answer["results"] if one["id"] != identity]
    page.wait_for_function(
        "all => [...document.querySelectorAll('.grid .path')].map((one) => one.textContent)"
        ".join() === all",
        arg=",".join(others[:12]),
    )
    again = visit(page.url)
    wait_for_heading(again, "and “a drum”")
    assert paths(again) == paths(page)
    assert leaning(again, 0).is_visible()


def test_the_hint_of_what_it_should_not_be_like_works(service: httpx.Client, site: str) -> None:
    hint = ENGLISH.negative_hint.partition(",")[0]
    assert ENGLISH.negative_hint == f"{hint}, among instruments"

    def guitars(**asked: str) -> int:
        asked |= {"query": "a musical instrument"}
        answer = service.post("/search", json=asked | {"k": 12}).json()["results"]
        return sum("guitar" in one["image_path"] for one in answer)

    assert guitars() >= 5
    assert guitars(negative=hint) <= 1


@pytest.mark.parametrize("texts", [ENGLISH, GERMAN], ids=["en", "de"])
def test_a_file_that_is_refused_is_refused_in_words(
    site: str, visit: Open, tmp_path: Path, texts: Any
) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("no picture at all")
    page = visit(site, locale=texts.language)
    page.get_by_text(texts.upload, exact=True).click()
    page.locator("input[type=file]").set_input_files(other)
    chip = page.get_by_test_id("stFileChip")
    chip.wait_for()
    said = chip.evaluate("one => getComputedStyle(one, '::after').content")
    assert json.loads(said) == texts.refused_upload
    assert violations(page) == {}


def test_forgetting_all_that_was_asked_leads_to_the_start(site: str, visit: Open) -> None:
    page = visit(site)
    upload(page, GALLERY / "music" / "violin.webp")
    wait_for_heading(page, "violin.webp")
    page.locator("[data-action=forget]").focus()
    page.keyboard.press("Enter")
    wait_for_heading(page, ENGLISH.start[:20])
    assert heading(page).evaluate("element => element === document.activeElement")
    assert field(page).input_value() == ""
