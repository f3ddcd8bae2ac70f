"""The larger view: by keyboard, by pointer, by touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ui.conftest import SCREENSHOTS, Open, found
from tests.ui.fake import FakeService, result
from tests.ui.test_accessibility import GUITARS, violations
from ui.english import ENGLISH

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow


def opened(page: Page) -> Locator:
    return page.get_by_role("dialog")


@pytest.mark.parametrize(("width", "dark"), [(1920, False), (360, True)])
def test_it_shows_one_after_the_other_and_goes_back_to_the_card(
    site: str, visit: Open, width: int, dark: bool
) -> None:
    page = visit(site + GUITARS, width=width, dark=dark)
    page.locator("#sightline-results").filter(has_text=found("for “a guitar”")).wait_for()
    alts = page.locator(".found > ul.grid img").evaluate_all("all => all.map(image => image.alt)")
    captions = page.locator(".found > ul.grid figcaption").all_inner_texts()
    page.locator("a.frame").first.focus()
    page.keyboard.press("Enter")
    view = opened(page)
    assert view.get_by_role("heading").inner_text() == captions[0]
    assert view.get_by_role("img").get_attribute("alt") == alts[0]
    assert f"1 of {len(alts)}" in view.inner_text()
    assert view.get_by_role("button", name=ENGLISH.previous).is_disabled()
    assert violations(page) == {}
    # The whole image has come in the place of its thumbnail.
    page.wait_for_function("!document.querySelector('dialog img').src.includes('thumbnail')")

    page.keyboard.press("ArrowRight")
    assert view.get_by_role("heading").inner_text() == captions[1]
    view.get_by_role("button", name=ENGLISH.next).click()
    assert view.get_by_role("heading").inner_text() == captions[2]
    page.keyboard.press("ArrowLeft")
    assert view.get_by_role("img").get_attribute("alt") == alts[1]
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= innerWidth")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"view-{width}.png")
    page.keyboard.press("Escape")
    assert not view.is_visible()
    # The browser itself goes back to where the view was opened.
    page.wait_for_function(
        "alt => document.activeElement.querySelector('img')?.alt === alt", arg=alts[1]
    )


def test_all_that_is_known_is_there_and_can_be_taken_along(site: str, visit: Open) -> None:
    page = visit(site + GUITARS, permissions=["clipboard-read", "clipboard-write"])
    page.locator("a.frame").first.click()
    view = opened(page)
    path = page.locator(".path").first.inner_text()
    assert view.get_by_text(path, exact=True).is_visible()
    for term in page.locator("ul.grid li").first.locator("dt").all_text_contents():
        assert view.get_by_role("term").get_by_text(term, exact=True).is_visible()
    view.get_by_role("button", name=ENGLISH.copy_path).click()
    view.get_by_role("button", name=ENGLISH.path_copied).wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == path
    original = page.locator("a.frame").first.get_attribute("href")
    assert view.get_by_role("link", name=ENGLISH.full_size).get_attribute("href") == original
    download = view.get_by_role("link", name=ENGLISH.download)
    assert download.get_attribute("download") == path.rpartition("/")[2]

    # What it leads to lies below it.
    view.get_by_role("link", name=ENGLISH.like).click()
    page.locator(".seed").wait_for()
    assert not view.is_visible()


def test_it_closes_by_the_button_and_beside_it(site: str, visit: Open) -> None:
    page = visit(site + GUITARS)
    for close in (
        lambda: opened(page).get_by_role("button", name=ENGLISH.close).click(),
        lambda: page.mouse.click(3, 3),
    ):
        page.locator("a.frame").nth(1).click()
        assert opened(page).is_visible()
        close()
        assert not opened(page).is_visible()


def test_a_swipe_turns_the_page(site: str, visit: Open) -> None:
    page = visit(site + GUITARS, width=390, has_touch=True)
    captions = page.locator(".found > ul.grid figcaption").all_inner_texts()
    page.locator("a.frame").first.tap()

    def swipe(begin: int, end: int) -> None:
        page.evaluate(
            """([begin, end]) => {
              const target = document.querySelector("dialog img");
              const at = (x) => new Touch({ identifier: 1, target, clientX: x, clientY: 300 });
              const send = (name, touches, changedTouches) => target.dispatchEvent(
                new TouchEvent(name, { bubbles: true, touches, changedTouches }));
              send("touchstart", [at(begin)], [at(begin)]);
              send("touchend", [], [at(end)]);
            }""",
            [begin, end],
        )

    heading = opened(page).get_by_role("heading")
    swipe(300, 100)
    assert heading.inner_text() == captions[1]
    swipe(200, 190)
    assert heading.inner_text() == captions[1]
    swipe(100, 300)
    assert heading.inner_text() == captions[0]


def test_what_is_folded_away_is_not_among_them(
    fake_site: str, fake: FakeService, visit: Open
) -> None:
    fake.answer(200, {"results": [result(n, 0.9 - n / 10, relevant=n < 2) for n in range(5)]})
    page = visit(f"{fake_site}?q=a%20red%20fox")
    page.locator("a.frame").first.click()
    assert "1 of 2" in opened(page).inner_text()
    page.keyboard.press("Escape")
    page.get_by_text("3 weaker matches", exact=True).click()
    page.locator("a.frame").nth(3).click()
    assert "4 of 5" in opened(page).inner_text()


def test_with_a_modifier_the_link_is_a_link(site: str, visit: Open) -> None:
    page = visit(site + GUITARS)
    with page.context.expect_page() as other:
        page.locator("a.frame").first.click(modifiers=["Control"])
    assert "/images/" in other.value.url
    assert not opened(page).is_visible()
