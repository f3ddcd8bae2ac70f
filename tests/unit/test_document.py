"""Documents with their own checksum: of them the manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.damage import DamagedError
from models.manifest import Manifest
from tests.documents import manifest, with_checksum


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


def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(DamagedError, match=r"manifest.json cannot be read \(Is a directory\)"):
        Manifest.read(tmp_path)


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


def test_what_is_stored_has_the_names_that_it_always_had(tmp_path: Path) -> None:
    manifest().write(tmp_path)
    stored = json.loads((tmp_path / "manifest.json").read_text())
    assert (stored["pictures"], stored["picture_root"]) == (1, "/photos")
    golden, verification = stored["model"]["golden"], stored["model"]["verification"]
    assert {"picture", "picture_tolerance"} < set(golden)
    assert verification["pictures"] == 1
    assert Manifest.read(tmp_path) == manifest()
    other = {name: value for name, value in stored.items() if name not in ("seal", "pictures")}
    with pytest.raises(DamagedError, match=r"has no pictures: another release"):
        Manifest.parse(with_checksum(other | {"images": 1}), tmp_path / "manifest.json")
