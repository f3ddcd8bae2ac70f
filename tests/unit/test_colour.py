"""Colours against a reference that reckons in floating point."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from models.colour import _transform, in_srgb
from models.images import read
from models.thumbnails import thumbnail
from tests.profiles import ADOBE_RGB, DISPLAY_P3, PRO_PHOTO, Space, profile

Array = NDArray[np.float64]
SPACES = [DISPLAY_P3, ADOBE_RGB, PRO_PHOTO]


def colours() -> Image.Image:
    """Every colour in steps of 17, small enough to see that nothing moves."""
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(64, 64, 3)
    return Image.fromarray(grid)


def stored(image: Image.Image, icc: bytes, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, icc_profile=icc)
    return stream.getvalue()


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.name)
def test_colours_are_those_that_the_profile_means(space: Space) -> None:
    image = colours()
    found = np.asarray(read(stored(image, profile(space))).image, dtype=np.float64)
    expected = space.in_srgb(np.asarray(image, dtype=np.float64))
    assert np.abs(found - expected).max() <= 3
    assert np.abs(np.asarray(image, dtype=np.float64) - expected).max() > 20


def test_a_thumbnail_is_in_srgb_and_says_nothing_of_a_profile() -> None:
    image = Image.new("RGB", (64, 64), (200, 80, 60))
    small = Image.open(io.BytesIO(thumbnail(read(stored(image, profile(DISPLAY_P3))).image)))
    assert "icc_profile" not in small.info
    expected = DISPLAY_P3.in_srgb(np.array([[[200.0, 80, 60]]]))
    assert np.abs(np.asarray(small.convert("RGB"), dtype=float) - expected).max() <= 3


def test_what_is_srgb_anyway_stays_as_it_is() -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = colours()
    image.info["icc_profile"] = own
    assert in_srgb(image) is image
    assert in_srgb(colours()).tobytes() == colours().tobytes()


@pytest.mark.parametrize(
    "harm",
    [
        lambda icc: b"",
        lambda icc: b"nonsense",
        lambda icc: icc[:200],
        lambda icc: icc[:128] + bytes(len(icc) - 128),
        lambda icc: icc.replace(b"RGB ", b"CMYK"),
    ],
)
def test_a_profile_that_is_damaged_is_no_matter(harm: Callable[[bytes], bytes]) -> None:
    image = colours()
    image.info["icc_profile"] = harm(profile(DISPLAY_P3))
    assert in_srgb(image) is image


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "PA"])
def test_what_is_transparent_stays_so(mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (200, 80, 60, 128)).convert(mode)
    if mode == "P":
        image.info["transparency"] = 0
    image.info["icc_profile"] = profile(DISPLAY_P3)
    found = in_srgb(image)
    assert found.mode == "RGBA"
    assert found.getchannel("A").tobytes() == image.convert("RGBA").getchannel("A").tobytes()


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_has_profiles_too(mode: str) -> None:
    image = Image.linear_gradient("L")
    light = (np.asarray(image, dtype=float) / 255) ** 1.8
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image, dtype=np.uint16) * 257)
    else:
        image = image.convert(mode)
    found = read(stored(image, profile(Space("grey", gamma=1.8, grey=True)))).image
    assert found.mode == ("RGBA" if mode == "LA" else "RGB")
    assert np.abs(np.asarray(found.convert("L"), dtype=float) - 255 * expected).max() <= 3


def test_lab_is_no_other_matter() -> None:
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    found = np.asarray(in_srgb(to_lab.apply(colours())), dtype=int)
    difference = np.abs(found - np.asarray(colours(), dtype=int))
    assert difference.mean() < 3


def test_a_profile_is_looked_at_once() -> None:
    _transform.cache_clear()
    for _ in range(3):
        image = colours()
        image.info["icc_profile"] = profile(PRO_PHOTO)
        in_srgb(image)
    assert _transform.cache_info().misses == 1
