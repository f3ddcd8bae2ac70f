"""From images to shards of embeddings, and from shards to a bundle, as it is typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from build.__main__ import main
from models.bundle import Bundle
from models.items import item_id
from models.manifest import Manifest
from tests.build.images import BROKEN, image_bytes, plant, plant_broken
from tests.tiny_package import write_tiny_package

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = "_sightline.json"


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "build", *map(str, arguments)]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True)


def told(shards: Path) -> dict[str, Any]:
    """What the manifest of shards says."""
    document: dict[str, Any] = json.loads((shards / MANIFEST).read_text("utf-8"))
    return document


def rows(shards: Path) -> list[dict[str, Any]]:
    """The rows of all shards, in order."""
    files = sorted(shards.glob("shard-*.parquet"))
    return [row for file in files for row in parquet.ParquetFile(file).read().to_pylist()]


def states(shards: Path) -> dict[str, int]:
    """Which file each shard is: another one where it was made again."""
    return {file.name: file.stat().st_ino for file in sorted(shards.glob("shard-*.parquet"))}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """24 images with something said of some, and 12 broken ones."""
    folder = tmp_path / "images"
    plant(folder, 24)
    plant_broken(folder)
    (folder / "a/0000.json").write_text(
        json.dumps({"caption": "Ein Rotfuchs – im Schnee", "alt_text": "Fuchs", "year": 1999})
    )
    (folder / "b/0001.txt").write_text("An owl\n")
    table = "image_path,caption,place\nb/0001.png,A bird,Bonn\nc/0002.webp,A cat,\n"
    (folder / "captions.csv").write_text(table)
    return folder


@pytest.fixture
def embed(images: Path, tmp_path: Path, tiny_package: Path) -> Any:
    """Embed the images into shards of five, within this process."""

    def embed(*options: str, output: Path = tmp_path / "shards") -> Path:
        given = ["--images", images, "--output", output, "--model", tiny_package]
        assert main(["embed", *map(str, given), "--shard-size", "5", *options]) == 0
        return output

    return embed


def test_a_bundle_of_shards_is_that_of_the_folder(
    images: Path, tmp_path: Path, tiny_package: Path
) -> None:
    shards, of_shards, of_folder = (tmp_path / name for name in ("shards", "one", "other"))
    made = run(
        *("embed", "--images", images, "--output", shards, "--model", tiny_package),
        *("--shard-size", "7"),
    )
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith(
        f"{shards} has 24 images in 5 shards, 5 of them made now; skipped 12 (not an image 5"
    )
    given = ["--model", str(tiny_package), "--output"]
    assert main(["index", "--embeddings", str(shards), *given, str(of_shards)]) == 0
    assert main(["index", "--images", str(images), *given, str(of_folder)]) == 0
    one, other = (Manifest.read(folder) for folder in (of_shards, of_folder))
    # Each file is the same, to the byte.
    assert one.files == other.files
    assert one.image_root == other.image_root == str(images)
    same = {"created": one.created, "made_of": one.made_of}
    assert one == other.model_copy(update=same)


def test_what_is_in_shards(embed: Any) -> None:
    shards = embed()
    manifest = told(shards)
    assert manifest["model"]["name"] == "tiny"
    assert manifest["model"]["preprocessing"]["height"] == 32
    assert manifest["count"] == 24
    assert {each["path"]: each["reason"] for each in manifest["skipped"]} == BROKEN
    for shard in manifest["shards"]:
        file = shards / shard["name"]
        summed = subprocess.run(["sha256sum", file], capture_output=True, text=True, check=True)
        assert summed.stdout.split()[0] == shard["sha256"]
    found = rows(shards)
    assert [row["image_path"] for row in found] == sorted(row["image_path"] for row in found)
    for row in found:
        assert row["id"] == item_id(row["image_path"])
        assert (row["width"], row["height"]) == (60, 48)
        assert abs(np.linalg.norm(row["embedding"]) - 1) < 1e-6
    by_path = {row["image_path"]: row for row in found}
    fox, owl, cat = (by_path[path] for path in ("a/0000.jpg", "b/0001.png", "c/0002.webp"))
    assert (fox["caption"], fox["alt_text"]) == ("Ein Rotfuchs – im Schnee", "Fuchs")
    assert json.loads(fox["metadata"]) == {"year": 1999}
    # What lies beside an image counts more than a table.
    assert (owl["caption"], json.loads(owl["metadata"])) == ("An owl", {"place": "Bonn"})
    assert (cat["caption"], cat["alt_text"]) == ("A cat", None)


def test_killed_and_resumed(tmp_path: Path, tiny_package: Path) -> None:
    """What was finished is not made again, and all of it is as without the interruption."""
    images, shards = tmp_path / "many", tmp_path / "shards"
    plant(images, 300)
    given = ["embed", "--images", images, "--model", tiny_package, "--shard-size", "10"]
    process = subprocess.Popen(command(*given, "--output", shards), cwd=ROOT)
    deadline = time.monotonic() + 120
    while len(list(shards.glob("_done/shard-*.json"))) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (shards / MANIFEST).exists()
    finished = [path.stem for path in shards.glob("_done/shard-*.json")]
    before = {name: state for name, state in states(shards).items() if name[:-8] in finished}
    assert 3 <= len(before) < 30

    # Half of one is nothing that can be indexed.
    refused = run("index", "--embeddings", shards, "--output", tmp_path / "b", "--paths", "x")
    assert refused.returncode == 1

    again = run(*given, "--output", shards)
    assert again.returncode == 0, again.stderr
    assert f"has 300 images in 30 shards, {30 - len(before)} of them made now" in again.stdout
    assert states(shards).items() >= before.items()
    assert [path.name for path in shards.iterdir() if path.name.startswith(".")] == []
    assert run(*given, "--output", tmp_path / "at once").returncode == 0
    assert told(shards)["shards"] == told(tmp_path / "at once")["shards"]


def test_only_what_has_changed_is_made_again(
    embed: Any, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = embed()
    before = states(shards)
    embed()
    assert "0 of them made now" in capsys.readouterr().out
    assert states(shards) == before
    (images / "b/0001.txt").write_text("Another owl\n")
    (images / "e/0004.bmp").write_bytes(image_bytes(99, "bmp"))
    embed()
    assert "2 of them made now" in capsys.readouterr().out
    after = states(shards)
    assert [name for name in before if before[name] != after[name]] == [
        f"shard-{at:05}.parquet" for at in (0, 3)
    ]
    # A row of a table concerns the shard of its image alone.
    (images / "captions.csv").write_text("image_path,caption\nc/0002.webp,A tom cat\n")
    embed()
    assert "2 of them made now" in capsys.readouterr().out
    assert "A tom cat" in {row["caption"] for row in rows(shards)}


def test_shards_of_images_that_are_gone_go_too(embed: Any, images: Path) -> None:
    shards = embed()
    for path in images.glob("[d-g]/*"):
        path.unlink()
    embed()
    manifest = told(shards)
    assert [each["name"] for each in manifest["shards"]] == sorted(states(shards))
    assert len(list((shards / "_done").iterdir())) == len(manifest["shards"])


def test_float16_is_half_as_long_and_nearly_the_same(
    embed: Any, tmp_path: Path, tiny_package: Path
) -> None:
    shards = embed("--precision", "float16", output=tmp_path / "half")
    schema = parquet.read_schema(next(shards.glob("shard-*.parquet")))
    assert str(schema.field("embedding").type) == "fixed_size_list<element: halffloat>[24]"
    given = ["--model", str(tiny_package), "--output", str(tmp_path / "bundle")]
    assert main(["index", "--embeddings", str(shards), *given]) == 0
    whole = np.array([row["embedding"] for row in rows(embed())], dtype=np.float32)
    opened = Bundle.open(tmp_path / "bundle")
    found = opened.index.embeddings.rows(np.arange(24))
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-6
    assert 1 - (whole * found).sum(axis=1).min() < 1e-6


def index(shards: Path, *options: str | Path) -> int:
    output = shards.with_name("bundle")
    return main(["index", "--embeddings", str(shards), "--output", str(output), *map(str, options)])


def test_what_cannot_be_indexed_is_told(
    embed: Any, tmp_path: Path, tiny_package: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shards = embed()
    capsys.readouterr()
    assert index(shards) == 1
    assert "was made with tiny (tiny)" in capsys.readouterr().err
    write_tiny_package(tmp_path / "other", seed=1)
    assert index(shards, "--model", tmp_path / "other") == 1
    assert "Give --model the package that the shards were made with" in capsys.readouterr().err
    assert index(shards, "--model", tiny_package, "--ocr") == 1
    assert "--ocr are for others" in capsys.readouterr().err

    damaged = bytearray((shards / "shard-00002.parquet").read_bytes())
    damaged[len(damaged) // 3] ^= 1
    (shards / "shard-00002.parquet").write_bytes(damaged)
    assert index(shards, "--model", tiny_package) == 1
    assert "shard-00002.parquet is damaged" in capsys.readouterr().err
    (shards / "shard-00002.parquet").write_bytes(damaged[:-1])
    assert index(shards, "--model", tiny_package) == 1
    assert "it has not the size" in capsys.readouterr().err
    # And is made again by the command that made it.
    embed()
    assert index(shards, "--model", tiny_package) == 0


def test_a_sample_of_shards(embed: Any, tmp_path: Path, tiny_package: Path) -> None:
    assert index(embed(), "--model", tiny_package, "--sample-size", "10") == 0
    opened = Bundle.open(tmp_path / "bundle")
    assert len(opened.items) == 10
    expected = {row["image_path"]: row["embedding"] for row in rows(tmp_path / "shards")}
    for item in opened.items:
        found = opened.index.embeddings.row(item.position)
        assert found.tolist() == expected[item.image_path]
        assert opened.thumbnail(item) is not None


def test_who_has_no_images_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    given = ["--output", str(tmp_path / "out")]
    assert main(["embed", "--images", str(tmp_path / "empty"), *given]) == 1
    assert "holds no images that can be read here" in capsys.readouterr().err
    assert main(["embed", "--images", "nowhere://x", *given]) == 1
    assert "nowhere://x is no address of a storage" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
