"""To speak and to listen in place of typing and reading."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

import pytest

from tests.tools import require_module, require_tool
from tests.ui.conftest import SPOKEN, Open, found
from tests.ui.fake import FakeService, result
from ui.english import ENGLISH
from ui.german import GERMAN

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

# Debian's Chromium has no voice: what it is told to say is written down.
_VOICE = """
window.spoken = [];
Object.defineProperty(window, "speechSynthesis", { value: {
  speak: (words) => window.spoken.push([words.text, words.lang]),
  cancel: () => { window.spoken = []; },
} });
"""


def speak(page: Page, seconds: float = 2.5) -> None:
    """Press the microphone, wait until everything is said, press it again."""
    group = page.get_by_role("group", name=ENGLISH.speak)
    group.get_by_role("button", name="Record").click()
    stop = group.get_by_role("button", name="Stop recording")
    stop.wait_for()
    page.wait_for_timeout(seconds * 1000)
    stop.click()


def test_a_spoken_query_stands_in_the_field_and_is_searched(site: str, visit: Open) -> None:
    require_tool("espeak-ng", reason="somebody has to speak")
    require_module("faster_whisper", "speech needs the extra `speech`")
    page = visit(site)
    field = page.get_by_label(ENGLISH.query)
    speak(page)
    page.locator("#sightline-results").filter(has_text=found("for")).wait_for()
    text = field.input_value()
    said, heard = SPOKEN.split(), re.findall(r"\w+", text.lower())
    matcher = difflib.SequenceMatcher(None, said, heard, autojunk=False)
    assert sum(block.size for block in matcher.get_matching_blocks()) >= 4, text
    assert f"“{text}”" in page.locator("#sightline-results").inner_text()
    assert "q=" in page.url

    # It can be mended like any other text, and another be spoken after it.
    field.fill(f"{text} at night")
    field.press("Enter")
    page.locator("#sightline-results").filter(has_text=f"“{text} at night”").wait_for()
    speak(page)
    page.locator("#sightline-results").filter(has_text=re.compile(r"”$")).filter(
        has_not_text="at night"
    ).wait_for()


def test_what_was_not_understood_is_told_and_takes_nothing_away(
    fake_site: str, fake: FakeService, visit: Open
) -> None:
    fake.answer(200, {"results": [result(1, 0.3)]})
    page = visit(f"{fake_site}?q=a%20red%20fox")
    page.locator("#sightline-results").filter(has_text="a red fox").wait_for()
    troubles: list[tuple[tuple[int, object], str]] = [
        ((200, {"text": ""}), ENGLISH.unheard),
        ((400, {"error": {"field": "audio", "message": "too long"}}), ENGLISH.not_a_recording),
        ((501, {"error": {"field": None, "message": "no"}}), ENGLISH.speech_trouble),
    ]
    for heard, told in troubles:
        fake.heard = heard
        speak(page, seconds=0.3)
        page.locator(".notice").filter(has_text=told).wait_for()
        page.locator("[role=status].announcer").filter(has_text=told).wait_for(state="attached")
        assert page.get_by_label(ENGLISH.query).input_value() == "a red fox"
        assert page.locator("ul.grid img").count() == 1
    fake.heard = (200, {"text": " A grey wolf. "})
    speak(page, seconds=0.3)
    page.locator("#sightline-results").filter(has_text="1 picture for “A grey wolf”").wait_for()
    assert page.locator(".found .notice").count() == 0


def test_results_are_read_aloud_to_those_who_ask_for_it(
    fake_site: str, fake: FakeService, visit: Open
) -> None:
    fake.answer(
        200,
        {
            "results": [
                result(1, 0.3, alt_text="A red fox"),
                result(2, 0.2, alt_text="A grey wolf"),
                result(3, 0.1, alt_text="A white cloud", relevant=False),
            ]
        },
    )
    page = visit(f"{fake_site}?q=animals", locale="de-DE", script=_VOICE)
    button = page.get_by_role("button", name=GERMAN.read)
    assert button.get_attribute("aria-pressed") == "false"
    assert page.evaluate("spoken") == [], "it is off until asked for"
    button.focus()
    page.keyboard.press("Enter")
    images = [["A red fox", "de"], ["A grey wolf", "de"]]
    assert page.evaluate("spoken") == [["2 Bilder zu „animals“", "de"], *images]
    assert button.get_attribute("aria-pressed") == "true"

    # On for the next search too, in place of the one before.
    page.get_by_label(GERMAN.query).fill("beasts")
    page.get_by_label(GERMAN.query).press("Enter")
    page.locator("#sightline-results").filter(has_text="beasts").wait_for()
    assert page.evaluate("spoken") == [["2 Bilder zu „beasts“", "de"], *images]
    button.click()
    assert page.evaluate("spoken") == []
    assert button.get_attribute("aria-pressed") == "false"
