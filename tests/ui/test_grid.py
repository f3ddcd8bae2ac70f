"""The grid: each image in its own shape, and what stands there until it comes."""

from __future__ import annotations

import base64
import io
import re
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.ui.conftest import SCREENSHOTS, Open, found
from tests.ui.fake import FakeService, result
from tests.ui.test_accessibility import GUITARS, Tree, violations
from ui.english import ENGLISH

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.slow

LANDSCAPES = "?q=a%20landscape&k=24"
THUMBNAIL = re.compile("size=thumbnail")
# Of every frame: where it lies, its image's shape, and what it stands on.
FRAMES = """() => [...document.querySelectorAll(".found > .grid .frame")].map((frame) => {
    const { top, width, height } = frame.getBoundingClientRect();
    const image = frame.querySelector("img");
    return { top, width, height, kind: frame.className,
        shape: image.naturalWidth / image.naturalHeight,
        mat: getComputedStyle(frame).backgroundColor };
})"""


def quarters(content: bytes) -> NDArray[np.float64]:
    """The mean colour of each quarter of an image, ``[4, 3]``."""
    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB").resize((2, 2), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64).reshape(4, 3)


def landscapes(page: Page) -> None:
    page.locator("#sightline-results").filter(has_text=found("for “a landscape”")).wait_for()


def rows(page: Page) -> list[list[dict[str, Any]]]:
    page.wait_for_function(
        """() => [...document.querySelectorAll(".found > .grid img")].every((image) =>
            (image.loading = "eager") && image.complete && image.naturalWidth)"""
    )
    frames = page.evaluate(FRAMES)
    return [list(row) for _, row in groupby(frames, lambda frame: round(frame["top"]))]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_each_image_has_its_own_shape_in_rows_of_one_height(
    site: str, visit: Open, dark: bool
) -> None:
    page = visit(site + LANDSCAPES, width=1920, height=1080, dark=dark)
    landscapes(page)
    laid = rows(page)
    assert all(4 <= len(row) <= 7 for row in laid[:-1]), [len(row) for row in laid]
    for row in laid:
        assert max(frame["height"] for frame in row) - min(frame["height"] for frame in row) < 1.5
    for frame in (frame for row in laid for frame in row):
        shape = min(2.5, max(0.97, frame["shape"]))
        assert frame["width"] / frame["height"] == pytest.approx(shape, rel=0.03)
        lightness = sum(map(int, re.findall(r"\d+", frame["mat"])[:3]))
        # Drawings that can be seen through stand on something bright, in the dark as well.
        assert (lightness < 150) == (dark and "opaque" in frame["kind"]), frame
    # A row is filled but for the last, whose images are no larger than the others.
    assert laid[-1][0]["height"] <= laid[0][0]["height"] + 1
    assert violations(page) == {}
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"grid-{'dark' if dark else 'light'}.png")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_phone_shows_two_in_a_row_above_the_fold(site: str, visit: Open, dark: bool) -> None:
    page = visit(site + GUITARS, width=360, height=740, dark=dark)
    page.locator("#sightline-results").filter(has_text=found("for “a guitar”")).wait_for()
    laid = rows(page)
    assert [len(row) for row in laid[:-1]] == [2] * (len(laid) - 1)
    assert all(frame["top"] + frame["height"] <= 740 for frame in laid[0])
    assert violations(page) == {}
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"grid-phone-{'dark' if dark else 'light'}.png")


