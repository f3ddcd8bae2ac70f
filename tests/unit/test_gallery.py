"""The demo gallery is complete, small, credited, and half described."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image

GALLERY = Path(__file__).parents[2] / "demo" / "gallery"
SELECTION = Path(__file__).parents[2] / "build" / "demo_gallery" / "selection.csv"
PERMISSIVE = {"public domain", "CC0-1.0", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0", "MIT"}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return read(GALLERY / "captions.csv")


@pytest.fixture(scope="module")
def images() -> list[Path]:
    return [path for path in GALLERY.rglob("*") if path.suffix in (".jpg", ".png", ".webp")]


def test_at_least_500_images_in_at_most_12_mb(images: list[Path]) -> None:
    assert len(images) >= 500
    assert sum(path.stat().st_size for path in GALLERY.rglob("*") if path.is_file()) <= 12e6


def test_the_table_names_every_image_and_no_other(
    rows: list[dict[str, str]], images: list[Path]
) -> None:
    named = [row["image_path"] for row in rows]
    assert sorted(named) == sorted(path.relative_to(GALLERY).as_posix() for path in images)
    assert len(set(named)) == len(named)


def test_every_image_is_credited(rows: list[dict[str, str]]) -> None:
    for row in rows:
        for field in ("title", "author", "source"):
            assert row[field].strip(), f"{row['image_path']} has no {field}"
        assert row["licence"] in PERMISSIVE, row["image_path"]
        assert "@" not in row["author"] + row["title"], "somebody's mail address"


def test_no_image_is_an_evaluation_stamp(rows: list[dict[str, str]]) -> None:
    assert not [row["source"] for row in rows if "tuxpaint" in row["source"]]


def test_most_images_have_a_caption_and_many_have_none(rows: list[dict[str, str]]) -> None:
    captioned = sum(bool(row["caption"]) for row in rows)
    assert 0.6 * len(rows) <= captioned <= 0.7 * len(rows)
    for kind in ("photograph", "drawing"):
        assert any(row["kind"] == kind and not row["caption"] for row in rows)


def test_every_image_opens_and_has_a_size_for_a_page(images: list[Path]) -> None:
    transparent = 0
    for path in images:
        with Image.open(path) as image:
            image.load()
            assert 128 <= max(image.size) <= 512, path
            transparent += image.mode == "RGBA"
    assert transparent > 50


def test_there_are_guitars_and_other_instruments(rows: list[dict[str, str]]) -> None:
    music = [row["image_path"] for row in rows if row["image_path"].startswith("music/")]
    assert sum("guitar" in path for path in music) >= 6
    assert len(music) >= 30


def test_the_gallery_is_what_the_recipe_selects(rows: list[dict[str, str]]) -> None:
    selected = {(row["picture"], row["caption"]) for row in read(SELECTION)}
    made = {(row["image_path"].rpartition(".")[0], row["caption"]) for row in rows}
    assert selected == made
