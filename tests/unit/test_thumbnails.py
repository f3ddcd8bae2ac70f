"""Small versions of images; how they are kept is tested with the bundle."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageCms

from models.images import decode
from models.thumbnails import thumbnail
from tests.photographs import RED, encoded, photograph


def test_a_thumbnail_is_small_and_tells_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = encoded(photograph(800, 600), "JPEG", exif=exif, icc_profile=profile)
    small = Image.open(io.BytesIO(thumbnail(decode(content))))
    assert (small.format, small.size) == ("WEBP", (320, 240))
    assert not small.getexif()
    assert "icc_profile" not in small.info
    assert decode(thumbnail(Image.new("RGB", (20, 10), RED))).size == (20, 10)
    assert decode(thumbnail(Image.new("RGBA", (20, 10), (*RED, 0)))).mode == "RGBA"


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((320, 320), (320, 320)),
        ((321, 320), (320, 319)),
        ((320, 10), (320, 10)),
        ((640, 321), (320, 160)),
        ((3200, 1), (320, 1)),
        ((1, 3200), (1, 320)),
    ],
)
def test_a_thumbnail_has_at_most_320_pixels_a_side(
    size: tuple[int, int], small: tuple[int, int]
) -> None:
    assert decode(thumbnail(photograph(*size))).size == small


def test_a_thumbnail_is_not_worth_more_than_its_quality() -> None:
    image = photograph(320, 240)
    expected = encoded(image, "WEBP", quality=80, method=2)
    assert thumbnail(image) == expected
