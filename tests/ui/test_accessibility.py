"""What somebody gets who cannot see the page, or sees it large, narrow, dark or unmoved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.tools import require_module
from tests.ui.conftest import Open, found
from ui.english import ENGLISH

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
GUITARS = "?q=a%20guitar"


class Tree:
    """What Chromium hands to a screen reader: its accessibility tree, by the DevTools protocol."""

    def __init__(self, nodes: list[dict[str, Any]]) -> None:
        self._nodes = {node["nodeId"]: node for node in nodes}
        self._shown = [node for node in nodes if not node["ignored"]]

    @classmethod
    def of(cls, page: Page) -> Tree:
        session = page.context.new_cdp_session(page)
        session.send("Accessibility.enable")
        return cls(session.send("Accessibility.getFullAXTree")["nodes"])

    def names(self, role: str) -> list[str]:
        """The names of all that have a role, in the order in which they are read."""
        return [node["name"]["value"] for node in self._shown if node["role"]["value"] == role]

    def expanded(self, name: str) -> bool | None:
        """Whether what has this name is unfolded; None where nothing of the kind has it."""
        for node in self._shown:
            if node["name"]["value"] == name:
                for about in node.get("properties", ()):
                    if about["name"] == "expanded":
                        return bool(about["value"]["value"])
        return None

    def images(self) -> list[list[str]]:
        """For each list with images, the name of the one image of each of its items."""
        lists = []
        for node in self._shown:
            if node["role"]["value"] == "list":
                items = list(self._within(node, {"listitem"}))
                named = [
                    [image["name"]["value"] for image in self._within(item, {"image", "img"})]
                    for item in items
                ]
                if any(named):
                    assert all(len(names) == 1 for names in named), named
                    lists.append([name for [name] in named])
        return lists

    def _within(self, node: dict[str, Any], roles: set[str]) -> Iterator[dict[str, Any]]:
        for child in (self._nodes[identity] for identity in node["childIds"]):
            if not child["ignored"] and child["role"]["value"] in roles:
                yield child
            else:
                yield from self._within(child, roles)


def violations(page: Page) -> dict[str, list[str]]:
    """The rules of WCAG 2.2 A and AA that axe-core finds broken, and by which elements."""
    require_module("axe_playwright_python", "the accessibility tests run axe-core")
    from axe_playwright_python.sync_playwright import Axe

    rules: dict[str, Any] = {"runOnly": {"type": "tag", "values": WCAG}}
    found = Axe().run(page, options=rules).response
    assert len(found["passes"]) > 10, "axe looked at nothing"
    return {rule["id"]: [node["html"] for node in rule["nodes"]] for rule in found["violations"]}


def ready(page: Page, words: str) -> None:
    page.locator("#sightline-results").filter(has_text=words).wait_for()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(site: str, visit: Open, width: int, dark: bool) -> None:
    page = visit(site, width=width, dark=dark)
    assert violations(page) == {}
    page = visit(f"{site}{GUITARS}&not=a%20drum&filter=%7B%22kind%22%3A%22drawing%22%7D",
                 width=width, dark=dark)  # fmt: skip
    ready(page, "not like “a drum”")
    page.get_by_text(ENGLISH.upload, exact=True).click()
    page.locator("ul.grid summary").first.click()
    page.locator("details.how summary").click()
    page.locator("ul.grid details dl").first.wait_for()
    assert violations(page) == {}


def test_axe_would_find_something(site: str, visit: Open) -> None:
    page = visit(site)
    page.evaluate("document.querySelector('.found').innerHTML += '<img src=\"x.png\">'")
    assert list(violations(page)) == ["image-alt"]


def test_a_screen_reader_reads_heading_count_and_images(
    site: str, service: httpx.Client, visit: Open
) -> None:
    page = visit(site + GUITARS)
    ready(page, "“a guitar”")
    asked = {"query": "a guitar", "k": 12, "mode": "auto"}
    answer = service.post("/search", json=asked).json()["results"]
    assert len(answer) == 12
    alts = page.locator("ul.grid img").evaluate_all("all => all.map(image => image.alt)")
    # A word alone is announced as an image.
    told = {
        alt: alt if " " in alt else ENGLISH.image_of.format(alt=alt)
        for alt in (result["alt_text"] for result in answer)
    }
    assert alts == [told[result["alt_text"]] for result in answer]
    for alt in alts:
        assert len(re.findall(r"\w+", alt)) >= 2, alt

    close = [told[result["alt_text"]] for result in answer if result.get("relevant", True)]
    tree = Tree.of(page)
    assert tree.names("heading") == [
        "Sightline",
        f"{ENGLISH.some(ENGLISH.found, len(close))} for “a guitar”",
    ]
    assert [name for name in tree.names("search") if name] == [ENGLISH.search]
    assert tree.names("searchbox") == [ENGLISH.query]
    # What is folded away is not read before it is unfolded.
    assert tree.images() == [close]
    if len(close) < len(answer):
        fold = page.locator("details.weaker > summary")
        fold.focus()
        page.keyboard.press("Enter")
        assert Tree.of(page).images() == [close, alts[len(close) :]]


def test_results_are_announced_and_so_is_the_same_region(site: str, visit: Open) -> None:
    page = visit(site)
    page.evaluate("window.region = document.querySelector('.announcer')")
    for words in ("a guitar", "a green apple"):
        page.get_by_label(ENGLISH.query).fill(words)
        page.get_by_label(ENGLISH.query).press("Enter")
        said = page.locator(".announcer").filter(has_text=found(f"for “{words}”"))
        said.wait_for(state="attached")
    # A live region that is made anew with its text in it is not read out.
    assert page.evaluate("window.region === document.querySelector('.announcer')")
    assert page.locator(".announcer").get_attribute("role") == "status"


@pytest.mark.parametrize(("width", "height"), [(320, 640), (640, 450)], ids=["320px", "200%"])
def test_nothing_is_wider_than_the_window(site: str, visit: Open, width: int, height: int) -> None:
    """1280 by 900 at 200 % is a window of 640 by 450 CSS pixels."""
    long = "a%20" + "very" * 30 + "%20long%20word"
    for address in (site, f"{site}{GUITARS}", f"{site}?q={long}"):
        page = visit(address, width=width, height=height)
        page.evaluate("document.querySelectorAll('.found details').forEach((d) => (d.open = true))")
        wide = page.evaluate(
            """() => [...document.querySelectorAll(".stMain *")]
                .filter((one) => one.getBoundingClientRect().right > innerWidth + 1
                    && !one.closest(".unseen, .announcer, .skip")
                    && one.checkVisibility())
                .map((one) => one.outerHTML.slice(0, 120))"""
        )
        assert wide == []
        assert page.evaluate("document.querySelector('.stMain').scrollWidth <= innerWidth")


def test_text_may_be_twice_as_large(site: str, visit: Open) -> None:
    page = visit(site + GUITARS)
    ready(page, "“a guitar”")
    page.add_style_tag(content="html { font-size: 32px !important; }")
    assert page.evaluate("document.querySelector('.stMain').scrollWidth <= innerWidth")
    for caption in page.locator("ul.grid figcaption").all():
        assert caption.evaluate("one => one.scrollWidth <= one.clientWidth + 1")


def test_nothing_moves_for_those_who_ask_for_rest(site: str, visit: Open) -> None:
    page = visit(site + GUITARS, reduced_motion="reduce")
    ready(page, "“a guitar”")
    longest = page.evaluate(
        """() => Math.max(...[...document.querySelectorAll("*")].flatMap((one) => {
            const style = getComputedStyle(one);
            return [style.transitionDuration, style.animationDuration]
                .flatMap((said) => said.split(",")).map(parseFloat);
        }))"""
    )
    assert longest < 0.01
