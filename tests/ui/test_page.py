"""The main jobs, done in Chromium against the real service and its gallery."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest

from tests.service.conftest import free_port, serving, start_service, stop, wait_until_ready
from tests.ui.conftest import SCREENSHOTS, Open, Show, found
from ui.english import ENGLISH
from ui.german import GERMAN

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow

GALLERY = Path(__file__).resolve().parents[2] / "demo" / "gallery"
GUITAR = GALLERY / "music" / "acoustic-guitar.webp"


def field(page: Page) -> Locator:
    return page.get_by_label(ENGLISH.query)


def heading(page: Page) -> Locator:
    return page.locator("#sightline-results")


def paths(page: Page) -> list[str]:
    return page.locator("ul.grid .path").all_text_contents()


def search(page: Page, text: str) -> None:
    field(page).fill(text)
    field(page).press("Enter")
    wait_for_heading(page, f"“{text}”")


def wait_for_heading(page: Page, words: str | re.Pattern[str]) -> None:
    heading(page).filter(has_text=words).wait_for()


def wait_for_images(page: Page) -> None:
    """Until every image has been loaded and decoded."""
    page.wait_for_function(
        """() => {
            const all = [...document.querySelectorAll("ul.grid img")];
            all.forEach((image) => (image.loading = "eager"));
            return all.length && all.every((image) => image.complete && image.naturalWidth);
        }"""
    )


def tab_to(page: Page, target: Locator, most: int = 60) -> None:
    """Press Tab until ``target`` has the focus, as somebody without a mouse would."""
    target.wait_for()
    for _ in range(most):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{most} times Tab do not lead to {target}")


def test_by_keyboard_alone(site: str, visit: Open) -> None:
    page = visit(site)
    # Streamlit's own skip link and the scrolled area come first.
    tab_to(page, page.get_by_text(ENGLISH.skip), most=3)
    tab_to(page, field(page))
    page.keyboard.type("a guitar")
    page.keyboard.press("Enter")
    wait_for_heading(page, found("for “a guitar”"))
    assert field(page).input_value() == "a guitar"
    wait_for_images(page)
    alts = page.locator("ul.grid img").evaluate_all("all => all.map(image => image.alt)")
    assert any("guitar" in alt.lower() for alt in alts[:3]), alts

    tab_to(page, page.locator(".frame").first)
    page.keyboard.press("F2")
    more = page.locator("[data-action=like]").first
    assert more.evaluate("element => element === document.activeElement")
    outline = more.evaluate("element => getComputedStyle(element).outlineStyle")
    assert outline != "none", "the focus must be seen"
    page.keyboard.press("Enter")
    wait_for_heading(page, f"like “{alts[0]}”")
    assert heading(page).evaluate("element => element === document.activeElement")


def test_the_skip_link_leads_to_the_results(site: str, visit: Open) -> None:
    page = visit(f"{site}?q=a%20guitar")
    wait_for_heading(page, "“a guitar”")
    tab_to(page, page.get_by_text(ENGLISH.skip))
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'sightline-results'")


def test_more_like_this_finds_others_and_can_be_shared(site: str, visit: Open) -> None:
    page = visit(f"{site}?q=a%20guitar")
    wait_for_heading(page, "“a guitar”")
    first = paths(page)[0]
    page.locator("[data-action=like]").first.click()
    page.wait_for_url("**like=*")
    wait_for_heading(page, found("like"))
    others = paths(page)
    assert len(others) == 12
    assert first not in others, "the picture itself is no news"
    again = visit(page.url)
    wait_for_heading(again, found("like"))
    assert paths(again) == others


def test_an_image_of_ones_own(site: str, visit: Open) -> None:
    page = visit(site)
    page.get_by_text(ENGLISH.upload, exact=True).click()
    page.locator("input[type=file]").set_input_files(GUITAR)
    wait_for_heading(page, f"like your picture “{GUITAR.name}”")
    assert paths(page)[0] == "music/acoustic-guitar.webp"


def test_a_pasted_image(site: str, visit: Open) -> None:
    page = visit(site)
    page.evaluate(
        """(bytes) => {
            const clipboard = new DataTransfer();
            clipboard.items.add(
                new File([new Uint8Array(bytes)], "pasted.webp", { type: "image/webp" }));
            document.dispatchEvent(
                new ClipboardEvent("paste", { clipboardData: clipboard, bubbles: true }));
        }""",
        list(GUITAR.read_bytes()),
    )
    wait_for_heading(page, "like your picture “pasted.webp”")
    assert paths(page)[0] == "music/acoustic-guitar.webp"


def test_a_file_that_is_no_image_is_refused_in_words(
    site: str, visit: Open, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image at all")
    page = visit(site)
    page.get_by_text(ENGLISH.upload, exact=True).click()
    page.locator("input[type=file]").set_input_files(broken)
    page.get_by_text(ENGLISH.not_an_image).first.wait_for()


def test_a_negative_text_changes_what_is_found(site: str, visit: Open) -> None:
    page = visit(site)
    search(page, "a cat")
    before = paths(page)
    page.get_by_text(ENGLISH.refine, exact=True).click()
    page.get_by_label(ENGLISH.negative).fill("a black and white drawing of a cat")
    page.get_by_label(ENGLISH.negative).press("Enter")
    wait_for_heading(page, "not like “a black and white drawing of a cat”")
    assert paths(page) != before
    assert "not=a+black" in page.url


def test_a_filter_from_the_metadata(site: str, visit: Open) -> None:
    page = visit(site)
    search(page, "a flower in a garden")
    page.locator("ul.grid summary").first.click()
    link = page.locator("ul.grid dt:text-is('Kind') + dd a").first
    kind = link.inner_text()
    link.click()
    page.wait_for_url("**filter=*")
    page.wait_for_function(
        """(kind) => {
            const said = [...document.querySelectorAll("ul.grid dt")]
                .filter((term) => term.textContent === "Kind")
                .map((term) => term.nextElementSibling.textContent);
            return said.length && said.every((value) => value === kind);
        }""",
        arg=kind,
    )


def test_a_link_makes_the_same_search(site: str, service: httpx.Client, visit: Open) -> None:
    conditions = {"kind": "drawing"}
    page = visit(f"{site}?q=a%20bird&not=a%20parrot&k=24&filter={quote(json.dumps(conditions))}")
    wait_for_heading(page, found("for “a bird”, not like “a parrot”"))
    assert field(page).input_value() == "a bird"
    asked = {"query": "a bird", "negative": "a parrot", "k": 24, "filter": conditions}
    asked["mode"] = "auto"
    answer = service.post("/search", json=asked).json()["results"]
    assert len(answer) == 24
    assert paths(page) == [result["image_path"] for result in answer]


def test_the_back_button_goes_to_the_search_before(site: str, visit: Open) -> None:
    page = visit(site)
    search(page, "a horse")
    before = paths(page)
    search(page, "a sailing boat")
    page.go_back()
    wait_for_heading(page, "“a horse”")
    assert paths(page) == before
    assert field(page).input_value() == "a horse"


def test_markup_in_a_query_stays_text(site: str, visit: Open) -> None:
    page = visit(site)
    text = "<img src=x onerror='window.hit=1'><b>bold</b> & \"quoted\""
    search(page, text)
    assert page.evaluate("window.hit") is None
    assert page.locator("#sightline-results b").count() == 0


def test_thumbnails_come_from_the_browser_s_cache(site: str, visit: Open) -> None:
    page = visit(site)
    search(page, "a guitar")
    wait_for_images(page)
    cached: list[object] = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.requestServedFromCache", lambda event: cached.append(event))
    fetched: list[str] = []
    page.on(
        "response",
        lambda response: (
            fetched.append(response.headers.get("cache-control", ""))
            if "size=thumbnail" in response.url
            else None
        ),
    )
    page.goto(f"{site}?q=a%20guitar")
    wait_for_heading(page, "“a guitar”")
    wait_for_images(page)
    assert len(fetched) == 12
    assert all("immutable" in header for header in fetched)
    assert len(cached) >= 12


def test_how_it_was_found(site: str, visit: Open, service: httpx.Client) -> None:
    page = visit(f"{site}?q=a%20guitar")
    page.get_by_text(ENGLISH.how).click()
    said = page.locator("details.how").inner_text()
    assert service.get("/info").json()["model"]["name"] in said
    for _, step in ENGLISH.steps:
        assert step in said


def test_german_for_those_who_read_it(site: str, visit: Open) -> None:
    page = visit(site, locale="de-AT")
    assert page.evaluate("document.documentElement.lang") == "de"
    page.get_by_label(GERMAN.query).fill("a guitar")
    page.get_by_label(GERMAN.query).press("Enter")
    wait_for_heading(page, re.compile(r"^\d+ Bild(er)? zu „a guitar“"))
    assert "," in page.locator("ul.grid .number").first.inner_text()


def test_images_behind_a_key(visit: Open, show: Show, demo_bundle: Path, tmp_path: Path) -> None:
    with (
        serving(demo_bundle, tmp_path / "log", SIGHTLINE_API_KEY="secret") as client,
        show(str(client.base_url), SIGHTLINE_API_KEY="secret") as url,
    ):
        page = visit(f"{url}?q=a%20guitar")
        wait_for_heading(page, "“a guitar”")
        wait_for_images(page)
        sources = page.locator("ul.grid img").evaluate_all("all => all.map(image => image.src)")
    assert all(source.startswith("data:image/webp;base64,") for source in sources)


def test_the_service_goes_and_comes_back(
    visit: Open, show: Show, demo_bundle: Path, tmp_path: Path
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    log = tmp_path / "log"
    process = start_service(demo_bundle, port, log)
    try:
        with show(address) as url, httpx.Client(base_url=address, trust_env=False) as client:
            wait_until_ready(client, process, log)
            page = visit(url)
            search(page, "a horse")
            stop(process)
            field(page).fill("a red boat")
            field(page).press("Enter")
            wait_for_heading(page, ENGLISH.down)
            assert ENGLISH.down in page.get_by_role("status").first.inner_text()
            assert field(page).input_value() == "a red boat"
            process = start_service(demo_bundle, port, log)
            wait_until_ready(client, process, log)
            page.locator("[data-action=again]").click()
            wait_for_heading(page, found("for “a red boat”"))
    finally:
        if process.poll() is None:
            stop(process)


@pytest.mark.parametrize(
    ("name", "width", "dark"),
    [("desktop", 1280, False), ("dark", 1280, True), ("phone", 390, False)],
)
def test_screenshots(site: str, visit: Open, name: str, width: int, dark: bool) -> None:
    page = visit(f"{site}?q=a%20guitar", width=width, dark=dark)
    wait_for_heading(page, "“a guitar”")
    wait_for_images(page)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    image = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=image)
    assert image.stat().st_size > 10_000
    background = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    lightness = sum(map(int, background.removeprefix("rgb(").removesuffix(")").split(",")[:3]))
    assert (lightness < 200) == dark
