"""The sizes that files declare, beside those that they turn out to have."""

from __future__ import annotations

import io

import pillow_jxl  # noqa: F401  # teaches Pillow to write them
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from build.room import Room
from models.declared import jxl_size, webp_size
from models.images import ImageError, read

SIZES = [
    *((1, 1), (8, 8), (64, 256), (333, 77), (512, 512)),
    *((640, 480), (1, 9000), (9000, 1), (160, 90)),
]
HEADS = [b"", b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n", b"RIFF"]


def written(kind: str, size: tuple[int, int], **options: object) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "red").save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_what_is_declared_is_what_is_there(size: tuple[int, int]) -> None:
    image = read(written("JXL", size, effort=1))
    assert (image.width, image.height) == size
    assert jxl_size(written("JXL", size, effort=1)) == size
    # EXIF needs boxes around the image.
    assert jxl_size(written("JXL", size, effort=1, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0")) == size
    assert webp_size(written("WEBP", size)) == size
    assert webp_size(written("WEBP", size, lossless=True)) == size


@given(content=st.binary(max_size=64), head=st.sampled_from(HEADS))
def test_any_other_bytes_declare_something_or_nothing(content: bytes, head: bytes) -> None:
    assert min(*jxl_size(head + content), *webp_size(head + content)) >= 0


def test_what_would_not_fit_is_refused_before_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    content = written("JXL", (2000, 1000), effort=1)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("it was opened"))
    with Room(10**6).place(0) as admit, pytest.raises(ImageError, match="memory for 1"):
        read(content, admit=admit)
