"""What other programs have downloaded and embedded, with the command that a user types."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

import models.vector_index
from build.bundle_from_images import Outcome, build_index
from build.candidates import read_images
from build.index_options import IndexOptions
from build.packages import open_package
from models.bundle import Bundle
from models.images import decode
from models.items import Item
from models.preprocessing import preprocess, reduced_side
from serving import originals
from tests.build.images import image_bytes

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "build", "index", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def items(bundle: Path) -> dict[str, Item]:
    with closing(Bundle.open(bundle)) as opened:
        return {item.image_path: item for item in opened.items}


def facts(key: str) -> dict[str, Any]:
    """What img2dataset writes of an image."""
    return {
        "caption": f"The image {key}",
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


KEYS = [f"{shard:05}{number:04}" for shard in range(2) for number in range(3)]
SAID = {"licence": "CC0-1.0", "original_height": 960, "original_width": 1200}


def test_what_img2dataset_has_downloaded_as_files(tmp_path: Path, tiny_package: Path) -> None:
    images, bundle = tmp_path / "downloaded", tmp_path / "bundles" / "photos"
    for number, key in enumerate(KEYS):
        folder = images / key[:5]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{key}.jpg").write_bytes(image_bytes(number, "jpg"))
        (folder / f"{key}.txt").write_text(f"The image {key}")
        (folder / f"{key}.json").write_text(json.dumps(facts(key), indent=4))
        parquet.write_table(pyarrow.table({"key": KEYS}), images / f"{key[:5]}.parquet")
        (images / f"{key[:5]}_stats.json").write_text('{"count": 3, "successes": 3}')
    built = run("--images", images, "--output", bundle, "--model", tiny_package)
    assert built.returncode == 0, built.stderr
    assert "warning" not in built.stderr
    assert "embedded 6" in built.stdout
    found = items(bundle)
    assert list(found) == [f"{key[:5]}/{key}.jpg" for key in KEYS]
    for key, item in zip(KEYS, found.values(), strict=True):
        assert (item.caption, item.alt_text) == (f"The image {key}",) * 2
        assert item.metadata == {"url": f"https://example.org/{key}.jpg", **SAID}


def pack(images: Path, shard: int, count: int, **others: dict[str, Any]) -> None:
    """A tar as img2dataset writes it, with what lies beside it."""
    images.mkdir(exist_ok=True)
    with tarfile.open(images / f"{shard:05}.tar", "w") as tar:
        for number in range(count):
            key = f"{shard:05}{number:04}"
            said = facts(key) | others.get(f"image_{number}", {})
            for suffix, content in (
                ("jpg", image_bytes(shard * 1000 + number, "jpg")),
                ("txt", said["caption"].encode()),
                ("json", json.dumps(said, indent=4).encode()),
            ):
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    (images / f"{shard:05}_stats.json").write_text(f'{{"count": {count}}}')
    parquet.write_table(pyarrow.table({"key": ["x"]}), images / f"{shard:05}.parquet")


def test_what_img2dataset_has_downloaded_as_tars(tmp_path: Path, tiny_package: Path) -> None:
    images, bundle = tmp_path / "downloaded", tmp_path / "bundles" / "photos"
    pack(images, 0, 3)
    pack(images, 1, 2)
    (images / "loose.png").write_bytes(image_bytes(7))
    built = run("--images", images, "--output", bundle, "--model", tiny_package)
    assert built.returncode == 0, built.stderr
    assert "warning" not in built.stderr
    assert "found 6; embedded 6 (of which 0 reused); skipped 0" in built.stdout
    found = items(bundle)
    in_tars = [f"{key[:5]}.tar/{key}.jpg" for key in KEYS[:5]]
    assert list(found) == [*in_tars, "loose.png"]
    for path in in_tars:
        key = Path(path).stem
        assert found[path].caption == found[path].alt_text == f"The image {key}"
        assert found[path].metadata == {"url": f"https://example.org/{key}.jpg", **SAID}
        assert (found[path].width, found[path].height) == (60, 48)
        assert originals.find(images, path, with_gps=True) is None
    with closing(Bundle.open(bundle)) as opened:
        card, position = opened.manifest.model, found[in_tars[3]].position
        image = decode(image_bytes(1000, "jpg"), reduce_to=reduced_side(card.preprocessing))
        pixels = preprocess(image, card.preprocessing)
        vector = opened.image_encoder.encode(pixels[np.newaxis])[0]
        assert (vector == opened.index.reconstruct(position)).all()
        shown = opened.thumbnails.get(position)
        assert shown is not None
        assert decode(shown).size == (60, 48)


def test_a_tar_is_renewed_as_a_folder_is(tmp_path: Path, tiny_package: Path) -> None:
    images, bundle = tmp_path / "downloaded", tmp_path / "bundles" / "photos"

    def build(**options: Any) -> Outcome:
        return build_index(
            IndexOptions(output=bundle, model=tiny_package, images=images, **options)
        )

    pack(images, 0, 3)
    assert (build().embedded, build().changed) == (3, False)
    pack(images, 0, 3, image_1={"caption": "A red fox"})
    renewed = build()
    assert (renewed.reused, renewed.changed) == (3, True)
    assert items(bundle)["00000.tar/000000001.jpg"].alt_text == "A red fox"
    pack(images, 0, 4)
    pack(images, 1, 2)
    assert (build().embedded, items(bundle).keys() >= {"00001.tar/000010001.jpg"}) == (6, True)
    # One that is being written, and one that is away for a while.
    tar = images / "00000.tar"
    whole = tar.read_bytes()
    tar.write_bytes(whole[: len(whole) // 2])
    (images / "00001.tar").rename(tmp_path / "00001.tar")
    partly = build(prune=True)
    assert (partly.skipped["unreadable"], partly.gone > 2) == (1, True)
    tar.write_bytes(whole)
    (tmp_path / "00001.tar").rename(images / "00001.tar")
    again = build()
    assert (again.embedded, again.reused, again.gone) == (6, 6, 0)


def test_a_captioner_sees_what_is_in_tars(
    tmp_path: Path, tiny_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Measures:
        """Says of an image how large it is."""

        def __init__(self, folder: Path) -> None:
            assert folder == tmp_path / "measures"

        def describe(self, images: Sequence[Image.Image]) -> list[str]:
            return ["{} by {}".format(*each.size) for each in images]

    monkeypatch.setattr("build.captioner.Captioner", Measures)
    (tmp_path / "measures").mkdir()
    (tmp_path / "measures" / "config.json").write_text("{}")
    pack(tmp_path / "downloaded", 0, 2, image_1={"caption": ""})
    bundle = tmp_path / "bundles" / "photos"
    build_index(
        IndexOptions(
            output=bundle,
            model=tiny_package,
            images=tmp_path / "downloaded",
            captioner=str(tmp_path / "measures"),
        )
    )
    said = [(item.alt_text, item.sources["alt_text"]) for item in items(bundle).values()]
    assert said == [("The image 000000000", "sidecar"), ("60 by 48", "captioner")]


def test_a_model_is_evaluated_on_tars(tmp_path: Path, tiny_package: Path) -> None:
    pack(tmp_path / "downloaded", 0, 3)
    package = open_package(tiny_package)
    found = read_images(tmp_path / "downloaded", package.card, package.image_encoder)
    assert found.paths == [f"00000.tar/{key}.jpg" for key in KEYS[:3]]
    assert found.captions == [f"The image {key}" for key in KEYS[:3]]


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """The folder that clip-retrieval writes for 80 images, with five texts."""
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
    assert item.caption == item.alt_text == "The image 000010007"
    assert item.sources["caption"] == "sidecar"
    assert item.metadata == {"url": "https://example.org/000010007.jpg", **SAID}
    row = np.load(embedded / "img_emb/img_emb_1.npy")[7].astype(np.float32)
    with closing(Bundle.open(bundle)) as opened:
        vector = opened.index.reconstruct(item.position)
    np.testing.assert_allclose(vector, row / np.linalg.norm(row), atol=1e-6)


def test_an_index_is_tuned_with_the_texts_that_came_along(
    tmp_path: Path, tiny_package: Path, embedded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 50)
    bundle = tmp_path / "bundles" / "photos"
    build_index(IndexOptions(output=bundle, model=tiny_package, embeddings=embedded))
    with closing(Bundle.open(bundle)) as opened:
        assert opened.manifest.index.tuned_with == "3 text queries"
