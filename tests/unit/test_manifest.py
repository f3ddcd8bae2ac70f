"""What a bundle says of itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.damage import DamagedError
from models.manifest import Manifest, Skipped
from tests.documents import manifest, with_checksum


def test_the_public_part_keeps_local_paths_to_itself() -> None:
    assert "/photos" not in str(manifest().public())


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", "/a"])
def test_a_manifest_names_files_of_its_own_folder_only(name: str) -> None:
    fields = manifest().model_dump(mode="json", by_alias=True)
    record = {"size": 1, "sha256": "a" * 64}
    path = Path("/b/manifest.json")
    assert "a.b" in Manifest.parse(with_checksum(fields | {"files": {"a.b": record}}), path).files
    with pytest.raises(DamagedError, match="is no file of the bundle's own"):
        Manifest.parse(with_checksum(fields | {"files": {name: record}}), path)


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
