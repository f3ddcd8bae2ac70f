"""Decoding whatever lies in a folder of pictures, and what the encoder sees of it."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

import models.pictures
from build.packages import DEMO_MODEL
from models.declared import webp_size
from models.image_encoder import ImageEncoder
from models.manifest import ModelCard, Preprocessing
from models.pictures import (
    MAX_PIXELS,
    Limits,
    PictureError,
    decode,
    on_white,
    preprocess,
    read,
    reduced_side,
    thumbnail,
)

CLIP = Preprocessing(
    height=224,
    width=224,
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
)
GALLERY = Path(__file__).parents[2] / "demo" / "gallery"
RED, GREEN, WHITE = (255, 0, 0), (0, 128, 0), (255, 255, 255)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    output = io.BytesIO()
    image.save(output, format, **options)
    return output.getvalue()


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth colours with some grain, as JPEG expects them."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = random.integers(-6, 7, (height, width, 1))
    return Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))


def corner(image: Image.Image) -> tuple[int, ...]:
    pixel = image.getpixel((1, 1))
    assert isinstance(pixel, tuple)
    return pixel


def reason(content: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        decode(content)
    assert caught.value.reason in str(caught.value)
    return caught.value.reason


FORMATS = ["PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG", "PPM", "ICO", "AVIF", "JPEG2000", "JXL"]
FORMATS += ["TGA", "PCX", "SGI", "QOI", "DDS", "DIB"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_is_known_by_its_content(format: str, tmp_path: Path) -> None:
    decode(encoded(Image.new("RGB", (32, 32)), "PNG"))  # so that all formats are known
    path = tmp_path / "picture.suffix"
    options = {"lossless": True} if format == "JXL" else {}
    path.write_bytes(encoded(Image.new("RGB", (32, 32), RED), format, **options))
    image = on_white(decode(path))
    assert image.size == (32, 32)
    np.testing.assert_allclose(corner(image), RED, atol=4)


def test_a_picture_of_a_phone_is_read() -> None:
    """The gallery's black dog, encoded by libheif; its licence is the gallery's."""
    heic = on_white(decode(Path(__file__).with_name("black-dog.heic")))
    original = decode(GALLERY / "animals" / "black-dog.webp").convert("RGB").resize(heic.size)
    difference = np.asarray(heic, dtype=float) - np.asarray(original, dtype=float)
    assert np.abs(difference).mean() < 3
    limits = Limits(pixels=heic.width * heic.height)
    assert decode(Path(__file__).with_name("black-dog.heic"), limits=limits).size == heic.size


def test_a_picture_is_turned_upright() -> None:
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
            picture = read(encoded(stored, format, exif=exif, **options))
            assert (picture.width, picture.height) == (60, 40)
            assert (np.asarray(picture.image) == np.asarray(upright)).all(), (format, orientation)


def test_a_turned_picture_has_the_size_it_is_seen_at() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = encoded(photograph(1200, 800), "JPEG", exif=exif)
    picture = read(stored, reduce_to=100)
    assert (picture.width, picture.height) == (800, 1200)
    assert picture.image.size == (200, 300)
    assert read(stored).image.size == (800, 1200)


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


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, WHITE)]
    moving = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50)
    seen = decode(moving)
    np.testing.assert_allclose(corner(on_white(seen)), RED, atol=4)


def test_what_is_no_picture_says_why(tmp_path: Path) -> None:
    whole = encoded(photograph(200, 150), "JPEG")
    assert reason(b"") == "empty"
    assert reason(b"<html>not found</html>") == "not a picture"
    assert reason(bytes(5000)) == "not a picture"
    assert reason(whole[: len(whole) // 2]) == "truncated"
    with pytest.raises(PictureError, match="unreadable: No such file"):
        decode(tmp_path / "gone.jpg")
    with pytest.raises(PictureError, match="unreadable: Is a directory"):
        decode(tmp_path)
    bitmap = bytearray(encoded(photograph(8, 8), "BMP"))
    bitmap[30] = 4
    assert reason(bytes(bitmap)) == "not supported"


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG"])
def test_half_a_picture_is_an_error_in_every_format(format: str) -> None:
    whole = encoded(photograph(200, 150), format)
    assert reason(whole[: len(whole) // 2]) in ("truncated", "damaged")


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_raises_anything_else(data: st.DataObject) -> None:
    format = data.draw(st.sampled_from(["PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG"]))
    content = bytearray(encoded(photograph(24, 16), format))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    with contextlib.suppress(PictureError):
        assert decode(bytes(content), reduce_to=4).mode in ("RGB", "RGBA")


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("times", [1, 3])
def test_a_bomb_is_refused_before_it_is_decoded(times: int) -> None:
    # Pillow's own limit has two steps, a warning and an error.
    assert reason(png_that_claims(times * MAX_PIXELS // 1000 + 1, 1000)) == "too large"


def test_a_strip_is_not_scaled_into_a_bomb() -> None:
    strip = Image.new("RGB", (60_000, 2), RED)
    for width, height in ((224, 224), (224, 112)):
        wanted = CLIP.model_copy(update={"width": width, "height": height})
        assert preprocess(strip, wanted).shape == (3, height, width)
    assert decode(thumbnail(strip)).size == (320, 1)


def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same() -> None:
    content = encoded(photograph(4000, 3000), "JPEG", quality=90)
    whole, reduced = read(content), read(content, reduce_to=reduced_side(CLIP))
    assert (reduced.width, reduced.height) == (4000, 3000)
    assert reduced.image.size == (1000, 750)
    assert min(reduced.image.size) >= 2 * CLIP.width
    assert np.abs(preprocess(whole.image, CLIP) - preprocess(reduced.image, CLIP)).mean() < 0.02


def test_a_small_jpeg_is_decoded_whole() -> None:
    content = encoded(photograph(500, 460), "JPEG")
    assert read(content, reduce_to=224).image.size == (500, 460)


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


def test_a_transparent_border_is_trimmed_only_where_it_is_asked_for() -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste((*GREEN, 255), (40, 40, 60, 60))
    trimming = CLIP.model_copy(update={"trim_transparent": True})
    green = preprocess(Image.new("RGB", (20, 20), GREEN), CLIP)
    np.testing.assert_allclose(preprocess(image, trimming), green, atol=1e-6)
    assert np.abs(preprocess(image, CLIP) - green).max() > 1
    nothing = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    assert preprocess(nothing, trimming).shape == (3, 224, 224)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(640, 480), (225, 224), (224, 224), (101, 333), (57, 31)])
@pytest.mark.parametrize("target", [(224, 224), (160, 96)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_the_numbers_are_those_of_open_clip(
    resize_mode: Literal["shortest", "longest", "squash"],
    interpolation: Literal["bicubic", "bilinear"],
    target: tuple[int, int],
    size: tuple[int, int],
) -> None:
    open_clip = pytest.importorskip("open_clip")
    height, width = target
    ours = CLIP.model_copy(
        update={
            "height": height,
            "width": width,
            "interpolation": interpolation,
            "resize_mode": resize_mode,
            "fill_color": 127,
        }
    )
    theirs = open_clip.image_transform(
        height if height == width else target,
        is_train=False,
        mean=CLIP.mean,
        std=CLIP.std,
        resize_mode=resize_mode,
        interpolation=interpolation,
        fill_color=127,
    )
    image = photograph(*size)
    expected: NDArray[np.float32] = theirs(image).numpy()
    np.testing.assert_allclose(preprocess(image, ours), expected, atol=1e-6, rtol=0)


def test_a_picture_decoded_at_reduced_scale_has_the_vector_of_the_whole_one() -> None:
    card = ModelCard.read(DEMO_MODEL)
    encoder = ImageEncoder(DEMO_MODEL, card)
    for seed in range(3):
        content = encoded(photograph(4000, 3000, seed), "JPEG", quality=90)
        side = reduced_side(card.preprocessing)
        whole, reduced = read(content).image, read(content, reduce_to=side).image
        assert reduced.width < whole.width
        pixels = [preprocess(image, card.preprocessing) for image in (whole, reduced)]
        vectors = encoder.encode(np.stack(pixels))
        assert vectors[0] @ vectors[1] > 0.995


def refused(content: bytes | Path, **options: Any) -> str:
    with pytest.raises(PictureError) as caught:
        read(content, **options)
    return str(caught.value)


def lossless(width: int, height: int) -> bytes:
    return encoded(Image.new("RGB", (width, height), RED), "WEBP", lossless=True)


def animated(width: int, height: int) -> bytes:
    frames = [Image.new("RGB", (width, height), colour) for colour in (RED, GREEN)]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])


def lossy(width: int, height: int) -> bytes:
    return encoded(photograph(width, height), "WEBP")


@pytest.mark.parametrize("made", [lossless, animated, lossy])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (300, 7), (7, 300), (257, 513)])
def test_the_size_of_a_webp_is_known_before_it_is_opened(
    made: Callable[[int, int], bytes], width: int, height: int
) -> None:
    assert webp_size(made(width, height)) == (width, height)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        lossless(9, 9)[:24],
        b"RIFX" + lossless(9, 9)[4:],
        encoded(Image.new("1", (9, 9)), "PNG"),
    ],
)
def test_what_is_no_webp_has_no_size_of_one(content: bytes) -> None:
    assert webp_size(content) == (0, 0)


@pytest.mark.parametrize("made", [lossless, animated, lossy])
def test_a_stranger_s_webp_has_half_as_many_pixels_and_not_one_more(
    made: Callable[[int, int], bytes],
) -> None:
    content = made(30, 20)
    assert read(content, limits=Limits(pixels=1200)).image.size == (30, 20)
    assert refused(content, limits=Limits(pixels=1199)) == "too large: 30 by 20 pixels"


@pytest.mark.parametrize("format", ["PNG", "GIF", "AVIF", "TIFF", "BMP"])
def test_a_stranger_s_picture_has_so_many_pixels_and_not_one_more(format: str) -> None:
    content = encoded(photograph(30, 20), format)
    assert read(content, limits=Limits(pixels=600)).image.size == (30, 20)
    assert refused(content, limits=Limits(pixels=599)) == "too large: 30 by 20 pixels"


def test_a_stranger_s_jpeg_may_have_four_times_as_many_where_it_is_decoded_at_a_fraction() -> None:
    content = encoded(photograph(400, 200), "JPEG")
    picture = read(content, reduce_to=50, limits=Limits(pixels=20_000))
    assert (picture.image.size, picture.width, picture.height) == ((200, 100), 400, 200)
    said = "too large: 400 by 200 pixels"
    assert refused(content, limits=Limits(pixels=20_000)) == said
    assert refused(content, reduce_to=10, limits=Limits(pixels=19_999)) == said


def test_a_stranger_s_picture_is_of_a_format_that_people_have() -> None:
    limits = Limits(pixels=10_000)
    for format in ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP"):
        assert read(encoded(photograph(16, 16), format), limits=limits).image.size == (16, 16)
    for format in ("PPM", "ICO", "PCX", "TGA", "SGI"):
        content = encoded(photograph(16, 16), format)
        assert read(content).image.size == (16, 16)
        assert refused(content, limits=limits) == "not a picture: no picture format that is known"


def test_each_refusal_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(b"") == "empty: the file has no bytes"
    assert refused(b"x") == "not a picture: no picture format that is known"
    assert refused(tmp_path / "x") == "unreadable: No such file or directory"
    assert str(PictureError("damaged", "")) == "damaged"
    limit = MAX_PIXELS // 1000
    assert refused(png_that_claims(limit + 1, 1000)) == f"too large: {limit + 1} by 1000 pixels"
    twice = refused(png_that_claims(3 * limit, 1000))
    assert twice == "too large: more than 512,000,000 pixels"
    (tmp_path / "x").write_bytes(b"12345")
    monkeypatch.setattr(models.pictures, "MAX_BYTES", 4)
    assert refused(tmp_path / "x") == "too large: more than 4 bytes"
    monkeypatch.setattr(models.pictures, "MAX_BYTES", 5)
    assert models.pictures.read_content(tmp_path / "x") == b"12345"


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (MemoryError(), "too large: it does not fit into memory"),
        (OSError("image file is truncated (3 bytes)"), "truncated: image file is truncated"),
        (OSError("unsupported BMP\n  compression"), "not supported: unsupported BMP compression"),
        (SyntaxError("broken PNG file"), "damaged: broken PNG file"),
        (ValueError(), "damaged: ValueError"),
    ],
)
def test_what_pillow_says_is_put_into_words(
    raised: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Image.Image) -> None:
        raise raised

    content = encoded(Image.new("RGB", (4, 4), RED), "BMP")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    assert refused(content).startswith(said)


def test_a_file_that_does_not_fit_into_memory_is_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, mode: str) -> None:
        assert mode == "rb"
        raise MemoryError

    monkeypatch.setattr(Path, "open", fail)
    assert refused(tmp_path) == "too large: it does not fit into memory"


def test_an_orientation_that_cannot_be_read_turns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise ValueError("broken")

    content = encoded(photograph(60, 40), "JPEG")
    monkeypatch.setattr(Image.Image, "getexif", fail)
    monkeypatch.setattr("PIL.ImageOps.exif_transpose", fail)
    picture = read(content)
    assert (picture.width, picture.height, picture.image.size) == (60, 40, (60, 40))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_picture_is_told_at_its_whole_size_whichever_way_it_is_turned(
    orientation: int,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read(encoded(photograph(1200, 800), "JPEG", exif=exif), reduce_to=100)
    turned = orientation >= 5
    assert (picture.width, picture.height) == ((800, 1200) if turned else (1200, 800))
    assert picture.image.size == ((200, 300) if turned else (300, 200))


def test_what_is_enough_for_the_encoder_is_enough_for_a_thumbnail() -> None:
    def side(width: int, height: int) -> int:
        return reduced_side(CLIP.model_copy(update={"width": width, "height": height}))

    assert side(224, 224) == 224
    assert side(336, 224) == side(224, 336) == 336
    assert side(32, 64) == 160


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


def test_grey_of_many_bits_is_the_same_however_many_rows_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ramp = np.linspace(0, 65535, 7 * 33).astype(np.uint16).reshape(33, 7)
    content = encoded(Image.fromarray(ramp), "PNG")
    whole = np.asarray(decode(content))
    for at_once in (1, 14, 20):
        monkeypatch.setattr(models.pictures, "_PIXELS_AT_ONCE", at_once)
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
    assert models.pictures._white_level(mode, values) == white
    assert models.pictures._white_level(mode, values[:0]) == (1.0 if mode == "F" else 65535.0)


@pytest.mark.parametrize(
    ("size", "middle"),
    [
        ((3200, 100), (0, 0, 3200, 100)),
        ((3201, 100), (0, 0, 3200, 100)),
        ((3300, 100), (50, 0, 3250, 100)),
        ((100, 3300), (0, 50, 100, 3250)),
    ],
)
def test_of_a_strip_the_middle_is_seen(
    size: tuple[int, int], middle: tuple[int, int, int, int]
) -> None:
    image = photograph(*size)
    seen = models.pictures._middle_of_strip(image)
    assert seen.size == (middle[2] - middle[0], middle[3] - middle[1])
    assert (np.asarray(seen) == np.asarray(image.crop(middle))).all()
    assert (seen is image) == (size == (3200, 100))


@pytest.mark.parametrize(
    ("size", "box", "at"),
    [
        ((5, 5), (0, 0, 4, 4), None),
        ((9, 4), (2, 0, 6, 4), None),
        ((4, 9), (0, 2, 4, 6), None),
        ((4, 4), (0, 0, 4, 4), None),
        ((2, 4), None, (1, 0)),
        ((4, 1), None, (0, 1)),
        ((9, 2), None, (-3, 1)),
    ],
)
def test_the_middle_is_cut_out_or_padded(
    size: tuple[int, int], box: tuple[int, int, int, int] | None, at: tuple[int, int] | None
) -> None:
    image = photograph(*size)
    seen = models.pictures._crop_or_pad(image, 4, 4, 9)
    if box is not None:
        expected = image.crop(box)
    else:
        assert at is not None
        expected = Image.new("RGB", (4, 4), (9, 9, 9))
        expected.paste(image, at)
    assert (np.asarray(seen) == np.asarray(expected)).all()


def test_a_picture_that_has_the_size_already_is_not_scaled() -> None:
    image = photograph(224, 300)
    assert models.pictures._scale_shorter_to(image, 224, Image.Resampling.BICUBIC) is image
    assert models.pictures._scale_by(image, 1.0, Image.Resampling.BICUBIC) is image
    assert models.pictures._scale_by(image, 1e9, Image.Resampling.BICUBIC).size == (1, 1)
    assert models.pictures._scale_shorter_to(image, 112, Image.Resampling.BICUBIC).size == (
        112,
        150,
    )
