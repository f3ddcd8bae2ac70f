"""Filters, order and what is to be seen before a search, over a small collection with dates."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from build.bundle_from_images import IndexOptions, build_index
from tests.build.images import image_bytes
from tests.service.conftest import serving
from tests.ui.conftest import SCREENSHOTS, Open, Show
from tests.ui.test_accessibility import Tree, violations
from ui.english import ENGLISH

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

MANY = 30
MOODS = ("calm", "loud", "odd")
# Ten images each; the third of them are from 2016, 2019 and so on.
CALM = "?filter=%7B%22mood%22%3A%22calm%22%7D"


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory, tiny_package: Path) -> Iterator[httpx.Client]:
    """A service over images with a mood and a date, 2016 to 2020, six of each year."""
    folder = tmp_path_factory.mktemp("dated")
    images = folder / "images"
    images.mkdir()
    with (images / "captions.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["image_path", "caption", "mood", "taken_at"])
        for number in range(MANY):
            name = f"{number:02}.png"
            (images / name).write_bytes(image_bytes(number))
            year = 2016 + number // 6
            rows.writerow(
                [name, f"Blobs, number {number}", MOODS[number % 3], f"{year}-05-1{number % 6}"]
            )
    build_index(
        IndexOptions(output=folder / "bundle", model=tiny_package, images=images, threads=1)
    )
    with serving(folder / "bundle", folder / "log") as client:
        yield client


@pytest.fixture(scope="module")
def dated_site(browser: Browser, dated: httpx.Client, show: Show) -> Iterator[str]:
    with show(str(dated.base_url)) as url:
        yield url


def paths(page: Page) -> list[str]:
    return page.locator("ul.grid .path").all_text_contents()


def ready(page: Page, words: str) -> None:
    page.locator("#sightline-results").filter(has_text=words).wait_for()


def numbered(numbers: list[int]) -> list[str]:
    return [f"{number:02}.png" for number in numbers]


def refine(page: Page) -> None:
    page.get_by_text(ENGLISH.refine, exact=True).click()
    # Streamlit fetches a kind of field when it first shows one.
    page.wait_for_load_state("networkidle")
    settle(page)


def settle(page: Page) -> None:
    """What moves under it closes a list that has just been opened."""
    page.wait_for_function(
        """async () => {
            const where = () => [...document.querySelectorAll("summary, .found, .stMain input")]
                .map((one) => one.getBoundingClientRect().top).join();
            const before = where();
            await new Promise((resolve) => setTimeout(resolve, 400));
            return where() === before;
        }"""
    )


def test_the_start_page_shows_the_newest(dated_site: str, visit: Open) -> None:
    page = visit(dated_site)
    page.get_by_role("heading", name=ENGLISH.newest_images).wait_for()
    assert paths(page) == numbered(list(range(29, 17, -1)))
    assert page.locator(".similarity").count() == 0
    # All of them are a key away, to the last.
    page.get_by_role("link", name=ENGLISH.all_images).press("Enter")
    ready(page, f"12 of {MANY} pictures, {ENGLISH.newest}")
    for shown in (24, MANY):
        page.get_by_role("button", name=ENGLISH.more).click()
        page.locator("ul.grid li").nth(shown - 1).wait_for()
    assert paths(page) == numbered(list(range(29, -1, -1)))
    assert page.get_by_role("button", name=ENGLISH.more).count() == 0
    page.go_back()
    page.get_by_role("heading", name=ENGLISH.newest_images).wait_for()


def test_some_of_everything_where_there_are_no_dates(site: str, visit: Open) -> None:
    page = visit(site)
    page.get_by_role("heading", name=ENGLISH.some_images).wait_for()
    folders = {path.split("/")[0] for path in paths(page)}
    assert len(paths(page)) == 12
    assert len(folders) > 4


def test_a_value_is_chosen_by_pointer_and_taken_away(dated_site: str, visit: Open) -> None:
    page = visit(dated_site)
    refine(page)
    page.get_by_label("mood", exact=True).click()
    page.get_by_role("option", name="calm (10)").click()
    ready(page, f"10 pictures, only mood = calm, {ENGLISH.newest}")
    assert paths(page) == numbered(list(range(27, -1, -3)))
    settle(page)
    page.get_by_label("mood", exact=True).click()
    page.get_by_role("option", name="odd (10)").click()
    ready(page, "12 of 20 pictures, only mood = calm / odd")
    said = page.locator(".announcer").filter(has_text="mood = calm / odd")
    said.wait_for(state="attached")

    page.keyboard.press("Escape")
    page.get_by_text(ENGLISH.all_but.format(field="mood")).click()
    ready(page, "10 pictures, only mood ≠ calm / odd")
    page.get_by_role("link", name="mood ≠ calm").click()
    ready(page, "12 of 20 pictures, only mood ≠ odd")
    page.get_by_role("link", name="mood ≠ odd").click()
    page.get_by_role("heading", name=ENGLISH.newest_images).wait_for()


def test_a_value_is_chosen_by_keyboard_and_taken_away(dated_site: str, visit: Open) -> None:
    page = visit(dated_site)
    refine(page)
    page.get_by_label("mood", exact=True).focus()
    page.keyboard.type("lou")
    page.locator("[aria-label=mood][aria-activedescendant]").wait_for()
    page.keyboard.press("Enter")
    ready(page, "10 pictures, only mood = loud")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="mood = loud").press("Enter")
    page.get_by_role("heading", name=ENGLISH.newest_images).wait_for()
    # Where the chip was there is nothing now: what stands there instead is read.
    page.wait_for_function("document.activeElement.id === 'sightline-results'")


def test_years_are_chosen_where_bars_say_what_there_is(dated_site: str, visit: Open) -> None:
    # So high that nothing need be scrolled: that closes a list that has just been opened.
    page = visit(f"{dated_site}{CALM}", height=1600)
    ready(page, "10 pictures, only mood = calm")
    refine(page)
    bars = page.get_by_role("img", name="taken_at, from 2016 to 2020; most in 2020: 6 pictures")
    bars.wait_for()
    page.get_by_label(ENGLISH.at_least.format(field="taken_at")).click()
    page.get_by_role("option", name="2017 (6)").click()
    ready(page, "8 pictures, only mood = calm, taken_at ≥ 2017")
    settle(page)
    last = page.get_by_label(ENGLISH.at_most.format(field="taken_at"))
    last.focus()
    page.keyboard.type("2018")
    page.locator("[aria-label='taken_at up to'][aria-activedescendant]").wait_for()
    page.keyboard.press("Enter")
    ready(page, "4 pictures, only mood = calm, taken_at = 2017–2018")
    assert paths(page) == numbered([15, 12, 9, 6])
    assert bars.locator(".out").count() == 3
    page.get_by_role("link", name=ENGLISH.clear_all).click()
    page.get_by_role("heading", name=ENGLISH.newest_images).wait_for()
    assert page.url.rstrip("/?") == dated_site


def test_an_order_is_chosen_and_stands_in_the_link(dated_site: str, visit: Open) -> None:
    page = visit(f"{dated_site}{CALM}")
    ready(page, "mood = calm")
    refine(page)
    page.get_by_text(ENGLISH.oldest, exact=True).click()
    ready(page, f"only mood = calm, {ENGLISH.oldest}")
    assert paths(page) == numbered(list(range(0, 30, 3)))
    page.get_by_role("radio", name=ENGLISH.oldest).press("ArrowRight")
    ready(page, f"only mood = calm, {ENGLISH.by_path}")
    page.wait_for_url("**sort=path*")
    again = visit(page.url)
    ready(again, ENGLISH.by_path)
    assert paths(again) == paths(page)
    page.get_by_role("link", name=f"condition {ENGLISH.by_path}").click()
    ready(page, f"only mood = calm, {ENGLISH.newest}")


def test_what_is_sought_is_sorted_too(dated_site: str, dated: httpx.Client, visit: Open) -> None:
    page = visit(f"{dated_site}?q=blobs&sort=taken_at")
    ready(page, f"“blobs”, {ENGLISH.oldest}")
    asked = {"query": "blobs", "sort": "taken_at", "k": 12, "mode": "auto"}
    answer = dated.post("/search", json=asked).json()["results"]
    assert paths(page) == [one["image_path"] for one in answer]
    assert page.locator(".similarity").count() == 12


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1920])
def test_axe_finds_nothing(dated_site: str, visit: Open, width: int, dark: bool) -> None:
    address = f"{dated_site}{CALM[:-3]}%2C%22taken_at%22%3A%7B%22gte%22%3A%222017%22%7D%7D"
    # So high that no control is cut in two by the window's edge.
    page = visit(address, width=width, height=1600, dark=dark)
    ready(page, "mood = calm, taken_at ≥ 2017")
    refine(page)
    page.locator(".bars").first.wait_for()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"filters-{width}-{'dark' if dark else 'light'}.png")
    assert violations(page) == {}
    assert page.evaluate("document.querySelector('.stMain').scrollWidth <= innerWidth")
    chips = page.get_by_role("list", name=ENGLISH.filters).get_by_role("listitem")
    assert chips.count() == 3
    assert len(Tree.of(page).images()) == 1


def test_an_older_service_offers_no_filters(fake_site: str, visit: Open) -> None:
    page = visit(f"{fake_site}?q=a%20fox&filter=%7B%22mood%22%3A%22calm%22%7D")
    ready(page, "mood = calm")
    refine(page)
    assert page.get_by_label("mood", exact=True).count() == 1
    assert page.locator(".bars").count() == 0
