"""Which of those who say something of an image are heard, and what is told of their mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from build.bundle_images import Images
from build.captioner import CaptionModel
from build.journal import Journal
from build.metadata import Fields
from build.said_of_images import all_said, what_is_said
from models.manifest import OcrFacts


def images(
    paths: list[str], table: Mapping[str, Fields] | None = None, files: bool = True
) -> Images:
    sizes: list[tuple[int, int] | None] = [(2, 2) if files else None for _ in paths]
    vectors = np.zeros((len(paths), 2), dtype=np.float32)
    return Images(paths, sizes, vectors, skipped=[], reused=0, said=table or {})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    (tmp_path / "images").mkdir()
    with Journal(tmp_path / "journal.sqlite", "one", tmp_path / "images") as journal:
        yield journal


def test_a_file_beside_an_image_is_heard_before_a_table(tmp_path: Path, journal: Journal) -> None:
    root = tmp_path / "images"
    (root / "a.txt").write_text("A red fox")
    table = {"a.jpg": {"caption": "A fox", "year": 1999}, "b.jpg": {"caption": "An owl"}}
    said = what_is_said(root, images(["a.jpg", "b.jpg", "c.jpg"], table), journal, "basic")
    assert {path: one.caption for path, one in said.items()} == {
        "a.jpg": "A red fox",
        "b.jpg": "An owl",
    }
    assert said["a.jpg"].metadata == {"year": 1999}


def test_no_more_than_ten_warnings_are_told(
    tmp_path: Path, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [f"{number:02}.jpg" for number in range(12)]
    for path in paths:
        (tmp_path / "images" / path).with_suffix(".txt").write_bytes(b"caf\xe9")
    said = what_is_said(tmp_path / "images", images(paths), journal, "basic")
    assert [one.caption for one in said.values()] == ["café"] * 12
    *told, last = capsys.readouterr().err.splitlines()
    assert len(told) == 10
    assert all(line.startswith("warning: ") for line in told)
    assert last == "... and 2 more warnings"


def test_machines_look_at_files_only_and_a_captioner_at_those_without_a_caption(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(root: Path, paths: Sequence[str], *_: object) -> dict[str, str]:
        return dict.fromkeys(paths, root.name)

    monkeypatch.setattr("build.said_of_images.write_captions", asked)
    monkeypatch.setattr("build.said_of_images.read_texts", asked)
    captioner = cast("CaptionModel", object())
    ocr = OcrFacts(name="ocr", version="1")
    (tmp_path / "images/a.txt").write_text("A red fox")

    def read(files: bool, *machines: Any) -> dict[str, dict[str, str]]:
        some = images(["a.jpg", "b.jpg"], files=files)
        root = tmp_path / "images"
        said = all_said(root, some, journal, 1, *machines, "basic")
        return {"written": dict(said.written), "texts": dict(said.texts)}

    assert read(True, captioner, ocr) == {
        "written": {"b.jpg": "images"},
        "texts": {"a.jpg": "images", "b.jpg": "images"},
    }
    nothing: dict[str, dict[str, str]] = {"written": {}, "texts": {}}
    assert read(False, captioner, ocr) == nothing
    assert read(True, None, None) == nothing
