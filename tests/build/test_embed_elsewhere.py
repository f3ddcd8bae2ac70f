"""Images and shards that lie in a bucket, as they are typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from models.manifest import Manifest
from tests.bucket import Bucket, bucket
from tests.build.images import plant
from tests.tools import require_module

ROOT = Path(__file__).resolve().parents[2]


def run(there: Bucket, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "build", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | there.environment,
        capture_output=True,
        text=True,
    )


def test_from_a_bucket_to_a_bucket_to_the_same_bundle(tmp_path: Path, tiny_package: Path) -> None:
    require_module("obstore", "a bucket is read")
    images = tmp_path / "images"
    plant(images, 12)
    (images / "a/0000.txt").write_text("A red fox\n")
    (images / "captions.csv").write_text("image_path,caption\nb/0001.png,An owl\n")
    (images / ".sightlineignore").write_text("private/\n")
    plant(images / "private", 1)
    (images / "c/broken.jpg").write_text("<html>")
    given = ["embed", "--images", "s3://bucket/in/", "--output", "s3://bucket/out"]
    given += ["--model", str(tiny_package), "--shard-size", "5"]
    package = ["--model", tiny_package]
    with bucket() as there:
        for path in images.rglob("*"):
            if path.is_file():
                there.objects[f"bucket/in/{path.relative_to(images)}"] = path.read_bytes()
        there.forbidden = "in/b/0001.png"
        stopped = run(there, *given)
        assert stopped.returncode == 1
        assert "in/b/0001.png: PermissionDeniedError" in stopped.stderr
        assert "bucket/out/_sightline.json" not in there.objects
        there.forbidden = ""
        made = run(there, *given)
        assert made.returncode == 0, made.stderr
        assert made.stdout == (
            "s3://bucket/out has 12 images in 3 shards, 3 of them made now; "
            "skipped 1 (not an image 1)\n"
        )
        there.asked.clear()
        again = run(there, *given)
        assert "0 of them made now" in again.stdout
        # No image was read for it.
        assert [key for _, key in there.asked if key.endswith((".jpg", ".png"))] == []
        built = run(
            there,
            "index",
            "--embeddings",
            "s3://bucket/out",
            "--output",
            tmp_path / "one",
            *package,
        )
        assert built.returncode == 0, built.stderr
        refused = run(
            there, "index", "--embeddings", "s3://bucket/in", "--output", tmp_path / "no", *package
        )
        assert "s3://bucket/in has no _sightline.json" in refused.stderr
    here = run(there, "index", "--images", images, "--output", tmp_path / "other", *package)
    assert here.returncode == 0, here.stderr
    one, other = Manifest.read(tmp_path / "one"), Manifest.read(tmp_path / "other")
    assert one.files == other.files
    assert one.skipped == other.skipped
    assert (one.image_root, other.image_root) == (None, str(images))
