"""What has changed since a bundle was made is known by what each image was made of."""

from __future__ import annotations

from pathlib import Path

from build.journal import Journal
from build.source_checksums import SourceChecksums

SETTINGS = "one"


def checksum(number: int) -> bytes:
    return bytes([number]) * 16


def made(numbers: dict[str, int], settings: str = SETTINGS) -> SourceChecksums:
    return SourceChecksums(
        settings, list(numbers), [checksum(number) for number in numbers.values()]
    )


def test_what_came_changed_and_went(tmp_path: Path) -> None:
    now = made({"a": 1, "c": 9, "d": 4})
    with Journal(tmp_path / "journal", "encoder", tmp_path) as journal:
        assert now.since(journal, "bundle") is None
        made({"a": 1, "b": 2, "c": 3}).note(journal, "bundle")
    with Journal(tmp_path / "journal", "encoder", tmp_path) as journal:
        assert now.since(journal, "bundle") == (["c", "d"], ["b"])
        assert made({"a": 1, "b": 2, "c": 3}).since(journal, "bundle") == ([], [])
        # Of another bundle, or made otherwise, nothing is known.
        assert now.since(journal, "another") is None
        assert made({"a": 1}, "two").since(journal, "bundle") is None


def test_only_the_last_is_known(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal", "encoder", tmp_path) as journal:
        made({"a": 1}).note(journal, "first")
        made({"b\n\udcff": 1}).note(journal, "second")
        assert made({"a": 1}).since(journal, "first") is None
        assert made({"a": 1}).since(journal, "second") == (["a"], ["b\n\udcff"])