def test_a_blurred_one_stands_there_until_the_thumbnail_comes(site: str, visit: Open) -> None:
    page = visit(site)
    held: list[Route] = []
    page.route(THUMBNAIL, lambda route: held.append(route))
    page.get_by_label(ENGLISH.query).fill("a landscape")
    page.get_by_label(ENGLISH.query).press("Enter")
    landscapes(page)
    waiting = page.locator(".grid .frame.waiting")
    waiting.nth(3).wait_for()
    # It is drawn a moment later.
    page.wait_for_function("() => document.querySelector('.grid img').style.backgroundImage")
    page.screenshot(path=SCREENSHOTS / "grid-waiting.png")
    first = page.locator(".grid img").first
    standing = first.evaluate("image => image.style.backgroundImage.slice(5, -2)")
    assert standing.startswith("data:image/png;base64,")
    # Its colours are those of the image, quarter by quarter.
    colours = quarters(base64.b64decode(standing.partition(",")[2]))

    for route in held:
        route.continue_()
    page.unroute(THUMBNAIL)
    rows(page)
    assert waiting.count() == 0
    assert first.evaluate("image => image.style.backgroundImage") == ""
    whole = quarters(page.request.get(first.get_attribute("src") or "").body())
    assert np.abs(whole - colours).max() < 40
    assert np.ptp(whole, axis=0).max() > 10, "one colour would say nothing"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_thumbnail_that_does_not_come_is_said(site: str, visit: Open, dark: bool) -> None:
    page = visit(site, dark=dark)
    page.route(THUMBNAIL, lambda route: route.abort())
    page.get_by_label(ENGLISH.query).fill("a landscape")
    page.get_by_label(ENGLISH.query).press("Enter")
    landscapes(page)
    said = page.locator(".grid .frame").first.get_by_text(ENGLISH.broken)
    said.wait_for()
    assert page.locator(".grid .frame.waiting:not(:has(img[loading=lazy]))").count() == 0
    # What it shows can be read all the same.
    alts = page.locator(".found > .grid img").evaluate_all("all => all.map(image => image.alt)")
    assert Tree.of(page).images()[0] == alts
    assert violations(page) == {}


def test_one_that_fails_before_it_is_seen_to_be_in_sight_does_not_fade(
    site: str, visit: Open
) -> None:
    # A busy browser tells late what is in sight.
    late = """
      window.IntersectionObserver = class extends IntersectionObserver {
        constructor(met, options) {
          super((all, self) => setTimeout(met, 500, all, self), options);
        }
      };
    """
    page = visit(site, script=late)
    page.route(THUMBNAIL, lambda route: route.abort())
    page.get_by_label(ENGLISH.query).fill("a landscape")
    page.get_by_label(ENGLISH.query).press("Enter")
    landscapes(page)
    broken = page.locator(".grid .frame.broken")
    broken.nth(3).wait_for()
    page.wait_for_timeout(700)
    assert page.locator(".grid .frame.broken.waiting").count() == 0


def test_without_a_stand_in_there_is_a_place_for_the_image(
    fake_site: str, fake: FakeService, visit: Open
) -> None:
    """Of a service over an older bundle."""
    fake.answer(200, {"results": [result(n, 0.3) for n in range(3)]})
    page = visit(fake_site)
    page.route(THUMBNAIL, lambda route: None)
    page.get_by_label(ENGLISH.query).fill("a fox")
    page.get_by_label(ENGLISH.query).press("Enter")
    frame = page.locator(".frame.waiting").first
    frame.wait_for()
    box = frame.bounding_box()
    assert box
    assert box["width"] == pytest.approx(box["height"], abs=1)


@pytest.mark.parametrize("width", [1280, 360])
def test_details_tear_no_row(site: str, visit: Open, width: int) -> None:
    page = visit(site + LANDSCAPES, width=width)
    landscapes(page)
    cards = "() => [...document.querySelectorAll('.grid li')].map((one) => one.offsetTop)"
    before = page.evaluate(cards)
    summaries = page.locator(".grid summary")
    for number in (0, 1):
        summaries.nth(number).focus()
        page.keyboard.press("Enter")
        shown = page.locator(".grid details[open] dl")
        assert shown.count() == 1, "one at a time"
        box = shown.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert page.evaluate(cards) == before
    page.keyboard.press("Enter")
    assert page.locator(".grid details[open]").count() == 0
