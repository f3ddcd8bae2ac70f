"""What is said of an image, by several mouths, as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from build.metadata import ONLY_WITH_ALL, Fields

Metadata = Literal["none", "basic", "all"]

# Sources that are not those of the fields within a file (xmp, iptc, exif).
SIDECAR, XMP_SIDECAR, CAPTIONER, TAGS, OCR = "sidecar", "xmp-sidecar", "captioner", "tags", "ocr"
# Text that was written to be read aloud says so, wherever it lies.
_ALT_TEXT = "xmp-alt-text"
_BY_PROGRAMS = ("exif", "iptc", "xmp", XMP_SIDECAR)
# What stands for a caption where nobody has written one.
_INSTEAD_OF_A_CAPTION = ("headline", "title")


@dataclass(frozen=True)
class Description:
    """What is said of an image, and by whom.

    ``metadata`` holds all that is neither caption nor alt text; ``sources`` says of caption, alt
    text and each field where it comes from; a field that is not in it comes from a sidecar.
    """

    caption: str | None = None
    alt_text: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


NOTHING_SAID = Description()


def combine(said: Iterable[tuple[str, Fields]]) -> Description:
    """One description of what several sources say; of each field the last word counts.

    Args:
        said: the sources and their fields, in rising order of precedence.
    """
    fields: Fields = {}
    sources: dict[str, str] = {}
    for source, given in said:
        fields |= given
        sources |= dict.fromkeys(given, source)
    if isinstance(fields.get("alt_text"), str) and "xmp" in sources["alt_text"]:
        sources["alt_text"] = _ALT_TEXT
    caption, alt_text = fields.pop("caption", None), fields.pop("alt_text", None)
    for name in _INSTEAD_OF_A_CAPTION:
        if not caption and isinstance(fields.get(name), str):
            caption = fields[name]
            sources["caption"] = sources[name]
    # What is not named comes from beside the image: so most answers stay short.
    named = {
        name: source
        for name, source in sources.items()
        if source != SIDECAR or name in ("caption", "alt_text")
    }
    return Description(caption or None, alt_text or None, fields, named)


def written_by_programs(
    said: Mapping[str, Fields], level: Metadata
) -> Iterator[tuple[str, Fields]]:
    """What an image's file and an XMP file beside it say, in rising order of precedence.

    Args:
        said: fields by source.
        level: how much of them is wanted.
    """
    if level == "none":
        return
    for source in _BY_PROGRAMS:
        fields = said.get(source, {})
        yield (
            source,
            {
                name: value
                for name, value in fields.items()
                if level == "all" or name not in ONLY_WITH_ALL
            },
        )
