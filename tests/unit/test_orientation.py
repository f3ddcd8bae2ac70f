"""Images are seen the way up that EXIF says, and nothing that is broken there costs one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.images import read
from tests.photographs import encoded, photograph


def test_an_image_is_turned_upright() -> None:
    upright = photograph(60, 40)
    for orientation, undo in {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = upright.transpose(undo)
        for format in ("PNG", "TIFF", "WEBP"):
            options: dict[str, Any] = {"lossless": True} if format == "WEBP" else {}
            decoded = read(encoded(stored, format, exif=exif, **options))
            assert (decoded.width, decoded.height) == (60, 40)
            assert (np.asarray(decoded.image) == np.asarray(upright)).all(), (format, orientation)


def test_a_turned_image_has_the_size_it_is_seen_at() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = encoded(photograph(1200, 800), "JPEG", exif=exif)
    decoded = read(stored, reduce_to=100)
    assert (decoded.width, decoded.height) == (800, 1200)
    assert decoded.image.size == (200, 300)
    assert read(stored).image.size == (800, 1200)


def test_an_orientation_that_cannot_be_read_turns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise ValueError("broken")

    content = encoded(photograph(60, 40), "JPEG")
    monkeypatch.setattr(Image.Image, "getexif", fail)
    monkeypatch.setattr("PIL.ImageOps.exif_transpose", fail)
    decoded = read(content)
    assert (decoded.width, decoded.height, decoded.image.size) == (60, 40, (60, 40))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_image_is_told_at_its_whole_size_whichever_way_it_is_turned(
    orientation: int,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = read(encoded(photograph(1200, 800), "JPEG", exif=exif), reduce_to=100)
    turned = orientation >= 5
    assert (decoded.width, decoded.height) == ((800, 1200) if turned else (1200, 800))
    assert decoded.image.size == ((200, 300) if turned else (300, 200))
