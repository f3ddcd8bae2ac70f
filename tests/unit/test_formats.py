"""One list of formats."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image

import models.formats
from models.formats import HEIF, JPEG_XL, RAW, extra_for, is_installed, is_unread, suffixes


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    suffixes.cache_clear()
    yield
    suffixes.cache_clear()


def test_what_is_read_is_what_pillow_knows() -> None:
    """Every suffix is registered by a plug-in of Pillow's that opens it."""
    Image.init()
    registered = Image.registered_extensions()
    for suffix in suffixes() - HEIF.suffixes - JPEG_XL.suffixes - RAW.suffixes:
        # A file of several JPEGs is opened as one.
        assert registered[suffix] in {*Image.OPEN, "MPO"}, suffix


def test_no_program_is_started_for_an_image() -> None:
    assert not suffixes() & {".eps", ".ps", ".svg", ".pdf", ".wmf", ".emf"}


def test_plug_ins_add_theirs_where_they_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_installed(HEIF)
    assert is_installed(JPEG_XL)
    assert {".heic", ".jxl"} <= suffixes()
    assert not is_unread(".heic")
    suffixes.cache_clear()
    monkeypatch.setattr(models.formats, "is_installed", lambda plug_in: plug_in is HEIF)
    assert ".heic" in suffixes()
    assert not {".jxl", ".cr2", ".dng"} & suffixes()
    assert is_unread(".jxl")
    assert is_unread(".dng")
    assert extra_for(".jxl") == "formats"


def test_what_looks_like_an_image_is_known_for_one() -> None:
    assert all(map(is_unread, (".xcf", ".mp4", ".svg", ".eps")))
    assert not any(map(is_unread, (".txt", ".json", "", ".jpg", ".xmp")))
    assert extra_for(".mp4") is None
