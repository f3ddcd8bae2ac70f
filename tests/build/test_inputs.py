"""What other programs have downloaded and embedded, with the command that a user types."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

import models.index
from build.index import IndexOptions, build_index
from models.bundle import Bundle
from models.items import Item
from tests.build.pictures import picture

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "build", "index", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def items(bundle: Path) -> dict[str, Item]:
    with closing(Bundle.open(bundle)) as opened:
        return {item.image_path: item for item in opened.items}


def facts(key: str) -> dict[str, Any]:
    """What img2dataset writes of a picture."""
    return {
        "caption": f"The picture {key}",
        "url": f"https://example.org/{key}.jpg",
        "licence": "CC0-1.0",
        "original_width": 1200,
        "original_height": 960,
        "key": key,
        "status": "success",
        "error_message": None,
        "width": 60,
        "height": 48,
        "exif": '{"Image Make": "Canon"}',
        "sha256": "0" * 64,
    }


SAID = {"licence": "CC0-1.0", "original_height": 960, "original_width": 1200}


def test_what_img2dataset_has_downloaded_as_files(tmp_path: Path, tiny_package: Path) -> None:
    images, bundle = tmp_path / "downloaded", tmp_path / "bundles" / "photos"
    keys = [f"{shard:05}{number:04}" for shard in range(2) for number in range(3)]
    for number, key in enumerate(keys):
        folder = images / key[:5]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{key}.jpg").write_bytes(picture(number, "jpg"))
        (folder / f"{key}.txt").write_text(f"The picture {key}")
        (folder / f"{key}.json").write_text(json.dumps(facts(key), indent=4))
        parquet.write_table(pyarrow.table({"key": keys}), images / f"{key[:5]}.parquet")
        (images / f"{key[:5]}_stats.json").write_text('{"count": 3, "successes": 3}')
    built = run("--images", images, "--output", bundle, "--model", tiny_package)
    assert built.returncode == 0, built.stderr
    assert "warning" not in built.stderr
    assert "embedded 6" in built.stdout
    found = items(bundle)
    assert list(found) == [f"{key[:5]}/{key}.jpg" for key in keys]
    for key, item in zip(keys, found.values(), strict=True):
        assert (item.caption, item.alt_text) == (f"The picture {key}",) * 2
        assert item.metadata == {"url": f"https://example.org/{key}.jpg", **SAID}


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """The folder that clip-retrieval writes for 80 pictures, with five texts."""
    folder = tmp_path / "embedded"
    random = np.random.default_rng(0)
    for name in ("img_emb", "metadata", "text_emb"):
        (folder / name).mkdir(parents=True)
    for part in range(2):
        vectors = random.standard_normal((40, 24)).astype(np.float16)
        np.save(folder / f"img_emb/img_emb_{part}.npy", vectors)
        rows = [facts(f"{part:05}{row:04}") for row in range(40)]
        table = pyarrow.Table.from_pylist([{"image_path": row["key"], **row} for row in rows])
        parquet.write_table(table, folder / f"metadata/metadata_{part}.parquet")
    np.save(folder / "text_emb/text_emb_0.npy", random.standard_normal((5, 24)).astype(np.float16))
    return folder


def test_what_clip_retrieval_has_embedded(
    tmp_path: Path, tiny_package: Path, embedded: Path
) -> None:
    bundle = tmp_path / "bundles" / "photos"
    built = run("--embeddings", embedded, "--output", bundle, "--model", tiny_package)
    assert built.returncode == 0, built.stderr
    assert "embedded 80 (of which 80 reused), 80 of them without a file" in built.stdout
    item = items(bundle)["000010007"]
    assert item.caption == item.alt_text == "The picture 000010007"
    assert item.sources["caption"] == "sidecar"
    assert item.metadata == {"url": "https://example.org/000010007.jpg", **SAID}
    row = np.load(embedded / "img_emb/img_emb_1.npy")[7].astype(np.float32)
    with closing(Bundle.open(bundle)) as opened:
        vector = opened.index.reconstruct(item.position)
    np.testing.assert_allclose(vector, row / np.linalg.norm(row), atol=1e-6)


def test_an_index_is_tuned_with_the_texts_that_came_along(
    tmp_path: Path, tiny_package: Path, embedded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.index, "EXACT_UP_TO", 50)
    bundle = tmp_path / "bundles" / "photos"
    build_index(IndexOptions(output=bundle, model=tiny_package, embeddings=embedded))
    with closing(Bundle.open(bundle)) as opened:
        assert opened.manifest.index.tuned_with == "5 text queries"
