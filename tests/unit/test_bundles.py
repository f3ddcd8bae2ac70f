"""sightline/bundles.py: where the command keeps bundles."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from build.errors import BuildError
from sightline import bundles


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sightline"


def test_each_folder_has_a_bundle_of_its_own(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a" / "My images", target_is_directory=True)
    one = bundles.bundle_of(tmp_path / "a" / "My images")
    other = bundles.bundle_of(tmp_path / "b" / "My images")
    assert one.parent == other.parent == cache / "bundles"
    assert one.name.startswith("My-images-")
    assert one != other
    assert bundles.bundle_of(tmp_path / "link") == one
    assert bundles.bundle_of(Path("/")).name.startswith("images-")


def test_the_last_one_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BuildError, match=r"no bundle is given.* sightline open FOLDER"):
        bundles.last()
    monkeypatch.chdir(tmp_path)
    bundles.remember(Path("süß"))
    assert bundles.last() == str(tmp_path / "süß")
    bundles.remember("s3://photos/one")
    assert bundles.last() == "s3://photos/one"


@pytest.mark.skipif(sys.platform != "linux", reason="platform: each has its own place")
@pytest.mark.parametrize("given", ["", "relative"])
def test_the_caches_place_is_the_systems(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    assert bundles.cache() == Path.home() / ".cache" / "sightline"
