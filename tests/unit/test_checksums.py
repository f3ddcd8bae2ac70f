"""The files that documents vouch for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from models.checksums import FileRecord, compare, record_file, record_files, verify_files
from models.damage import DamagedError


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


def test_size_and_hash_are_compared(tmp_path: Path) -> None:
    path, record = Path("/b/x"), FileRecord(size=3, sha256="a" * 64)
    compare(path, record, 3)
    compare(path, record, 3, "a" * 64)
    with pytest.raises(DamagedError, match=r"^/b/x is damaged: 4 bytes, not 3\. Build it again\.$"):
        compare(path, record, 4, "a" * 64)
    with pytest.raises(
        DamagedError,
        match=r"^/b/x is damaged: its SHA-256 is b{12}…, not a{12}…\. Build it again\.$",
    ):
        compare(path, record, 3, "b" * 64)
    content = bytes(range(256)) * 9000
    (tmp_path / "x").write_bytes(content)
    found = record_file(tmp_path / "x")
    assert found.size == len(content)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
