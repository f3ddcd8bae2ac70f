"""Images that are broken, cut, two at once, of many frames or many pixels."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from PIL import Image, features

from models.images import ImageError, Limits, decode
from models.thumbnails import thumbnail
from tests.fuzz.conftest import bounded, tries
from tests.fuzz.edits import edited
from tests.serving.test_uploads import gif, png, webp, webp_canvas

# What a service takes with half a gigabyte of memory.
LIMITS = Limits(pixels=30_000_000)


def _corpus() -> Iterator[bytes]:
    colour = Image.linear_gradient("L").resize((40, 30)).convert("RGB")
    colour.putpixel((3, 3), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [colour.rotate(angle) for angle in range(0, 360, 45)]
    kinds = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]
    kinds += ["AVIF"] if features.check("avif") else []
    for kind in kinds:
        for options in ({}, {"save_all": True, "append_images": frames}):
            if options and kind in ("BMP", "JPEG"):
                continue
            stream = io.BytesIO()
            colour.save(
                stream, kind, **options, **({} if kind in ("GIF", "BMP") else {"exif": exif})
            )
            yield stream.getvalue()
    for mode in ("1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"):
        for kind in ("PNG", "TIFF", "JPEG"):
            stream = io.BytesIO()
            try:
                colour.convert("L").convert(mode).save(stream, kind)
            except OSError:
                continue
            yield stream.getvalue()
    stream = io.BytesIO()
    colour.save(stream, "JPEG", progressive=True, icc_profile=b"x" * 300, comment="x" * 100)
    yield stream.getvalue()
    for size in ((16_000, 15_990), (255_999_999, 1), (1, 65_535), (5000, 5000)):
        yield png(*size)
        yield png(*size, depth=16)
    yield webp(16_000, 15_990)
    yield webp_canvas(16_000, 15_990)
    yield gif(65_535, 65_535)
    yield b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\nshowpage\n"
    yield b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'
    yield b"<html><script>alert(1)</script></html>"
    yield b""


CORPUS = list(_corpus())


# Told, and no failure: what Pillow says of files that somebody broke.
@pytest.mark.filterwarnings("default::UserWarning")
@given(content=edited(CORPUS), reduce_to=st.sampled_from([None, 32, 224]))
@tries(3000)
def test_an_image_is_decoded_or_refused(content: bytes, reduce_to: int | None) -> None:
    with bounded():
        try:
            image = decode(content, reduce_to=reduce_to, limits=LIMITS)
        except ImageError as error:
            event(error.reason)
            return
        assert image.mode in ("RGB", "RGBA", "LA", "L", "PA", "La", "RGBa"), image.mode
        assert image.width * image.height <= LIMITS.pixels
        thumbnail(image)
    event("decoded")


@pytest.mark.parametrize("number", range(len(CORPUS)))
def test_what_the_corpus_holds_is_decoded_or_refused(number: int) -> None:
    with bounded(), contextlib.suppress(ImageError):
        decode(CORPUS[number], limits=LIMITS)
