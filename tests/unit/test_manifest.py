"""The sealed documents and the files that they vouch for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.manifest import (
    DamagedError,
    Manifest,
    record_files,
    verify_files,
)
from tests.documents import manifest


def test_a_document_reads_as_it_was_written(tmp_path: Path) -> None:
    manifest().write(tmp_path)
    assert Manifest.read(tmp_path) == manifest()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_any_flipped_byte_of_a_document_shows(tmp_path: Path, data: st.DataObject) -> None:
    manifest().write(tmp_path)
    path = tmp_path / "manifest.json"
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"manifest\.json"):
        Manifest.read(tmp_path)


def test_a_missing_document_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"does not exist.*Build it again"):
        Manifest.read(tmp_path)


def test_the_public_part_keeps_local_paths_to_itself() -> None:
    assert "/photos" not in str(manifest().public())


@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_file_is_named(tmp_path: Path, harm: str) -> None:
    names = ["a.bin", "b.bin"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode() * 1000)
    files = record_files(tmp_path, names)
    verify_files(tmp_path, files)
    path = tmp_path / "b.bin"
    content = path.read_bytes()
    if harm == "flip":
        path.write_bytes(content[:77] + bytes([content[77] ^ 1]) + content[78:])
    elif harm == "cut":
        path.write_bytes(content[:-1])
    else:
        path.unlink()
    with pytest.raises(DamagedError, match=r"b\.bin"):
        verify_files(tmp_path, files)


def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(DamagedError, match=r"manifest.json cannot be read \(Is a directory\)"):
        Manifest.read(tmp_path)
