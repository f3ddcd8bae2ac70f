"""What is left to check of a folder's files, and how far it has come."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

import models.folder
from models.checksums import record_files
from models.damage import DamagedError
from models.file_names import IMAGE_ENCODER
from models.folder import Folder
from models.image_encoder import ImageEncoder, LazyImageEncoder
from models.scrubbing import Scrubbed, scrub

CONTENT = {"a": b"12345", "b": b"1234", IMAGE_ENCODER: b"123"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(models.folder, "_CHUNK", 3)
    for name, content in CONTENT.items():
        (tmp_path / name).write_bytes(content)
    folder = Folder(tmp_path)
    folder.open(record_files(tmp_path, CONTENT))
    return folder


def test_it_says_how_far_it_has_come_and_which_files_are_whole(files: Folder) -> None:
    files.trust(["b"])
    told: list[str] = []
    steps = scrub(files, None, told.append)
    assert next(steps) == Scrubbed(3, 8)
    assert told == []
    assert list(steps) == [Scrubbed(5, 8), Scrubbed(8, 8)]
    assert told == ["a", IMAGE_ENCODER]
    assert list(scrub(files, None, told.append)) == []


def test_what_is_damaged_is_named_and_not_told_to_be_whole(files: Folder) -> None:
    (files.path / "b").write_bytes(b"1235")
    told: list[str] = []
    with pytest.raises(DamagedError, match="b is damaged"):
        list(scrub(files, None, told.append))
    assert told == ["a"]


def test_the_image_encoder_checks_its_own_file(files: Folder) -> None:
    loaded: list[str] = []

    def load() -> ImageEncoder:
        loaded.append(IMAGE_ENCODER)
        return cast("ImageEncoder", None)

    encoder = LazyImageEncoder(load)
    *_, last = scrub(files, encoder, lambda _: None)
    assert last == Scrubbed(12, 12)
    assert loaded == [IMAGE_ENCODER]
    # The encoder has done so: nobody has hashed the file here.
    assert not files.checked(IMAGE_ENCODER)
    assert list(scrub(files, encoder, lambda _: None)) == []
