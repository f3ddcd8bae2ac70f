"""Shards that are made for measuring are shards."""

from __future__ import annotations

from pathlib import Path

from benchmarks.shards import write
from build.__main__ import main
from models.bundle import Bundle
from tests.tools import require_module


def test_a_bundle_is_built_of_them(tmp_path: Path, tiny_package: Path) -> None:
    require_module("pyarrow", "shards are parquet")
    write(tmp_path / "shards", 30, tiny_package)
    given = ["--embeddings", str(tmp_path / "shards"), "--model", str(tiny_package)]
    assert main(["index", *given, "--output", str(tmp_path / "bundle")]) == 0
    bundle = Bundle.open(tmp_path / "bundle")
    items = bundle.items.get(range(30))
    assert all(item.caption for item in items)
    assert all(bundle.thumbnail(item) for item in items)
