"""The documents, their own checksums and the files that they vouch for."""

from __future__ import annotations

import errno
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.manifest import (
    DamagedError,
    FileRecord,
    Manifest,
    Skipped,
    cannot_be_read,
    compare,
    record_file,
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


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            FileNotFoundError(errno.ENOENT, "No such file"),
            "/b/x does not exist: /b is no bundle or package, or it was not written to the end. "
            "Build it again.",
        ),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory"),
            "/b/x does not exist: /b is no bundle or package, or it was not written to the end. "
            "Build it again.",
        ),
        (
            OSError(errno.ELOOP, "Too many links"),
            "/b/x is a link: a bundle holds its own files. Copy them there.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied"),
            "/b/x cannot be read (Permission denied): give the process's user the right to.",
        ),
        (
            OSError(errno.EIO, "Input/output error"),
            "/b/x cannot be read (Input/output error). Build it again.",
        ),
    ],
)
def test_what_the_system_does_not_give_is_told_in_words(error: OSError, said: str) -> None:
    assert str(cannot_be_read(Path("/b/x"), error)) == said


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


def with_checksum(fields: dict[str, Any], checksum: str | None = None) -> bytes:
    """A document as ``write`` makes it, of any fields."""
    body = (json.dumps(fields | {"seal": "0" * 64}, indent=2, ensure_ascii=False) + "\n").encode()
    right = checksum or hashlib.sha256(body).hexdigest()
    return body.replace(b"0" * 64, right.encode())


def test_a_document_says_what_is_wrong_with_it() -> None:
    fields = manifest().model_dump(mode="json", by_alias=True)
    path = Path("/b/manifest.json")
    assert Manifest.parse(with_checksum(fields), path) == manifest()
    old = fields | {"format": "sightline-bundle/1"}
    lacking = {name: value for name, value in fields.items() if name != "mean"}
    deep = fields | {"model": fields["model"] | {"embedding_dim": "wide"}}
    for written, said in [
        (
            with_checksum(fields, "1" * 64),
            "is damaged: it does not match its own checksum. Build it again.",
        ),
        (
            json.dumps(fields).encode(),
            "has no checksum of its own: it was altered. Build it again.",
        ),
        (b"[]", "has no checksum of its own: it was altered. Build it again."),
        (b"{", "is no JSON: Expecting property name enclosed in double quotes"),
        (b"\xff", "is no JSON: "),
        (
            with_checksum(old),
            "is of the format 'sightline-bundle/1', and this release reads "
            "'sightline-bundle/2'. Build it again.",
        ),
        (
            with_checksum(lacking),
            "has no mean: another release of Sightline wrote it. Export its model again "
            "(python -m build model), then build the bundle again.",
        ),
        (with_checksum(deep), "is damaged: model.embedding_dim: Input should be a valid integer"),
        (with_checksum(fields | {"more": 1}), "is damaged: more: Extra inputs are not permitted"),
    ]:
        with pytest.raises(DamagedError) as damaged:
            Manifest.parse(written, path)
        assert str(damaged.value).startswith(f"{path} {said}")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", "/a"])
def test_a_manifest_names_files_of_its_own_folder_only(name: str) -> None:
    fields = manifest().model_dump(mode="json", by_alias=True)
    record = {"size": 1, "sha256": "a" * 64}
    path = Path("/b/manifest.json")
    assert "a.b" in Manifest.parse(with_checksum(fields | {"files": {"a.b": record}}), path).files
    with pytest.raises(DamagedError, match="is no file of the bundle's own"):
        Manifest.parse(with_checksum(fields | {"files": {name: record}}), path)


def test_golden_embeddings_are_as_wide_as_the_model_s() -> None:
    fields = manifest().model_dump(mode="json", by_alias=True)
    golden = fields["model"]["golden"]
    for wrong, said in [("AAAA", "a golden embedding is not"), ("%", "embedding is not base64")]:
        for changed in (
            golden | {"picture": wrong},
            golden | {"texts": [golden["texts"][0] | {"embedding": wrong}]},
        ):
            altered = fields | {"model": fields["model"] | {"golden": changed}}
            with pytest.raises(DamagedError, match=said):
                Manifest.parse(with_checksum(altered), Path("/b/manifest.json"))


def test_the_public_part_says_how_many_were_skipped() -> None:
    skipped = [Skipped(path="a.png", reason="empty", detail="")] * 3
    facts = manifest().model_copy(update={"skipped": skipped, "image_root": "/p"}).public()
    assert facts["skipped"] == 3
    assert not {"mean", "image_root"} & set(facts)
    assert "golden" not in facts["model"]
    assert facts["images"] == manifest().images


def test_another_bundle_has_another_version() -> None:
    assert re.fullmatch("[0-9a-f]{16}", manifest().version)
    assert manifest().version == manifest().version
    assert manifest().version != manifest().model_copy(update={"created": "later"}).version
