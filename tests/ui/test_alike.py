"""What looks alike is shown once, over a small collection of copies."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlparse

import httpx
import pytest
from PIL import Image

from build.bundle_from_images import build_index
from build.index_options import IndexOptions
from tests.build.images import image_bytes
from tests.service.conftest import serving
from tests.ui.conftest import SCREENSHOTS, Open, Show
from tests.ui.test_accessibility import violations
from tests.ui.test_filters import paths, ready, refine
from ui.english import ENGLISH
from ui.german import GERMAN
from ui.texts import Texts

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow

DIFFERENT = 30
# Of the first image; of every third there are three, and of the others one.
MANY = 13
BLOBS = "?q=blobs"
HEADING = f"12 of {DIFFERENT} pictures for “blobs”, {ENGLISH.folded}"
BOTH_SIZES = pytest.mark.parametrize(("width", "dark"), [(1920, False), (360, True)])


def copies(number: int) -> int:
    return (0 if number % 3 else 3) if number else MANY


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory, tiny_package: Path) -> Iterator[httpx.Client]:
    """A service over images of which there are others in other sizes."""
    folder = tmp_path_factory.mktemp("copied")
    images = folder / "images"
    images.mkdir()
    with (images / "captions.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["image_path", "caption", "mood"])
        for number in range(DIFFERENT):
            own = Image.open(io.BytesIO(image_bytes(number)))
            for copy in range(copies(number) + 1):
                name = f"{number:02}-{copy:02}.png"
                larger = (60 + 5 * copy, 48 + 4 * copy)
                own.resize(larger, Image.Resampling.BICUBIC).save(images / name)
                rows.writerow([name, f"Blobs, number {number}", "calm"])
    build_index(
        IndexOptions(output=folder / "bundle", model=tiny_package, images=images, threads=1)
    )
    with serving(folder / "bundle", folder / "log") as client:
        yield client


@pytest.fixture(scope="module")
def copied_site(browser: object, copied: httpx.Client, show: Show) -> Iterator[str]:
    with show(str(copied.base_url)) as url:
        yield url


@pytest.fixture(scope="module")
def folded(copied: httpx.Client) -> list[dict[str, Any]]:
    """What the service gives for all there is, each once."""
    asked = {"query": "blobs", "mode": "auto", "fold": 0.95, "k": 100}
    results: list[dict[str, Any]] = copied.post("/search", json=asked).json()["results"]
    numbers = [int(one["image_path"][:2]) for one in results]
    assert sorted(numbers) == list(range(DIFFERENT))
    assert [one["duplicates"] for one in results] == list(map(copies, numbers))
    return results


def links(page: Page) -> Locator:
    return page.locator("[data-action=ids]")


def first_of_three(folded: list[dict[str, Any]]) -> dict[str, Any]:
    return next(one for one in folded[:12] if one["duplicates"] == 3)


def label(one: dict[str, Any], texts: Texts = ENGLISH) -> str:
    these = texts.alike_these[1].format(n=3)
    return f"{texts.alike[1].format(n=3)}: {these}: {one['caption']}"


def alike(one: dict[str, Any], copied: httpx.Client) -> list[str]:
    """The paths of an image and of what looks like it."""
    ids = [one["id"], *one["duplicate_ids"]]
    return [copied.get(f"/images/{each}/facts").json()["image_path"] for each in ids]


def fits(page: Page) -> bool:
    fits: bool = page.evaluate("document.querySelector('.stMain').scrollWidth <= innerWidth")
    return fits


@BOTH_SIZES
def test_by_pointer(
    copied_site: str,
    copied: httpx.Client,
    folded: list[dict[str, Any]],
    visit: Open,
    width: int,
    dark: bool,
) -> None:
    page = visit(copied_site + BLOBS, width=width, dark=dark, height=1600)
    plain = sum(copies(number) + 1 for number in range(DIFFERENT))
    ready(page, f"12 of {plain} pictures for “blobs”")
    assert links(page).count() == 0
    refine(page)
    page.get_by_text(ENGLISH.fold, exact=True).click()
    ready(page, HEADING)
    page.wait_for_url("**fold=1*")
    assert paths(page) == [one["image_path"] for one in folded[:12]]
    told = links(page).all_text_contents()
    assert told == [f"+{one['duplicates']} alike" for one in folded[:12] if one["duplicates"]]
    page.locator(".announcer").filter(has_text=ENGLISH.folded).wait_for(state="attached")
    assert violations(page) == {}
    assert fits(page)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"alike-{width}-{'dark' if dark else 'light'}.png")

    one = first_of_three(folded)
    page.get_by_role("link", name=label(one), exact=True).click()
    ready(page, "4 chosen pictures")
    assert paths(page) == alike(one, copied)
    assert f"ids={one['id']}" in page.url
    assert violations(page) == {}
    # Nothing is folded of what is looked up.
    assert page.get_by_role("list", name=ENGLISH.filters).count() == 0
    assert page.get_by_role("switch", name=ENGLISH.fold).is_disabled()
    page.go_back()
    ready(page, HEADING)
    page.reload()
    ready(page, HEADING)
    page.get_by_role("link", name=ENGLISH.take_away.format(filter=ENGLISH.folded)).click()
    ready(page, f"12 of {plain} pictures")
    page.wait_for_url(lambda address: "fold" not in address)


@BOTH_SIZES
def test_by_keyboard(
    copied_site: str,
    copied: httpx.Client,
    folded: list[dict[str, Any]],
    visit: Open,
    width: int,
    dark: bool,
) -> None:
    page = visit(copied_site + BLOBS, width=width, dark=dark, height=1600)
    ready(page, "pictures for “blobs”")
    refine(page)
    toggle = page.get_by_role("switch", name=ENGLISH.fold)
    page.get_by_role("radio", name="12").focus()
    page.keyboard.press("Tab")
    outline = (
        "(one) => [one === document.activeElement, getComputedStyle(one.closest('label')).outline]"
    )
    assert toggle.evaluate(outline) == [True, "rgb(217, 119, 6) solid 3px"]
    page.keyboard.press("Space")
    ready(page, HEADING)
    one = first_of_three(folded)
    page.locator("a.frame").nth(folded.index(one)).focus()
    for key in ("F2", "Tab"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == label(one)
    page.keyboard.press("Enter")
    ready(page, "4 chosen pictures")
    assert paths(page) == alike(one, copied)
    # What was found stands where the link was.
    page.wait_for_function("document.activeElement.id === 'sightline-results'")
    # The next search goes on as the last one did.
    page.get_by_label(ENGLISH.query).fill("blobs")
    page.keyboard.press("Enter")
    ready(page, HEADING)
    taken = page.get_by_role("link", name=ENGLISH.take_away.format(filter=ENGLISH.folded))
    taken.press("Enter")
    page.locator("#sightline-results").filter(has_not_text=ENGLISH.folded).wait_for()
    assert not toggle.is_checked()


def test_of_many_the_first_are_shown(
    copied_site: str, folded: list[dict[str, Any]], visit: Open
) -> None:
    page = visit(f"{copied_site}{BLOBS}&fold=1&k=48")
    ready(page, f"{DIFFERENT} pictures for “blobs”")
    [first] = [one for one in folded if one["duplicates"] == MANY]
    first_ten = ENGLISH.alike_first[1].format(n=10)
    page.get_by_role("link", name=f"+{MANY} alike: {first_ten}: {first['caption']}").click()
    ready(page, "11 chosen pictures")
    assert {path[:2] for path in paths(page)} == {"00"}


def test_more_of_them_are_each_shown_once(
    copied_site: str, folded: list[dict[str, Any]], visit: Open
) -> None:
    page = visit(f"{copied_site}{BLOBS}&fold=1")
    ready(page, HEADING)
    for shown in (24, DIFFERENT):
        page.get_by_role("button", name=ENGLISH.more).click()
        page.locator("ul.grid li").nth(shown - 1).wait_for()
    assert paths(page) == [one["image_path"] for one in folded]
    assert page.get_by_role("button", name=ENGLISH.more).count() == 0
    ready(page, f"{DIFFERENT} pictures for “blobs”, {ENGLISH.folded}")


def test_what_looks_like_the_one_sought_is_a_link_away(
    copied_site: str, folded: list[dict[str, Any]], copied: httpx.Client, visit: Open
) -> None:
    one = first_of_three(folded)
    page = visit(f"{copied_site}?like={one['id']}&fold=1&not=a%20fox&sort=path&k=96")
    ready(page, ENGLISH.folded)
    link = page.get_by_role("link", name=label(one), exact=True)
    leads_to = parse_qs(urlparse(str(link.get_attribute("href"))).query)
    link.click()
    ready(page, "4 chosen pictures")
    assert set(paths(page)) == set(alike(one, copied))
    # Clicked as opened in another tab: of what was sought nothing is left.
    page.wait_for_url("**ids=*")
    assert parse_qs(urlparse(page.url).query) == leads_to
    assert leads_to.keys() == {"ids", "fold", "k"}


def test_what_resembles_an_upload_is_folded_too(
    copied_site: str, copied: httpx.Client, visit: Open
) -> None:
    brought = image_bytes(3)
    page = visit(copied_site)
    refine(page)
    page.get_by_text(ENGLISH.fold, exact=True).click()
    page.wait_for_url("**fold=1*")
    page.locator("input[type=file]").set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": brought}
    )
    ready(page, f"like your picture “mine.png”, {ENGLISH.folded}")
    best = copied.post("/search_by_image", data={"fold": "0.95"}, files={"image": brought}).json()[
        "results"
    ][0]
    assert best["duplicates"] == 3
    assert paths(page)[0] == best["image_path"]
    # No address holds what was brought: that is taken away by a button.
    page.get_by_role("button", name=ENGLISH.take_away.format(filter=ENGLISH.folded)).click()
    page.locator("#sightline-results").filter(has_not_text=ENGLISH.folded).wait_for()
    assert links(page).count() == 0
    page.get_by_text(ENGLISH.fold, exact=True).click()
    page.get_by_role("link", name=label(best), exact=True).click()
    ready(page, "4 chosen pictures")
    assert page.locator(".seed").count() == 0


def test_all_that_is_active_is_cleared_at_once(copied_site: str, visit: Open) -> None:
    page = visit(f"{copied_site}{BLOBS}&fold=1&filter=%7B%22mood%22%3A%22calm%22%7D")
    ready(page, f"12 of {DIFFERENT} pictures for “blobs”, only Mood = calm, {ENGLISH.folded}")
    page.get_by_role("link", name=ENGLISH.clear_all).click()
    page.locator("#sightline-results").filter(has_not_text="calm").wait_for()
    page.wait_for_url(lambda address: address.endswith(BLOBS))
    assert links(page).count() == 0


def test_in_german(copied_site: str, folded: list[dict[str, Any]], visit: Open) -> None:
    page = visit(f"{copied_site}{BLOBS}&fold=1", locale="de-DE", width=360)
    ready(page, f"zu „blobs“, {GERMAN.folded}")
    page.get_by_text(GERMAN.refine, exact=True).click()
    assert page.get_by_role("switch", name=GERMAN.fold).is_checked()
    page.get_by_role("link", name=label(first_of_three(folded), GERMAN), exact=True).click()
    ready(page, "4 ausgewählte Bilder")
    assert fits(page)
