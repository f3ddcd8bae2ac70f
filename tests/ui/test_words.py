"""What words find beside looks, and what they may have meant."""

from __future__ import annotations

import pytest

from tests.ui.conftest import Open
from ui.english import ENGLISH

pytestmark = pytest.mark.slow


def test_it_is_asked_what_may_have_been_meant(site: str, visit: Open) -> None:
    page = visit(f"{site}?q=a%20pengiun")
    link = page.locator(".meant").get_by_role("link", name="a penguin")
    said = page.locator(".announcer").filter(has_text=f"{ENGLISH.meant} a penguin")
    said.wait_for(state="attached")
    link.press("Enter")
    page.locator("#sightline-results").filter(has_text="for “a penguin”").wait_for()
    assert page.get_by_label(ENGLISH.query).input_value() == "a penguin"
    assert page.locator(".meant").count() == 0

    page = visit(f"{site}?q=a%20pengiun")
    page.locator(".meant").get_by_role("link").click()
    page.locator("#sightline-results").filter(has_text="for “a penguin”").wait_for()


def test_a_name_is_found_by_its_words_and_the_card_says_so(site: str, visit: Open) -> None:
    page = visit(f"{site}?q=Nicu%20Buculei")
    card = page.locator("ul.grid li").first
    card.locator("summary").click()
    details = card.locator("dl").inner_text()
    assert ENGLISH.found_in in details
    assert ENGLISH.places["people"] in details
    assert "Nicu Buculei" in details
