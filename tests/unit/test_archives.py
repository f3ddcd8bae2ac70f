"""Tars as folders: what is in them, and how little of one is read again."""

from __future__ import annotations

import io
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from build.archives import Archives
from build.caption import Caption
from build.captions import read_captions
from build.journal import Journal, Record
from build.scan import ImageFile, Scan, scan
from models.images import ImageError

FILES = {
    "000000000.jpg": b"first",
    "000000000.txt": b"A fox",
    "000000000.json": b'{"year": 1999}',
    "deep/er/1.png": b"second",
    "deep/er/1.txt": b"An owl",
}


def pack(path: Path, files: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=kind) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def scanned(root: Path, archives: Archives | None = None, **options: Any) -> Scan:
    return scan(root, enter=(archives or Archives(root)).enter, **options)


def found(root: Path, **options: Any) -> list[str]:
    return [file.path for file in scanned(root, **options).images]


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_is_in_a_tar_is_found_and_read(tmp_path: Path, kind: int) -> None:
    long = f"{'long/' * 30}{'name' * 15}.webp"
    tar = pack(tmp_path / "a" / "00000.TAR", FILES | {long: b"third"}, kind)
    (tmp_path / "b.jpg").write_bytes(b"beside")
    archives = Archives(tmp_path)
    images = scanned(tmp_path, archives).images
    assert [(file.path, file.size) for file in images] == [
        ("a/00000.TAR/000000000.jpg", 5),
        ("a/00000.TAR/deep/er/1.png", 6),
        (f"a/00000.TAR/{long}", 5),
        ("b.jpg", 6),
    ]
    facts = tar.stat()
    assert {(file.mtime_ns, file.ctime_ns) for file in images[:3]} == {
        (facts.st_mtime_ns, facts.st_ctime_ns)
    }
    contents = [archives.content(tmp_path / file.path) for file in images]
    assert contents == [b"first", b"second", b"third", b"beside"]
    tar.unlink()
    with pytest.raises(ImageError, match="No such file"):
        archives.content(tmp_path / images[0].path)


