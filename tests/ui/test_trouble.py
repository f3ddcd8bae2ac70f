"""A service that is overloaded, slow, strange or gone: said plainly, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.service.conftest import free_port
from tests.ui.conftest import Open, Show
from tests.ui.fake import FakeService, result
from ui.english import ENGLISH

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


def search(page: Page, text: str) -> None:
    page.get_by_label(ENGLISH.query).fill(text)
    page.get_by_label(ENGLISH.query).press("Enter")


def told(page: Page, words: str) -> None:
    page.locator("#sightline-results").filter(has_text=words).wait_for()
    page.locator("[role=status].announcer").filter(has_text=words).wait_for(state="attached")


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (429, {"Retry-After": "7"}, ENGLISH.busy),
        (500, {}, ENGLISH.failed),
        (503, {"Retry-After": "1"}, ENGLISH.down),
        (401, {}, ENGLISH.locked),
        (400, {}, ENGLISH.refused),
    ],
)
def test_trouble_is_told_and_the_text_kept(
    fake_site: str,
    fake: FakeService,
    visit: Open,
    status: int,
    headers: dict[str, str],
    words: str,
) -> None:
    fake.answer(status, {"error": {"field": None, "message": "a reason"}}, headers)
    page = visit(fake_site)
    search(page, "a red fox")
    told(page, words)
    assert page.get_by_label(ENGLISH.query).input_value() == "a red fox"
    assert "q=a+red+fox" in page.url
    body = page.locator(".error").inner_text()
    if status == 429:
        assert "7 seconds" in body
    if status == 400:
        assert "a reason" in body

    fake.answer(200, {"results": [result(1, 0.3), result(2, 0.2)]})
    page.get_by_role("button", name=ENGLISH.search, exact=True).click()
    told(page, "2 pictures for “a red fox”")


def test_nothing_found_says_what_to_do(fake_site: str, fake: FakeService, visit: Open) -> None:
    fake.answer(200, {"results": []})
    page = visit(f'{fake_site}?q=a%20red%20fox&filter={{"year":1999}}')
    told(page, ENGLISH.none)
    fake.answer(200, {"results": [result(1, 0.3)]})
    page.get_by_text(ENGLISH.drop_filter).click()
    told(page, "1 picture for “a red fox”")
    assert "filter" not in fake.asked[-1]


def test_a_slow_service_is_seen_to_work(fake_site: str, fake: FakeService, visit: Open) -> None:
    fake.answer(200, {"results": [result(1, 0.3)]})
    fake.delay = 1.5
    try:
        page = visit(fake_site)
        search(page, "a red fox")
        page.get_by_text(ENGLISH.searching).wait_for()
        assert page.get_by_label(ENGLISH.query).input_value() == "a red fox"
        told(page, "1 picture for “a red fox”")
    finally:
        fake.delay = 0.0


def test_an_empty_field_asks_nothing(fake_site: str, fake: FakeService, visit: Open) -> None:
    page = visit(fake_site)
    asked = len(fake.asked)
    search(page, "   ")
    page.wait_for_timeout(500)
    assert len(fake.asked) == asked
    assert page.get_by_text(ENGLISH.start).is_visible()


def test_without_a_service_the_page_says_so(browser: Browser, show: Show, visit: Open) -> None:
    with show(f"http://127.0.0.1:{free_port()}") as url:
        page = visit(url)
        page.get_by_text(ENGLISH.down).first.wait_for()
        search(page, "a red fox")
        told(page, ENGLISH.down)
        assert page.get_by_label(ENGLISH.query).input_value() == "a red fox"
