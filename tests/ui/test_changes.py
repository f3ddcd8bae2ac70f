"""What changes while somebody looks: the bundle, the connection, the address."""

from __future__ import annotations

import pytest

from tests.ui.conftest import Open
from tests.ui.fake import FakeService, result
from tests.ui.test_accessibility import violations
from tests.ui.test_trouble import search, told
from ui.english import ENGLISH

pytestmark = pytest.mark.slow


def bundle(fake: FakeService, version: str, first: int, many: int = 12) -> None:
    answer = [result(n, 0.9 - n / 1000) for n in range(first, first + many)]
    headers = {"X-Sightline-Bundle": version}
    fake.answer(200, {"results": answer, "total_relevant": 40}, headers)


@pytest.mark.parametrize(("width", "dark"), [(1920, False), (360, True)])
def test_another_bundle_is_announced_and_taken_over(
    fake_site: str, fake: FakeService, visit: Open, width: int, dark: bool
) -> None:
    bundle(fake, "one", 0)
    page = visit(f"{fake_site}?q=a%20fox", width=width, dark=dark)
    told(page, "12 of 40 pictures for “a fox”")
    assert page.get_by_text(ENGLISH.renewed).count() == 0

    # Pages of two bundles make no whole: all of it comes from the new one.
    bundle(fake, "two", 100)
    asked = len(fake.asked)
    page.get_by_role("button", name=ENGLISH.more).click()
    page.locator(".notice").filter(has_text=ENGLISH.renewed).wait_for()
    paths = page.locator(".grid .path").all_text_contents()
    assert paths == [f"images/{n}.png" for n in range(100, 112)]
    assert [each["offset"] for each in fake.asked[asked:]] == [12, 0]
    page.locator("[role=status].announcer").filter(has_text=ENGLISH.renewed).wait_for(
        state="attached"
    )
    assert violations(page) == {}

    search(page, "a dog")
    told(page, "12 of 40 pictures for “a dog”")
    assert page.get_by_text(ENGLISH.renewed).count() == 0


def test_without_a_connection_that_is_said_at_once(
    fake_site: str, fake: FakeService, visit: Open
) -> None:
    bundle(fake, "one", 0)
    page = visit(f"{fake_site}?q=a%20fox")
    told(page, "12 of 40 pictures")
    said = page.get_by_role("alert").filter(has_text=ENGLISH.offline)
    page.context.set_offline(True)
    said.wait_for(timeout=1000)
    # Wherever one has scrolled to.
    page.locator(".grid li").last.scroll_into_view_if_needed()
    box = said.bounding_box()
    assert box
    assert 0 <= box["y"] < 200
    assert violations(page) == {}
    page.context.set_offline(False)
    said.wait_for(state="hidden")


def test_a_server_that_answers_no_more_is_noticed_too(
    fake_site: str, fake: FakeService, visit: Open
) -> None:
    bundle(fake, "one", 0)
    page = visit(f"{fake_site}?q=a%20fox")
    told(page, "12 of 40 pictures")
    page.route("**/_stcore/health", lambda route: route.abort())
    fake.delay = 4.5
    try:
        search(page, "a dog")
        said = page.get_by_role("alert").filter(has_text=ENGLISH.offline)
        said.wait_for(timeout=8000)
    finally:
        fake.delay = 0
    # What comes after all shows that there is a connection.
    told(page, "pictures for “a dog”")
    said.wait_for(state="hidden")


def test_back_leads_to_the_heading(fake_site: str, fake: FakeService, visit: Open) -> None:
    bundle(fake, "one", 0)
    page = visit(f"{fake_site}?q=a%20fox")
    told(page, "pictures for “a fox”")
    assert page.evaluate("document.activeElement.id") != "sightline-results"
    page.locator("[data-action=like]").nth(2).click()
    page.locator(".seed").wait_for()
    page.go_back()
    told(page, "pictures for “a fox”")
    page.wait_for_function("document.activeElement.id === 'sightline-results'")
