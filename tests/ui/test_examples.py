"""``examples/sightline.mjs``, the module for browsers, in a real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MODULE = Path(__file__).resolve().parents[2] / "examples" / "sightline.mjs"
# What runs `use`, the body of a function, with what the module exports.
_RUN = """async ([source, service, use]) => {
    const { search, searchByImage } = await import(URL.createObjectURL(
        new Blob([source], { type: "text/javascript" })));
    return await new Function("search", "searchByImage", "options", `return (${use})()`)(
        search, searchByImage, { service });
}"""


@pytest.fixture
def page(browser: Browser, service: httpx.Client) -> Iterator[Page]:
    """A page of the service's own origin, with no rules of what may run in it."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{service.base_url}/livez")
    yield page
    context.close()


def run(page: Page, service: httpx.Client, use: str) -> Any:
    source = MODULE.read_text(encoding="utf-8")
    return page.evaluate(_RUN, [source, str(service.base_url), use])


def test_the_module_searches_by_words_and_by_an_image(page: Page, service: httpx.Client) -> None:
    found = run(
        page,
        service,
        """async () => {
            const [best] = await search({ query: "a red fox", k: 1 }, options);
            const picture = await (await fetch(best.imageUrl)).blob();
            const alike = await searchByImage(picture, 3, options);
            return { best, alike };
        }""",
    )
    assert found["best"]["imageUrl"] == str(service.base_url.join(found["best"]["image_url"]))
    assert len(found["alike"]) == 3
    assert found["alike"][0]["id"] == found["best"]["id"]


def test_the_module_throws_what_the_service_says(page: Page, service: httpx.Client) -> None:
    said = run(
        page,
        service,
        'async () => search({ query: "", k: 1 }, options).catch((error) => error.message)',
    )
    assert said.startswith("query: ")
