"""Whatever Pillow decodes ends as RGB of 8 bits, or RGBA where it is transparent."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import models.modes
from models.images import decode
from models.modes import on_white
from tests.photographs import GREEN, RED, WHITE, corner, encoded


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_becomes_white(mode: str) -> None:
    image = Image.new("RGBA", (16, 16), (*RED, 0))
    image.paste((*GREEN, 255), (8, 0, 16, 16))
    if mode == "PA":
        content = encoded(image.quantize(4), "PNG")
    else:
        content = encoded(image.convert(mode), "PNG")
    seen = decode(content)
    assert seen.mode == "RGBA"
    assert on_white(seen).getpixel((2, 2)) == WHITE
    assert on_white(seen).getpixel((12, 2)) != WHITE


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_colour_that_stands_for_transparent(mode: str) -> None:
    image = Image.new("RGB", (16, 16), RED)
    image.paste(WHITE if mode == "RGB" else GREEN, (8, 0, 16, 16))
    image = image.convert(mode)
    key = image.getpixel((0, 0))
    seen = on_white(decode(encoded(image, "PNG", transparency=key)))
    assert seen.getpixel((2, 2)) == WHITE


def test_half_transparent_is_half_white() -> None:
    seen = on_white(decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG")))
    np.testing.assert_allclose(corner(seen), (127, 127, 127), atol=1)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_cut(format: str) -> None:
    ramp = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    seen = np.asarray(decode(encoded(Image.fromarray(ramp), format)))
    assert seen.shape == (64, 64, 3)
    np.testing.assert_allclose(seen[:, :, 0], ramp / 257, atol=1)


@pytest.mark.parametrize("highest", [1.0, 255.0, 65535.0, 1e6])
def test_floats_are_scaled_not_cut(highest: float) -> None:
    ramp = np.linspace(0, highest, 256, dtype=np.float32).reshape(16, 16)
    seen = np.asarray(decode(encoded(Image.fromarray(ramp), "TIFF")))
    np.testing.assert_allclose(seen[:, :, 0], np.arange(256).reshape(16, 16), atol=1)


def test_floats_that_are_no_numbers_do_no_harm() -> None:
    values = np.array([[0.0, 1.0, np.nan, np.inf, -np.inf]], dtype=np.float32)
    seen = np.asarray(decode(encoded(Image.fromarray(values), "TIFF")))
    assert seen[0, :, 0].tolist() == [0, 255, 0, 255, 0]


def test_cmyk_is_not_seen_as_its_negative() -> None:
    # Pillow writes CMYK as Photoshop does: inverted, with an Adobe marker.
    cmyk = encoded(Image.new("RGB", (32, 32), RED).convert("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in cmyk
    np.testing.assert_allclose(corner(decode(cmyk)), RED, atol=6)
    tiff = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF")
    np.testing.assert_allclose(corner(decode(tiff)), RED, atol=1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"])
def test_every_mode_ends_as_rgb(mode: str) -> None:
    image = Image.new("RGB", (8, 8), WHITE).convert("L" if mode in "IF" else "RGB").convert(mode)
    seen = decode(encoded(image, "TIFF"))
    assert seen.mode in ("RGB", "RGBA")


def test_grey_of_many_bits_is_the_same_however_many_rows_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ramp = np.linspace(0, 65535, 7 * 33).astype(np.uint16).reshape(33, 7)
    content = encoded(Image.fromarray(ramp), "PNG")
    whole = np.asarray(decode(content))
    for at_once in (1, 14, 20):
        monkeypatch.setattr(models.modes, "_PIXELS_AT_ONCE", at_once)
        assert (np.asarray(decode(content)) == whole).all()


@pytest.mark.parametrize(
    ("mode", "highest", "white"),
    [
        ("F", 0.0, 1.0),
        ("F", 1.0, 1.0),
        ("F", 1.5, 255.0),
        ("F", 255.0, 255.0),
        ("F", 256.0, 65535.0),
        ("F", 65535.0, 65535.0),
        ("F", 65536.0, 65536.0),
        ("I", 0, 65535.0),
        ("I", 1, 65535.0),
        ("I", 65535, 65535.0),
        ("I", 65536, 65536.0),
        ("I;16", 300, 65535.0),
    ],
)
def test_white_is_what_the_kind_of_numbers_makes_it(
    mode: str, highest: float, white: float
) -> None:
    values = np.array([[0, highest]], dtype=np.float32 if mode == "F" else np.int32)
    assert models.modes._white_level(mode, values) == white
    assert models.modes._white_level(mode, values[:0]) == (1.0 if mode == "F" else 65535.0)
