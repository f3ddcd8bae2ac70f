"""Several images are chosen, by keyboard and by pointer, and something is done with them all."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlparse

import httpx
import pytest

from tests.service.conftest import serving
from tests.ui.conftest import SCREENSHOTS, Open, Show, found
from tests.ui.fake import FakeService, result
from tests.ui.test_accessibility import GUITARS, violations
from tests.ui.test_page import wait_for_images
from ui.english import ENGLISH
from ui.question import MAX_CHOSEN

if TYPE_CHECKING:
    from playwright.sync_api import Download, Locator, Page

pytestmark = pytest.mark.slow

CLIPBOARD = {"permissions": ["clipboard-read", "clipboard-write"]}


def bar(page: Page) -> Locator:
    return page.locator(".bar-of-chosen")


def boxes(page: Page) -> Locator:
    return page.locator(".found > ul.grid").get_by_role("checkbox")


def chosen(page: Page) -> list[int]:
    """The places of those that are chosen."""
    all_of_them = page.get_by_role("checkbox", include_hidden=True)
    checked = all_of_them.evaluate_all("all => all.map((one) => one.checked)")
    return [place for place, is_checked in enumerate(checked) if is_checked]


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def ready(page: Page, words: str = "“a guitar”") -> None:
    page.locator("#sightline-results").filter(has_text=words).wait_for()


def clipboard(page: Page) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def numbered(fake: FakeService, *similarities: float, **fields: object) -> list[dict[str, object]]:
    results = [result(n, value, **fields) for n, value in enumerate(similarities)]
    fake.answer(200, {"results": results})
    return results


@pytest.mark.parametrize("width", [1920, 360])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_by_pointer(site: str, visit: Open, width: int, dark: bool) -> None:
    page = visit(site + GUITARS, width=width, dark=dark)
    ready(page)
    assert not bar(page).is_visible()
    boxes(page).nth(1).check()
    assert bar(page).get_by_text("1 picture chosen", exact=True).is_visible()
    said = page.locator(".announcer[role=status]")
    said.filter(has_text="1 picture chosen").wait_for(state="attached")
    boxes(page).nth(4).click(modifiers=["Shift"])
    assert chosen(page) == [1, 2, 3, 4]
    # From the same one to another.
    page.locator("a.frame").nth(0).click(modifiers=["Shift"])
    assert chosen(page) == [0, 1]
    boxes(page).nth(3).check()
    assert chosen(page) == [0, 1, 3]
    said.filter(has_text="3 pictures chosen").wait_for(state="attached")
    wait_for_images(page)
    assert violations(page) == {}
    assert page.evaluate("document.querySelector('.stMain').scrollWidth <= innerWidth")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"selection-{width}{'-dark' if dark else ''}.png")
    bar(page).get_by_role("button", name=ENGLISH.clear).click()
    assert chosen(page) == []
    assert not bar(page).is_visible()
    said.filter(has_text=ENGLISH.none_chosen).wait_for(state="attached")
    assert page.evaluate("document.activeElement.closest('.grid') !== null")


@pytest.mark.parametrize(("width", "dark"), [(1920, False), (360, True)])
def test_by_keyboard(site: str, visit: Open, width: int, dark: bool) -> None:
    page = visit(site + GUITARS, width=width, dark=dark)
    ready(page)
    page.locator("a.frame").nth(1).focus()
    press(page, "Space")
    assert chosen(page) == [1]
    press(page, "Space")
    assert chosen(page) == []
    press(page, "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight")
    assert chosen(page) == [2, 3, 4]
    press(page, "Shift+ArrowLeft")
    assert chosen(page) == [2, 3]
    press(page, "Home", "Space")
    assert chosen(page) == [0, 2, 3]
    # A range from elsewhere comes to what there is.
    press(page, "End", "Shift+ArrowLeft")
    last = boxes(page).count() - 1
    assert chosen(page) == [0, 2, 3, last - 1, last]
    press(page, "Control+a")
    assert chosen(page) == list(range(last + 1))
    assert f"{last + 1} pictures chosen" in bar(page).inner_text()
    press(page, "Escape")
    assert chosen(page) == []
    # What is folded away is not chosen with all.
    assert page.get_by_role("checkbox", include_hidden=True).count() == 12


def test_each_checkbox_is_named_after_its_image(site: str, visit: Open) -> None:
    page = visit(site + GUITARS)
    ready(page)
    alts = page.locator(".found > ul.grid img").evaluate_all("all => all.map(one => one.alt)")
    for place, told in enumerate(alts[:3]):
        # A word alone is announced as an image.
        alt = told.removeprefix(ENGLISH.image_of.format(alt=""))
        assert boxes(page).nth(place).get_attribute("aria-label") == f"Choose: {alt}"


def test_what_is_chosen_stays_so(site: str, visit: Open) -> None:
    page = visit(f"{site}?q=an%20animal")
    ready(page, "“an animal”")
    boxes(page).nth(0).check()
    boxes(page).nth(11).check()
    page.get_by_role("button", name=ENGLISH.more).click()
    page.locator(".found > ul.grid > li").nth(23).wait_for()
    assert chosen(page) == [0, 11]
    boxes(page).nth(23).check()
    field = page.get_by_label(ENGLISH.query)
    field.fill("a guitar")
    field.press("Enter")
    ready(page)
    assert chosen(page) == []
    count = bar(page).locator("p")
    assert count.inner_text() == "3 pictures chosen, 3 of them not shown here"
    boxes(page).nth(2).check()
    assert count.inner_text() == "4 pictures chosen, 3 of them not shown here"
    page.go_back()
    ready(page, "“an animal”")
    assert chosen(page) == [0, 11]


def test_paths_and_a_link(site: str, visit: Open) -> None:
    page = visit(site + GUITARS, **CLIPBOARD)
    ready(page)
    paths = page.locator(".grid .path").all_text_contents()
    alts = page.locator(".grid img").evaluate_all("all => all.map(one => one.alt)")
    for place in (2, 0):
        boxes(page).nth(place).check()
    bar(page).get_by_role("button", name=ENGLISH.copy_paths).click()
    bar(page).get_by_role("button", name=ENGLISH.paths_copied).wait_for()
    assert clipboard(page) == f"{paths[2]}\n{paths[0]}"
    bar(page).get_by_role("button", name=ENGLISH.copy_link).click()
    bar(page).get_by_role("button", name=ENGLISH.copied).wait_for()

    # In the order in which they were chosen.
    other = visit(clipboard(page))
    ready(other, "2 chosen pictures")
    assert other.locator(".grid .path").all_text_contents() == [paths[2], paths[0]]
    shown = other.locator(".grid img").evaluate_all("all => all.map(one => one.alt)")
    assert shown == [alts[2], alts[0]]
    assert other.locator(".similarity").count() == 0
    assert violations(other) == {}
    # And from there to a search.
    other.get_by_label(ENGLISH.query).fill("a guitar")
    other.get_by_label(ENGLISH.query).press("Enter")
    ready(other)
    assert "ids=" not in other.url


def test_paths_are_copied_without_leave_as_well(site: str, visit: Open) -> None:
    script = "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
    page = visit(site + GUITARS, script=script)
    ready(page)
    boxes(page).first.check()
    bar(page).get_by_role("button", name=ENGLISH.copy_paths).click()
    bar(page).get_by_role("button", name=ENGLISH.paths_copied).wait_for()
    field = page.get_by_label(ENGLISH.query)
    field.fill("")
    field.press("Control+v")
    assert field.input_value() == page.locator(".grid .path").first.inner_text()


def test_of_what_is_gone_the_link_tells(site: str, service: httpx.Client, visit: Open) -> None:
    [hit] = service.post("/search", json={"query": "a guitar", "k": 1}).json()["results"]
    page = visit(f"{site}?ids={hit['id']},{'f' * 16},{'e' * 16}")
    ready(page, "1 chosen picture, 2 are no longer there")
    assert page.locator(".grid .path").all_text_contents() == [hit["image_path"]]


def test_more_like_these(site: str, service: httpx.Client, visit: Open) -> None:
    page = visit(site + GUITARS)
    ready(page)
    ids = [boxes(page).nth(place).input_value() for place in (0, 1)]
    for place in (0, 1):
        boxes(page).nth(place).check()
    bar(page).get_by_role("link", name=ENGLISH.like_these).click()
    ready(page, "like “2 chosen pictures”")
    assert parse_qs(urlparse(page.url).query)["like"] == [",".join(ids)]
    asked = {"query": "a guitar", "queries": [{"like": one} for one in ids], "k": 14}
    asked["mode"] = "auto"
    answer = service.post("/search", json=asked).json()["results"]
    expected = [one["image_path"] for one in answer if one["id"] not in ids][:12]
    assert page.locator("ul.grid .path").all_text_contents() == expected
    assert page.locator(".seed img").count() == 2
    assert "2 pictures chosen" in bar(page).inner_text()
    page.get_by_role("link", name=ENGLISH.drop_likes).click()
    ready(page, found("for “a guitar”"))


def test_a_zip_of_the_originals(site: str, visit: Open) -> None:
    page = visit(site + GUITARS)
    ready(page)
    paths = page.locator(".grid .path").all_text_contents()
    originals = page.locator("a.frame").evaluate_all("all => all.map(one => one.href)")
    for place in (0, 2):
        boxes(page).nth(place).check()
    archive = bar(page).get_by_role("link", name=ENGLISH.zip)
    address = archive.get_attribute("href") or ""
    # The page stays: whatever comes, comes elsewhere.
    assert archive.get_attribute("target") == "_blank"
    with zipfile.ZipFile(io.BytesIO(httpx.get(address, trust_env=False).content)) as opened:
        assert opened.namelist() == [paths[0], paths[2]]
        first = httpx.get(originals[0], trust_env=False).content
        assert opened.read(paths[0]) == first
    came: list[Download] = []
    page.context.on("page", lambda other: other.on("download", lambda one: came.append(one)))
    page.on("download", lambda one: came.append(one))
    archive.click()
    while not came:
        page.wait_for_timeout(50)
    assert came[0].suggested_filename == "pictures.zip"
    assert "2 pictures chosen" in bar(page).inner_text()


def test_a_zip_behind_a_key(visit: Open, show: Show, demo_bundle: Path, tmp_path: Path) -> None:
    with (
        serving(demo_bundle, tmp_path / "log", SIGHTLINE_API_KEY="secret") as client,
        show(str(client.base_url), SIGHTLINE_API_KEY="secret") as url,
    ):
        page = visit(url + GUITARS)
        ready(page)
        page.locator("button.frame").first.focus()
        # A button is not pressed by what chooses.
        press(page, "Space")
        assert not page.get_by_role("dialog").is_visible()
        assert chosen(page) == [0]
        path = page.locator(".grid .path").first.inner_text()
        bar(page).get_by_role("button", name=ENGLISH.zip).click()
        save = page.get_by_role("button", name="Save 1 picture as a ZIP")
        save.wait_for()
        page.wait_for_function("document.activeElement.closest('.st-key-archive')")
        assert violations(page) == {}
        with page.expect_download() as download:
            press(page, "Enter")
        with zipfile.ZipFile(download.value.path()) as opened:
            assert opened.namelist() == [path]
        save.wait_for(state="detached")
        assert chosen(page) == [0]


def test_a_table_for_spreadsheets(fake_site: str, fake: FakeService, visit: Open) -> None:
    odd = [
        result(0, 0.5, caption='She said "hi",\nand left', metadata={"year": 1999, "by": "Ann"}),
        result(1, -0.25, caption="=1+1", metadata={"caption": "theirs", "@x": ["a", "-b"]}),
        result(2, 0.25, caption="Füchse 🦊", metadata={"deep": {"a": [1]}, "by": "+49 30"}),
        result(3, 0.125, alt_text="-x"),
    ]
    fake.answer(200, {"results": odd})
    page = visit(f"{fake_site}?q=a%20red%20fox")
    page.locator("a.frame").first.focus()
    press(page, "Control+a")
    with page.expect_download() as download:
        bar(page).get_by_role("button", name=ENGLISH.csv).click()
    assert download.value.suggested_filename == "pictures.csv"
    content = Path(download.value.path()).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.endswith(b"\r\n")
    text = content.decode("utf-8-sig")
    assert '"She said ""hi"",\nand left"' in text
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    columns = ["id", "image_path", "caption", "alt_text", "similarity"]
    assert list(rows[0]) == [*columns, "year", "by", "metadata.caption", "'@x", "deep"]
    assert [row["id"] for row in rows] == [one["id"] for one in odd]
    assert rows[0]["caption"] == odd[0]["caption"]
    assert (rows[0]["year"], rows[0]["by"], rows[0]["deep"]) == ("1999", "Ann", "")
    # What a spreadsheet would compute, it shows; numbers are numbers.
    assert (rows[1]["caption"], rows[1]["similarity"]) == ("'=1+1", "-0.25")
    assert (rows[1]["metadata.caption"], rows[1]["'@x"]) == ("theirs", "a; -b")
    assert (rows[2]["deep"], rows[2]["by"]) == ('{"a":[1]}', "'+49 30")
    assert (rows[2]["caption"], rows[3]["alt_text"]) == ("Füchse 🦊", "'-x")


def test_more_than_fit_are_not_promised(fake_site: str, fake: FakeService, visit: Open) -> None:
    numbered(fake, *([0.5] * (MAX_CHOSEN + 1)))
    page = visit(f"{fake_site}?q=a%20red%20fox")
    page.locator("a.frame").first.focus()
    press(page, "Control+a")
    said = bar(page)
    assert f"{MAX_CHOSEN + 1} pictures chosen" in said.inner_text()
    assert said.get_by_text(ENGLISH.zip_most.format(n=MAX_CHOSEN)).get_attribute("href") is None
    assert not said.get_by_role("button", name=ENGLISH.copy_link).is_visible()
    like = said.get_by_role("link", name=ENGLISH.like_first.format(n=16))
    assert (like.get_attribute("href") or "").count(",") == 15
    boxes(page).first.uncheck()
    assert said.get_by_role("link", name=ENGLISH.zip).is_visible()
    address = said.get_by_role("link", name=ENGLISH.zip).get_attribute("href") or ""
    assert re.search(r"/images\.zip\?ids=(\w{16},){399}\w{16}$", address)
