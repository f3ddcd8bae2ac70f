"""A hundred times *Show more*: what is kept and what is sent is bounded, here and there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.ui.conftest import Open, Show
from tests.ui.fake import FakeService, result
from ui.answers import MOST_HELD
from ui.english import ENGLISH

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

pytestmark = pytest.mark.slow

TIMES = 100
A_PAGE = 12
# More than a hundred pages.
THERE_ARE = (TIMES + 5) * A_PAGE
# In the browser, for each image that is held: parts of the document, and bytes of its scripts.
PARTS_FOR_EACH = 60
BYTES_FOR_EACH = 12_000


def pages(asked: dict[str, Any]) -> dict[str, Any]:
    """The page that is asked for, of images that say much of themselves."""
    start = asked.get("offset") or 0
    numbers = range(start, min(start + asked["k"], THERE_ARE))
    said = {"caption": "a picture " + "of something " * 8, "metadata": {"licence": "CC0"}}
    return {
        "results": [result(n, 0.3, **said) for n in numbers],
        "total_relevant": THERE_ARE,
    }


@pytest.fixture
def server(show: Show, fake: FakeService) -> Iterator[str]:
    fake.answer(200, pages)
    with show(fake.url) as url:
        yield url


def measured(page: Page, session: CDPSession) -> tuple[int, int]:
    """Parts of the document, and the bytes of the scripts' heap, without what is garbage."""
    session.send("HeapProfiler.collectGarbage")
    parts = page.evaluate("document.querySelectorAll('*').length")
    return parts, int(session.send("Runtime.getHeapUsage")["usedSize"])


def resident(url: str) -> int:
    """The resident bytes of the page's server."""
    port = int(url.rpartition(":")[2])
    [pid] = {
        one.pid for one in psutil.net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid
    }  # fmt: skip
    return int(psutil.Process(pid).memory_info().rss)


def show_more(page: Page, place: int) -> None:
    """Press the button, and wait for the image at a place, and for what the browser does."""
    page.get_by_role("button", name=ENGLISH.more).click()
    page.locator(f'.grid li[data-place="{place}"]').wait_for(state="attached")


def test_a_hundred_times_more_is_bounded(server: str, visit: Open) -> None:
    # Browsing, which goes deeper than a search.
    page = visit(f"{server}?sort=path&k={A_PAGE}")
    session = page.context.new_cdp_session(page)
    received: list[int] = []
    session.on(
        "Network.webSocketFrameReceived",
        lambda event: received.append(len(event["response"]["payloadData"])),
    )
    session.send("Network.enable")
    sizes, there, servers = [], [], []
    for time in range(1, TIMES + 1):
        del received[:]
        show_more(page, A_PAGE * (time + 1) - 1)
        sizes.append(sum(received))
        if time in (1, 50, TIMES):
            there.append(measured(page, session))
            servers.append(resident(server))
    assert page.locator(".grid li").count() == MOST_HELD
    # The hundredth page is no larger than the second.
    assert max(sizes[1:]) < 1.5 * sizes[0], (sizes[0], max(sizes))
    first, full, last = there[0], there[1], there[-1]
    assert last[0] < first[0] + PARTS_FOR_EACH * MOST_HELD
    assert last[0] <= full[0] + PARTS_FOR_EACH, there
    assert last[1] < first[1] + BYTES_FOR_EACH * MOST_HELD, there
    # Once as many are held as may be, nothing grows.
    assert servers[-1] - servers[1] < 32 << 20, servers

    # What was let go is said, and one comes back to it.
    gone = A_PAGE * (TIMES + 1) - MOST_HELD
    note = page.locator(".gone")
    assert ENGLISH.let_go[1].format(n=gone) in note.inner_text()
    note.get_by_role("button", name=ENGLISH.to_first).press("Enter")
    page.locator('.grid li[data-place="0"]').wait_for()
    assert page.locator(".grid li").count() == A_PAGE
    assert page.evaluate("document.activeElement.id") == "sightline-results"


def test_searching_to_the_end_is_bounded(server: str, visit: Open) -> None:
    page = visit(f"{server}?q=a%20picture&k=96")
    heading = page.locator("#sightline-results")
    heading.filter(has_text=re.compile(r"^96 of ")).wait_for()
    place = 96
    while page.get_by_role("button", name=ENGLISH.more).count():
        show_more(page, place)
        place += 96
    assert page.locator(".grid li").count() == MOST_HELD
    # It says how many were shown, those as well that are gone.
    assert heading.inner_text().startswith(f"{place} of {THERE_ARE}")
