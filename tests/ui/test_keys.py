"""The images by keyboard and by finger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ui.conftest import SCREENSHOTS, Open
from tests.ui.fake import FakeService, result
from tests.ui.test_accessibility import GUITARS, Tree, violations
from tests.ui.test_page import tab_to, wait_for_images
from ui.english import ENGLISH

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

FOCUSED = "[...document.querySelectorAll('.grid .frame')].indexOf(document.activeElement)"
ROWS = """() => {
  const rows = new Map();
  document.querySelectorAll(".found > .grid > li").forEach((card, place) => {
    const top = Math.round(card.getBoundingClientRect().top);
    rows.set(top, [...(rows.get(top) ?? []), place]);
  });
  return [...rows.values()];
}"""


def focused(page: Page) -> int:
    """The place of the card on which the focus is, -1 for none."""
    place: int = page.evaluate(FOCUSED)
    return place


def press(page: Page, *keys: str) -> int:
    for key in keys:
        page.keyboard.press(key)
    return focused(page)


def twelve(fake: FakeService, site: str) -> str:
    metadata = {"year": 1999}
    fake.answer(
        200, {"results": [result(n, 0.9, relevant=n < 12, metadata=metadata) for n in range(14)]}
    )
    return f"{site}?q=a%20red%20fox"


@pytest.mark.parametrize(("width", "dark"), [(1920, False), (360, True)])
def test_arrows_move_in_the_grid(
    fake_site: str, fake: FakeService, visit: Open, width: int, dark: bool
) -> None:
    page = visit(twelve(fake, fake_site), width=width, dark=dark)
    page.locator(".grid li").first.wait_for()
    rows: list[list[int]] = page.evaluate(ROWS)
    assert len(rows) > 1
    page.locator("a.frame").first.focus()
    assert press(page, "ArrowLeft") == 0
    assert press(page, "ArrowUp") == 0
    assert press(page, "ArrowRight") == 1
    down = press(page, "ArrowDown")
    assert down in rows[1]
    assert abs(rows[1].index(down) - rows[0].index(1)) <= 1
    assert press(page, "ArrowUp") in rows[0]
    assert press(page, "End") == 11
    assert press(page, "ArrowRight") == 11
    assert press(page, "ArrowDown") == 11
    assert press(page, "ArrowUp") in rows[-2]
    assert press(page, "Home") == 0


def test_a_card_is_one_stop_and_the_grid_is_left_from_anywhere(
    fake_site: str, fake: FakeService, visit: Open
) -> None:
    page = visit(twelve(fake, fake_site))
    first = page.locator("a.frame").first
    first.wait_for()
    tab_to(page, first)
    press(page, "ArrowRight", "ArrowRight")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.grid')") is None
    # Back to where one was.
    assert press(page, "Shift+Tab") == 2
    # One for each grid, once it is unfolded.
    page.get_by_text("2 weaker matches", exact=True).click()
    stops = page.locator(".grid [tabindex='0']")
    assert stops.count() == 2
    press(page, "Tab")
    assert focused(page) == 12


def test_enter_shows_it_larger_and_comes_back(site: str, visit: Open) -> None:
    page = visit(site + GUITARS)
    page.locator("a.frame").first.focus()
    assert press(page, "ArrowRight", "Enter") == -1
    assert page.get_by_role("dialog").is_visible()
    press(page, "ArrowRight", "Escape")
    page.wait_for_function(f"{FOCUSED} === 2")
    assert press(page, "ArrowRight") == 3


def test_what_else_a_card_offers(fake_site: str, fake: FakeService, visit: Open) -> None:
    page = visit(twelve(fake, fake_site))
    page.locator("a.frame").nth(1).focus()
    card = page.locator(".found > .grid > li").nth(1)
    assert page.locator("a.frame").nth(1).get_attribute("aria-keyshortcuts") == "Space F2"
    assert page.get_by_text(ENGLISH.keys).is_visible()
    press(page, "F2")

    def at(selector: str) -> bool:
        return bool(card.locator(selector).evaluate("one => one === document.activeElement"))

    assert at("[data-action=like]")
    press(page, "Tab")
    assert at("summary")
    press(page, "Enter", "Tab")
    assert at("dd a")
    # Arrows belong to the grid only.
    assert press(page, "ArrowRight") == -1
    assert at("dd a")
    assert press(page, "Escape") == 1
    assert press(page, "F2") == -1
    assert press(page, "F2") == 1
    assert press(page, "F2", "Tab", "Tab", "Tab") == -1
    assert page.evaluate("document.activeElement.closest('.grid')") is None
    # Whoever reads on without the focus finds all of it.
    tree = Tree.of(page)
    assert len([one for one in tree.names("link") if one.startswith("More like this:")]) == 12
    assert len([one for one in tree.names("checkbox") if one.startswith("Choose:")]) == 12
    assert violations(page) == {}


def test_a_slash_leads_to_the_field_unless_one_types(site: str, visit: Open) -> None:
    page = visit(site + GUITARS)
    page.locator("a.frame").nth(1).focus()
    page.keyboard.press("/")
    field = page.get_by_label(ENGLISH.query)
    assert field.evaluate("one => one === document.activeElement")
    page.keyboard.type("and/or")
    assert field.input_value() == "and/or"
    page.locator("a.frame").nth(1).click()
    page.keyboard.press("/")
    assert page.get_by_role("dialog").is_visible()
    assert not field.evaluate("one => one === document.activeElement")


def test_the_card_that_has_the_focus_is_seen(site: str, visit: Open) -> None:
    page = visit(f"{site}?q=an%20animal", width=1280, height=700)
    page.locator("a.frame").first.focus()
    press(page, "Space")
    for _ in range(3):
        press(page, "ArrowDown")
        below = page.evaluate(
            """() => document.activeElement.getBoundingClientRect().bottom
                <= document.querySelector(".foot").getBoundingClientRect().top + 1"""
        )
        assert below
    wait_for_images(page)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "keyboard.png")


TOO_SMALL = """() => [...document.querySelectorAll(
    ".stMain :is(a, button, summary, input, label:has(input)), dialog :is(a, button)")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && !one.closest(".skip, [aria-hidden=true], .announcer") && !one.disabled)
  .map((one) => [one, (one.closest("label, [data-testid=stTextInputRootElement]") ?? one)
    .getBoundingClientRect()])
  .filter(([, box]) => box.width > 1 && (box.width < 43.5 || box.height < 43.5))
  .map(([one, box]) => `${one.outerHTML.slice(0, 150)} ${box.width} × ${box.height}`)
"""


def test_a_finger_hits_everything(site: str, visit: Open) -> None:
    page = visit(site + GUITARS, width=360, has_touch=True, is_mobile=True)
    assert page.evaluate("matchMedia('(pointer: coarse)').matches")
    page.locator(".grid li").first.wait_for()
    page.locator(".grid summary").first.tap()
    page.locator(".choose").first.tap()
    assert page.evaluate(TOO_SMALL) == []
    page.locator(".grid summary").first.tap()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "touch.png")
    page.get_by_text(ENGLISH.refine, exact=True).tap()
    page.get_by_text(ENGLISH.upload, exact=True).tap()
    page.locator("details.how summary").tap()
    assert page.evaluate(TOO_SMALL) == []
    page.locator("a.frame").first.tap()
    assert page.evaluate(TOO_SMALL) == []
