"""Whether a bundle would be the same again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from build.made_of import made_of, sidecars
from models.manifest import Skipped

PARTS: dict[str, Any] = {
    "settings": {"metric": "ip", "model": {"name": "tiny"}},
    "images": [("a.jpg", b"\x01"), ("b.jpg", b"\x02")],
    "skipped": [Skipped(path="c.jpg", reason="empty", detail="")],
    "sidecars": [("./a.txt", b"\x03")],
}


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"metric": "l2", "model": {"name": "tiny"}}},
        {"images": [("a.jpg", b"\x01"), ("b.jpg", b"\x03")]},
        {"images": [("a.jpg", b"\x01")]},
        {"images": [("b.jpg", b"\x01"), ("a.jpg", b"\x02")]},
        {"skipped": []},
        {"skipped": [Skipped(path="c.jpg", reason="truncated", detail="")]},
        {"sidecars": []},
        {"sidecars": [("./a.txt", b"\x04")]},
        {"sidecars": [("./b.txt", b"\x03")]},
    ],
)
def test_whatever_changes_shows(change: dict[str, Any]) -> None:
    assert made_of(**PARTS) == made_of(**PARTS)
    assert made_of(**PARTS | change) != made_of(**PARTS)


def test_sidecars_are_known_by_their_content(tmp_path: Path) -> None:
    for folder in ("", "deep"):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in ("a.jpg", "a.TXT", "a.json", "a.jpg.xmp", "captions.csv", "notes.doc"):
            (tmp_path / folder / name).write_text(f"{folder} {name}")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("beside no image")
    found = dict(sidecars(tmp_path, ["deep/a.jpg"]))
    names = ("a.TXT", "a.jpg.xmp", "a.json", "captions.csv")
    assert list(found) == [f"{folder}/{name}" for folder in (".", "deep") for name in names]
    (tmp_path / "deep" / "a.json").write_text("{}")
    assert {
        path for path, checksum in sidecars(tmp_path, ["deep/a.jpg"]) if found[path] != checksum
    } == {"deep/a.json"}


def test_what_is_too_large_to_say_anything_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.json").open("wb") as stream:
        stream.truncate(1 << 40)
    ((path, _),) = sidecars(tmp_path, ["a.jpg"])
    assert path == "./a.json"


def test_a_sidecar_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").symlink_to(tmp_path / "nowhere")
    assert list(sidecars(tmp_path, ["a.jpg", "gone/b.jpg"])) == []
