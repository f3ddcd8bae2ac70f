"""The files of a bundle as they were when it was opened."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest

import models.folder
from models.checksums import FileRecord, record_files
from models.damage import DamagedError
from models.folder import Folder

CONTENT = {"a": b"a few bytes", "b": bytes(range(256)) * 40, "none": b""}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder


def opened(place: Path) -> Folder:
    folder = Folder(place)
    folder.open(record_files(place, CONTENT))
    return folder


def test_its_files_are_read_in_pieces_of_any_size(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = opened(place)
    assert list(folder) == list(CONTENT)
    assert "a" in folder
    assert "c" not in folder
    for chunk in (1 << 20, 1000, 7):
        monkeypatch.setattr(models.folder, "_CHUNK", chunk)
        for name, content in CONTENT.items():
            assert folder.size(name) == len(content)
            assert folder.read(name) == folder.document(name) == content
            assert sum(folder.check(name)) == len(content)
            with folder.stream(name) as stream:
                assert stream.read(3) == content[:3]
            # Wherever another has read to.
            with folder.stream(name) as stream:
                assert stream.read() == content
    assert folder.map("b")[:] == CONTENT["b"]


@pytest.mark.parametrize("way", ["confirm", "check", "settle"])
def test_what_was_hashed_is_known_to_be_right(place: Path, way: str) -> None:
    folder = opened(place)
    assert not folder.checked("a")
    if way == "confirm":
        folder.confirm("a", CONTENT["a"])
    elif way == "check":
        list(folder.check("a"))
    else:
        folder.settle("a", hashlib.sha256(CONTENT["a"]).hexdigest())
    assert folder.checked("a")
    assert not folder.checked("b")
    # Once is enough.
    folder.confirm("a", b"whatever")
    with pytest.raises(DamagedError, match="b is damaged: its SHA-256"):
        folder.confirm("b", b"whatever")
    assert not folder.checked("b")


def test_who_has_just_hashed_them_need_not_again(place: Path) -> None:
    folder = opened(place)
    some, *others = CONTENT
    folder.trust([some])
    assert folder.checked(some)
    assert not any(map(folder.checked, others))
    folder.trust(CONTENT)
    assert all(map(folder.checked, CONTENT))


def test_files_are_those_that_were_opened(place: Path) -> None:
    folder = opened(place)
    assert not folder.is_replaced()
    assert folder.is_at("a", place / "a")
    assert not folder.is_at("a", place / "b")
    assert not folder.is_at("a", place / "nowhere")
    place.rename(place.with_name("elsewhere"))
    assert folder.is_replaced()
    shutil.copytree(place.with_name("elsewhere"), place)
    (place / "a").write_bytes(b"other bytes")
    assert folder.is_replaced()
    assert not folder.is_at("a", place / "a")
    assert folder.is_at("a", place.with_name("elsewhere") / "a")
    assert folder.read("a") == CONTENT["a"]


def test_a_small_file_is_used_from_memory(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = opened(place)
    monkeypatch.setattr(models.folder, "IN_MEMORY_UP_TO", len(CONTENT["a"]))
    assert folder.in_memory("a")
    assert not folder.in_memory("b")


def test_once_closed_it_holds_nothing(place: Path) -> None:
    own = Path("/proc/self/fd")
    held = len(list(own.iterdir())) if own.is_dir() else 0
    folder = opened(place)
    folder.close()
    assert (len(list(own.iterdir())) if own.is_dir() else 0) == held
    with pytest.raises(KeyError):
        folder.read("a")


@pytest.mark.parametrize("harm", ["folder", "link", "pipe"])
def test_what_is_no_file_of_its_own_is_refused(place: Path, harm: str) -> None:
    (place / "a").unlink()
    if harm == "folder":
        (place / "a").mkdir()
    elif harm == "link":
        (place / "a").symlink_to(place / "b")
    else:
        os.mkfifo(place / "a")
    said = {"link": "is a link: a bundle holds its own files"}.get(harm, "a is no file. Build it")
    with pytest.raises(DamagedError, match=said):
        Folder(place).open({"a": FileRecord(size=11, sha256="")})


def test_one_that_is_not_there_or_not_whole_is_named(place: Path, tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match=r"nowhere/manifest\.json does not exist"):
        Folder(tmp_path / "nowhere")
    records = record_files(place, CONTENT)
    (place / "a").write_bytes(b"a few byte")
    with pytest.raises(DamagedError, match=r"a is damaged: 10 bytes, not 11\. Build it again"):
        Folder(place).open(records)
    (place / "a").unlink()
    with pytest.raises(DamagedError, match="a does not exist"):
        Folder(place).open(records)
    with pytest.raises(DamagedError, match="a does not exist"):
        Folder(place).document("a")


def test_a_disk_that_gives_nothing_any_more_is_damage(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int, size: int, at: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    folder = opened(place)
    monkeypatch.setattr(os, "pread", broken)
    with pytest.raises(DamagedError, match=r"a cannot be read \(Input/output error\)"):
        folder.read("a")
