"""How long a service takes to start is measured with real ones."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

from benchmarks.starts import measure
from benchmarks.thumbnails import give
from build.bundle_from_images import build_index
from build.index_options import IndexOptions
from models.bundle import Bundle
from tests.build.images import plant


def test_bundles_are_measured_in_turn_warm_and_cold(tmp_path: Path, tiny_package: Path) -> None:
    plant(tmp_path / "images", 3)
    small = tmp_path / "small"
    build_index(IndexOptions(output=small, model=tiny_package, images=tmp_path / "images"))
    large = tmp_path / "large"
    shutil.copytree(small, large, copy_function=lambda a, b: Path(b).hardlink_to(a))
    give(large, 8192)
    with closing(Bundle.open(large)) as bundle:
        assert [len(bundle.thumbnails.get(at) or b"") for at in range(3)] == [8192] * 3
    # The one that shares its files is as it was.
    with closing(Bundle.open(small)) as bundle:
        assert (bundle.thumbnails.get(0) or b"").startswith(b"RIFF")

    figures = measure([small, large], rounds=1)
    assert list(figures) == [str(small), str(large)]
    for states in figures.values():
        assert set(states) == {"cold", "warm"}
        for taken in states.values():
            assert taken["seconds"] > 0
            assert taken["processor_seconds"] > 0
            assert taken["read_mb"] >= 0
