"""Whatever is said of an image shows in its checksum."""

from __future__ import annotations

import pytest

from build.metadata.description import Description
from build.said import Said

PATH, CONTENT = "a.jpg", bytes(32)


def checksum(said: Said, content: bytes = CONTENT) -> bytes:
    (one,) = said.checksums([PATH], [content])
    return one


@pytest.mark.parametrize(
    "said",
    [
        Said({PATH: Description(caption="a fox")}),
        Said({PATH: Description(alt_text="a fox")}),
        Said({PATH: Description(metadata={"year": 1999})}),
        Said({PATH: Description(metadata={"year": "1999"})}),
        Said({PATH: Description(sources={"caption": "exif"})}),
        Said(written={PATH: "a fox"}),
        Said(texts={PATH: "a fox"}),
    ],
    ids=["caption", "alt text", "number", "text of it", "source", "captioner", "ocr"],
)
def test_each_is_another_one(said: Said) -> None:
    assert checksum(said) not in (checksum(Said()), checksum(said, b"1" * 32))
    assert checksum(said) == checksum(said)


def test_others_are_of_no_account() -> None:
    assert checksum(Said({"b.jpg": Description(caption="a fox")})) == checksum(Said())
    # Nor is what an item does not hold.
    odd = Description(metadata={"x": float("nan"), "\ud800": [b"?"]})
    assert len(checksum(Said({PATH: odd}))) == 16
