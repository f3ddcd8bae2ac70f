"""What is known of one image, and how a row of a table or a JSON object says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from build.img2dataset import without_machinery
from build.metadata import Fields
from build.metadata.values import one_line
from models.filters import nfc

PATH_COLUMNS = ("image_path", "file_name", "path")
# "text" is what ImageFolder data sets for captioning call it.
CAPTION_COLUMNS = ("caption", "text")
_ALT_TEXT = "alt_text"


@dataclass(frozen=True)
class Caption:
    """What is known of an image: its caption, if any, and JSON-like metadata."""

    text: str | None
    metadata: dict[str, Any] = field(default_factory=dict)

    def fields(self) -> Fields:
        """All of it by the names of :mod:`build.metadata`."""
        rest = {name: value for name, value in self.metadata.items() if name != _ALT_TEXT}
        alt_text = self.metadata.get(_ALT_TEXT)
        told = {
            "caption": self.text,
            "alt_text": one_line(alt_text) if isinstance(alt_text, str) else None,
        }
        return rest | {name: value for name, value in told.items() if value}


def said_in(row: Mapping[str, Any]) -> tuple[Caption, str | None]:
    """What the row of a table, or an object, says of an image, and what is wrong with it, if so.

    Of several captions of one image it is the first.
    """
    rest = _composed(without_machinery(row))
    for name in CAPTION_COLUMNS:
        if name in rest:
            value = rest.pop(name)
            if isinstance(value, list) and value:
                value = value[0]
            if isinstance(value, str):
                return Caption(one_line(value) or None, rest), None
            wrong = None if value is None or value == [] else f"{name} is no text"
            return Caption(None, rest), wrong
    return Caption(None, rest), None


def _composed(value: Any) -> Any:
    """Texts in the form in which a letter and its accent are one (NFC), names included."""
    if isinstance(value, str):
        return nfc(value)
    if isinstance(value, list):
        return [_composed(element) for element in value]
    if isinstance(value, dict):
        return {_composed(key): _composed(each) for key, each in value.items()}
    return value
