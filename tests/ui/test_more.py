"""Further images come to those that are there, and nothing moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.ui.conftest import Open, found
from ui.english import ENGLISH

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


def paths(page: Page) -> list[str]:
    return page.locator("ul.grid .path").all_text_contents()


def test_more_of_them_are_appended(site: str, service: httpx.Client, visit: Open) -> None:
    page = visit(f"{site}?q=an%20animal")
    heading = page.locator("#sightline-results")
    heading.filter(has_text=found("for “an animal”")).wait_for()
    asked = {"query": "an animal", "k": 36, "offset": 0, "mode": "auto"}
    answer = service.post("/search", json=asked).json()
    expected = [one["image_path"] for one in answer["results"]]
    total = answer["total_relevant"]
    assert 24 < total < 36
    assert heading.inner_text() == f"12 of {total} pictures for “an animal”"
    assert paths(page) == expected[:12]

    button = page.get_by_role("button", name=ENGLISH.more)
    button.focus()
    page.keyboard.press("Enter")
    heading.filter(has_text=f"24 of {total} pictures").wait_for()
    assert paths(page) == expected[:24]
    # The first of the new ones is looked at, and what came is said.
    first = page.evaluate("document.activeElement.closest('li').querySelector('.path').textContent")
    assert first == expected[12]
    page.locator(".announcer").filter(has_text="12 more pictures").wait_for(state="attached")
    scrolled = page.evaluate("document.querySelector('.stMain').scrollTop")
    assert scrolled > 0

    # Beyond what is relevant they are folded away, and come into the fold once it is open.
    button.click()
    heading.filter(has_text=f"{total} pictures for").wait_for()
    fold = page.locator("details.weaker")
    fold.locator("summary").first.click()
    assert paths(page) == expected
    button.click()
    page.locator("ul.grid li").nth(47).wait_for()
    assert fold.get_attribute("open") is not None
    assert len(set(paths(page))) == 48


def test_another_search_begins_anew(site: str, visit: Open) -> None:
    page = visit(f"{site}?q=an%20animal")
    page.get_by_role("button", name=ENGLISH.more).click()
    page.locator("ul.grid li").nth(23).wait_for()
    field = page.get_by_label(ENGLISH.query)
    field.fill("a guitar")
    field.press("Enter")
    page.locator("#sightline-results").filter(has_text="a guitar").wait_for()
    assert page.locator("ul.grid li").count() == 12


def test_it_ends_where_there_are_no_more(site: str, visit: Open) -> None:
    page = visit(f"{site}?q=a%20bird&filter=%7B%22kind%22%3A%22painting%22%7D")
    page.locator("ul.grid li").first.wait_for()
    assert page.locator("ul.grid li").count() < 12
    assert page.get_by_role("button", name=ENGLISH.more).count() == 0


def test_more_like_one_does_not_show_it_again(site: str, visit: Open) -> None:
    page = visit(f"{site}?q=a%20guitar")
    first = paths(page)[0]
    page.get_by_role("link", name="More like this").first.click()
    page.locator(".seed").wait_for()
    page.get_by_role("button", name=ENGLISH.more, include_hidden=True).dispatch_event("click")
    page.locator("ul.grid li").nth(23).wait_for(state="attached")
    assert first not in paths(page)
    assert len(set(paths(page))) == len(paths(page))
