"""What a bundle holds, exported with the command that a user types, and what becomes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

import build.unpack
from build.__main__ import main
from build.bundle_from_images import IndexOptions, build_index
from build.errors import BuildError
from models.bundle import Bundle
from models.manifest import INDEX, Manifest
from tests.build.images import plant

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "build", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, tiny_package: Path) -> Path:
    """A few images, some of which have captions and metadata."""
    folder = tmp_path_factory.mktemp("exported")
    plant(folder / "images", 24)
    (folder / "images/a/0000.json").write_text(
        json.dumps({"caption": "Ein Rotfuchs – im Schnee", "alt_text": "Fuchs", "year": 1999})
    )
    build_index(IndexOptions(folder / "bundle", tiny_package, images=folder / "images"))
    return folder / "bundle"


def known(bundle: Path) -> list[dict[str, Any]]:
    """All that is known of the images of a bundle, in order."""
    told = [asdict(item) for item in Bundle.open(bundle).items]
    for each in told:
        del each["position"]
    return told


def test_what_was_exported_makes_the_same_index_again(
    bundle: Path, tiny_package: Path, tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "out"
    exported = command("export", bundle, "--to", "npy", "--output", out)
    assert exported.returncode == 0, exported.stderr
    assert exported.stdout == f"{out} has 24 images\n"
    assert sorted(path.name for path in out.iterdir()) == [
        "embeddings.npy",
        "items.jsonl",
        "paths.txt",
    ]
    lines = (out / "items.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == known(bundle)
    assert "Rotfuchs – im" in lines[0]
    paths = (out / "paths.txt").read_text("utf-8").splitlines()
    assert paths == [each["image_path"] for each in known(bundle)]

    again = tmp_path / "again"
    given = ["--embeddings", out / "embeddings.npy", "--paths", out / "paths.txt"]
    built = command("index", *given, "--model", tiny_package, "--output", again)
    assert built.returncode == 0, built.stderr
    assert Manifest.read(again).files[INDEX] == Manifest.read(bundle).files[INDEX]
    assert [each["id"] for each in known(again)] == [each["id"] for each in known(bundle)]


def test_a_table_holds_the_same(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.unpack, "_AT_ONCE", 10)
    opened = Bundle.open(bundle)
    build.unpack.unpack(opened, tmp_path / "out", "parquet")
    told = parquet.read_table(tmp_path / "out" / "items.parquet").to_pylist()
    vectors = np.array([each.pop("embedding") for each in told], dtype=np.float32)
    assert (vectors == opened.index.embeddings.rows(np.arange(24))).all()
    for each in told:
        each |= {name: json.loads(each[name]) for name in ("metadata", "sources")}
    assert told == known(bundle)


def test_without_pyarrow_the_extra_is_named(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(BuildError, match=r"pip install -r requirements/parquet\.txt"):
        build.unpack.unpack(Bundle.open(bundle), tmp_path / "out", "parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_no_line_can_hold_is_told(tmp_path: Path, tiny_package: Path) -> None:
    plant(tmp_path / "images", 1)
    (tmp_path / "images/a/0000.jpg").rename(tmp_path / "images/one\ntwo.jpg")
    build_index(IndexOptions(tmp_path / "bundle", tiny_package, images=tmp_path / "images"))
    opened = Bundle.open(tmp_path / "bundle")
    with pytest.raises(BuildError, match=r"'one\\ntwo\.jpg' holds a line break.* --to parquet"):
        build.unpack.unpack(opened, tmp_path / "out", "npy")
    build.unpack.unpack(opened, tmp_path / "out", "parquet")


def test_nothing_is_overwritten(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").write_text("mine")
    given = ["export", str(bundle), "--to", "npy", "--output", str(tmp_path / "mine")]
    assert main(given) == 1
    told = f"error: {tmp_path / 'mine'} is there already. Give --output a new folder.\n"
    assert capsys.readouterr().err == told
    assert (tmp_path / "mine").read_text() == "mine"