def test_a_tar_is_no_folder_unless_it_is_asked_for(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", FILES)
    assert scan(tmp_path).images == []


def test_words_beside_an_image_in_a_tar(tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", FILES | {"big.jpg": b"x", "big.txt": bytes(2 << 20)})
    (tmp_path / "captions.csv").write_text("path,caption,city\na.tar/deep/er/1.png,,Zug\n")
    archives = Archives(tmp_path)
    paths = [file.path for file in scanned(tmp_path, archives).images]
    captions, warnings = read_captions(tmp_path, paths, archives)
    assert captions == {
        "a.tar/000000000.jpg": Caption("A fox", {"year": 1999}),
        "a.tar/deep/er/1.png": Caption("An owl", {"city": "Zug"}),
    }
    assert warnings == ["a.tar/big.txt: larger than 1 MB: left out"]


def test_what_is_left_out_of_a_tree_is_left_out_of_a_tar(tmp_path: Path) -> None:
    hidden = (".a.jpg", "._b.jpg", ".trash/c.jpg", "__MACOSX/d.jpg", "x/@eaDir/e/f.jpg")
    pack(tmp_path / "a.tar", dict.fromkeys((*hidden, "x/1.jpg", "x/2.png", "x/3.mp4"), b"x"))
    pack(tmp_path / "b.tar", {"4.jpg": b"x"})
    assert found(tmp_path) == ["a.tar/x/1.jpg", "a.tar/x/2.png", "b.tar/4.jpg"]
    assert scanned(tmp_path).unread == {".mp4": 1}
    assert found(tmp_path, include=["*.jpg"]) == ["a.tar/x/1.jpg", "b.tar/4.jpg"]
    assert found(tmp_path, include=["a.tar"]) == ["a.tar/x/1.jpg", "a.tar/x/2.png"]
    assert found(tmp_path, exclude=["a.tar", "4.*"]) == []
    assert found(tmp_path, exclude=["*.tar"]) == []
    assert found(tmp_path, exclude=["x/"]) == ["b.tar/4.jpg"]


def test_nothing_leads_out_of_a_tar_and_the_last_of_a_name_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    names = ("/etc/1.jpg", "../../2.jpg", "./x//../3.jpg", "cut.jpg\0/ü.jpg", ".")
    pack(path, {name: name.encode() for name in names} | {"dup.jpg": b"old"})
    with tarfile.open(path, "a") as tar:
        renewed = tarfile.TarInfo("dup.jpg")
        renewed.size = 3
        tar.addfile(renewed, io.BytesIO(b"new"))
    archives = Archives(tmp_path)
    paths = [file.path for file in scanned(tmp_path, archives).images]
    assert paths == [f"a.tar/{name}.jpg" for name in ("2", "cut", "dup", "etc/1", "x/3")]
    assert archives.content(tmp_path / "a.tar/dup.jpg") == b"new"
    assert archives.find(tmp_path / "a.tar") is None


def test_what_cannot_be_read_in_a_tar_is_told(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", {"1.jpg": b"x"})
    with tarfile.open(path, "a", format=tarfile.GNU_FORMAT) as tar:
        for name, kind in (("link.jpg", tarfile.LNKTYPE), ("notes", tarfile.SYMTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "1.jpg"
            tar.addfile(link)
        tar.addfile(tarfile.TarInfo("caf\udce9.jpg"))
    result = scanned(tmp_path)
    assert [file.path for file in result.images] == ["a.tar/1.jpg"]
    assert [(each.path, each.detail) for each in result.skipped] == [
        ("a.tar/caf\\xe9.jpg", "rename the file"),
        ("a.tar/link.jpg", "no regular file"),
    ]
    assert result.whole


@pytest.mark.parametrize(
    ("keep", "images"),
    [
        # Within the second file, within its header, at its end, and of no use at all.
        (slice(1024 + 512 + 2000), 2),
        (slice(1024 + 300), 1),
        (slice(1024 + 512 + 5120), 2),
        (slice(100), 0),
        (slice(0), 0),
    ],
)
def test_of_a_tar_that_is_cut_the_beginning_is_read(
    tmp_path: Path, keep: slice, images: int
) -> None:
    whole = pack(tmp_path / "a.tar", {"1.jpg": b"x", "2.jpg": bytes(5120)}, tarfile.USTAR_FORMAT)
    whole.write_bytes(whole.read_bytes()[keep])
    later = time.time_ns() + 10**10
    with Journal(tmp_path / "journal", "one", tmp_path) as journal:
        for _ in range(2):
            archives = Archives(tmp_path, journal)
            result = scan(tmp_path, enter=lambda tar, _, known=archives: known.enter(tar, later))
            assert len(result.images) == images
            assert [each.path for each in result.skipped] == ["a.tar"]
            assert result.skipped[0].detail.startswith("tar: ")
            assert not result.whole
    assert scanned(tmp_path, exclude=["*.tar"]).skipped == []


def test_a_damaged_header_in_the_middle_is_told(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.tar", {"1.jpg": b"x", "2.jpg": b"x"}, tarfile.USTAR_FORMAT)
    content = bytearray(path.read_bytes())
    content[1024 + 148] ^= 1  # of the second header's checksum
    path.write_bytes(content)
    result = scanned(tmp_path)
    assert [file.path for file in result.images] == ["a.tar/1.jpg"]
    assert not result.whole


def test_a_tar_that_has_not_changed_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    of_it = tarfile.open

    def counted(*arguments: Any, **options: Any) -> Any:
        read.append("tar")
        return of_it(*arguments, **options)

    root = tmp_path / "images"
    tar = pack(root / "a.tar", FILES)
    file = scanned(root).images[0]
    archive = ImageFile("a.tar", tar.stat().st_size, file.mtime_ns, file.ctime_ns)
    monkeypatch.setattr(tarfile, "open", counted)
    later = file.ctime_ns + 10**10
    journal = tmp_path / "journal"
    # Within the clock's step a change would not show.
    for scanned_ns, reads in ((file.ctime_ns, 1), (later, 2), (later, 2)):
        with Journal(journal, "one", root) as known:
            archives = Archives(root, known)
            contents = archives.enter(archive, scanned_ns)
            assert len(read) == reads
            assert contents.files == {name: len(content) for name, content in FILES.items()}
            assert archives.content(root / file.path) == b"first"
            words = list(archives.words())
    with Journal(journal, "one", tmp_path / "elsewhere") as known:
        Archives(root, known).enter(archive, later)
    assert len(read) == 3
    with Journal(journal, "one", tmp_path / "elsewhere") as known:
        known.put(file, Record(b"sha"), later)
        known.keep_only([file.path])
        Archives(root, known).enter(archive, later)
        assert len(read) == 3
        known.keep_only([])
        Archives(root, known).enter(archive, later)
        assert len(read) == 4
    # A word that changes shows, too.
    monkeypatch.undo()
    pack(tar, FILES | {"deep/er/1.txt": b"An elk"})
    changed = Archives(root)
    scanned(root, changed)
    assert list(changed.words()) != words
