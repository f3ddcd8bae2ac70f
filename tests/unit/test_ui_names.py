"""Names of fields, for people to read."""

from __future__ import annotations

import pytest

from ui.english import ENGLISH
from ui.german import GERMAN
from ui.names import field_name


@pytest.mark.parametrize(
    ("name", "english", "german"),
    [
        ("taken_at", "Taken", "Aufgenommen"),
        ("photo_credit", "Photo credit", "Bildnachweis"),
        ("licence", "Licence", "Lizenz"),
        ("shot_no_2", "Shot no 2", "Shot no 2"),
        # What follows no such rule is left as it is.
        ("Objektiv-Nr.", "Objektiv-Nr.", "Objektiv-Nr."),
        ("exifEX:Lens", "exifEX:Lens", "exifEX:Lens"),
        ("f", "f", "f"),
    ],
)
def test_names_are_words(name: str, english: str, german: str) -> None:
    assert field_name(name, ENGLISH) == english
    assert field_name(name, GERMAN) == german
