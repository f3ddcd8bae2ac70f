"""Cameras' raw files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import models.raw
from build.metadata.embedded import Embedded
from models.formats import RAW
from models.images import ImageError, Limits, read
from models.raw import preview
from tests.dng import dng

# Red above navy, so that it shows which way is up.
PREVIEW = Image.new("RGB", (600, 400), "navy")
PREVIEW.paste("red", (0, 0, 600, 200))


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.array(image.getpixel(place)) - colour).max() < 12)


RED, NAVY = (255, 0, 0), (0, 0, 128)


def test_the_preview_is_the_image() -> None:
    embedded = Embedded()
    decoded = read(dng(PREVIEW), inspect=embedded.inspect)
    assert decoded.image.size == (600, 400)
    assert (decoded.width, decoded.height) == (64, 48)
    assert near(decoded.image, (300, 20), RED)
    assert near(decoded.image, (300, 380), NAVY)
    assert embedded.fields["exif"]["camera"] == "Canon EOS 5D"


@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [(3, (600, 400), (300, 380)), (6, (400, 600), (380, 300)), (8, (400, 600), (20, 300))],
)
def test_the_preview_is_turned_as_the_camera_was(
    orientation: int, size: tuple[int, int], red_at: tuple[int, int]
) -> None:
    decoded = read(dng(PREVIEW, orientation=orientation))
    assert decoded.image.size == size
    assert near(decoded.image, red_at, RED)
    assert (decoded.width < decoded.height) == (size[0] < size[1])


def test_without_a_preview_of_any_use_the_image_is_developed() -> None:
    for small in (None, PREVIEW.resize((60, 40))):
        decoded = read(dng(small, size=(400, 300)))
        assert max(decoded.image.size) == 200
        assert (decoded.width, decoded.height) == (400, 300)
        assert len(set(decoded.image.getpixel((100, 75)))) <= 3


def test_a_sensor_without_colours() -> None:
    decoded = read(dng(None, size=(400, 300), colours=False))
    assert decoded.image.size == (400, 300) or decoded.image.size == (200, 150)
    assert decoded.image.mode == "RGB"


def test_a_damaged_one_is_told() -> None:
    with pytest.raises(ImageError) as error:
        read(b"FUJIFILMCCD-RAW " + bytes(2000))
    assert error.value.reason == "damaged"
    assert error.value.lasting


def test_without_the_package_it_is_said_what_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.raw, "is_installed", lambda plug_in: plug_in is not RAW)
    monkeypatch.setattr(models.images, "is_installed", lambda plug_in: plug_in is not RAW)
    with pytest.raises(ImageError, match=r"requirements/formats\.txt") as error:
        read(dng(PREVIEW))
    assert error.value.reason == "not supported"
    assert not error.value.lasting


def test_strangers_send_none() -> None:
    """What a TIFF of its kind shows is another matter: LibRaw is not run for them."""
    with pytest.raises(ImageError):
        read(b"FUJIFILMCCD-RAW " + bytes(2000), limits=Limits(pixels=10**7))


def test_other_tiffs_are_no_raw_files(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    PREVIEW.save(path, tiffinfo={271: "Nikon", 330: 8})
    assert preview(path.read_bytes()) is None
    assert read(path).image.size == (600, 400)
    assert preview(b"II*\0\xff\xff\xff\xff") is None
    assert preview(b"GIF89a") is None
