"""Weaker matches, and scripts from right to left: what a small fake service answers."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.ui.conftest import SCREENSHOTS, Open
from tests.ui.fake import FakeService, result
from tests.ui.test_accessibility import Tree, violations
from ui.english import ENGLISH

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Route

pytestmark = pytest.mark.slow


def direction(element: Locator) -> str:
    said: str = element.evaluate("element => getComputedStyle(element).direction")
    return said


def test_weaker_matches_are_folded_away(fake_site: str, fake: FakeService, visit: Open) -> None:
    answer = [result(n, 0.9 - n / 10, relevant=n < 2) for n in range(5)]
    fake.answer(200, {"results": answer})
    page = visit(f"{fake_site}?q=a%20red%20fox")
    page.locator("#sightline-results").filter(has_text="2 pictures for “a red fox”").wait_for()
    said = "2 pictures for “a red fox”. 3 weaker matches are folded away."
    page.locator("[role=status].announcer").filter(has_text=said).wait_for(state="attached")
    alts = [one["alt_text"] for one in answer]
    assert Tree.of(page).images() == [alts[:2]]
    fold = page.get_by_text("3 weaker matches", exact=True)
    assert Tree.of(page).expanded("3 weaker matches") is False

    fold.focus()
    page.keyboard.press("Enter")
    assert Tree.of(page).expanded("3 weaker matches") is True
    assert Tree.of(page).images() == [alts[:2], alts[2:]]
    assert violations(page) == {}
    fold.press("Space")
    assert Tree.of(page).images() == [alts[:2]]


def test_where_nothing_comes_close_that_is_said_and_the_nearest_shown(
    fake_site: str, fake: FakeService, visit: Open
) -> None:
    fake.answer(200, {"results": [result(1, 0.3, relevant=False)]})
    page = visit(f"{fake_site}?q=a%20red%20fox")
    said = page.locator("#sightline-results").filter(has_text=f"{ENGLISH.none_close} for")
    said.wait_for()
    assert page.get_by_role("img", name="Probably: picture number 1").is_visible()
    assert page.get_by_text(ENGLISH.weaker_hint).is_visible()


@pytest.mark.parametrize(
    ("script", "text", "caption"),
    [
        ("arabic", "قطة بيضاء", "قطة بيضاء نائمة على كرسي"),
        ("hebrew", "שועל אדום", "שועל אדום בשלג"),
    ],
    ids=["arabic", "hebrew"],
)
def test_what_is_written_from_right_to_left_is_set_so(
    fake_site: str, fake: FakeService, visit: Open, script: str, text: str, caption: str
) -> None:
    metadata = {"title": caption, "year": 1999}
    fake.answer(
        200, {"results": [result(1, 0.3, caption=caption, alt_text=caption, metadata=metadata)]}
    )
    page = visit(fake_site, width=390)
    field = page.get_by_label(ENGLISH.query)
    assert direction(field) == "ltr"
    field.fill(text)
    assert direction(field) == "rtl"
    field.press("Enter")
    page.locator("#sightline-results").filter(has_text=text).wait_for()
    page.locator("ul.grid summary").first.click()
    assert direction(page.locator("figcaption")) == "rtl"
    assert direction(page.locator("ul.grid dd").first) == "rtl"
    # What is not from there stays as it was.
    assert direction(page.locator(".about .path")) == "ltr"
    assert direction(page.locator("#sightline-results")) == "ltr"
    assert page.evaluate("document.querySelector('.stMain').scrollWidth <= innerWidth")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{script}.png")


def test_fields_that_come_after_the_results_are_described_too(
    fake_site: str, browser: Browser
) -> None:
    held: list[Route] = []
    with closing(browser.new_context(locale="en-GB")) as context:
        page = context.new_page()
        page.route(
            re.compile(r"/(TextInput|AudioInput)\.[^/]*\.js"), lambda route: held.append(route)
        )
        page.goto(fake_site)
        page.locator("#sightline-results").wait_for()
        assert page.locator(".stTextInput input").count() == 0
        assert len(held) == 2
        for request in held:
            request.continue_()
        page.locator(".stTextInput input[dir=auto]").first.wait_for()
        page.get_by_role("group", name=ENGLISH.speak).wait_for()
