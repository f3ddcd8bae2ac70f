"""What everybody works on: the same weights, the same vectors, the same queries.

Kept from run to run; made anew when the code that makes it has changed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.make_queries import QUERIES
from benchmarks.servers import ROOT
from build.packages import DEMO_MODEL

MODEL = "ViT-B-32"
DIM = 512
DEMO_DIM = 384
K = 5
_COUNT = 100_000
_COUNT_QUICK = 2_000
_COUNT_WITH_FACTS = 1_000_000
# Each image with facts has a number below this as its part.
PARTS = 1000
_CLUSTERS = 1_000
_SPREAD = 0.6


class Corpus:
    """The files, each made when it is first asked for.

    Args:
        folder: where they are kept.
        quick: 2,000 vectors in place of 100,000, and the embedded model in place of
            ViT-B/32 on our side, so that nothing has to be exported.
    """

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.count = _COUNT_QUICK if quick else _COUNT
        self.queries = QUERIES.read_text(encoding="utf-8").splitlines()
        self._quick = quick
        _forget_outdated(self.folder)

    @cached_property
    def weights(self) -> Path:
        """An open_clip state dict."""
        path = self.folder / "weights.pt"
        if not path.exists():
            _python("benchmarks.weights", str(path))
        return path

    @cached_property
    def package(self) -> Path:
        """A model package of the weights, int8."""
        return self._export("int8")

    @cached_property
    def fp32(self) -> Path:
        """A model package of the weights, fp32."""
        return self._export("fp32")

    @cached_property
    def auto(self) -> Path:
        """A model package of the weights, as fast as the export's gate allows."""
        return self._export("auto")

    @cached_property
    def vectors(self) -> Path:
        """What peers search: ``.npy``, float32 ``[count, DIM]``."""
        path = self.folder / f"vectors-{self.count}.npy"
        if not path.exists():
            np.save(path, clustered_vectors(self.count))
        return path

    @cached_property
    def paths(self) -> Path:
        """An image's path for each vector, a line each."""
        path = self.folder / f"paths-{self.count}.txt"
        if not path.exists():
            lines = (f"images/{number:06d}.jpg\n" for number in range(self.count))
            path.write_text("".join(lines), encoding="utf-8")
        return path

    @cached_property
    def bundle(self) -> Path:
        """The package and the vectors."""
        if self._quick:
            return self.demo
        given = ["--embeddings", str(self.vectors), "--paths", str(self.paths)]
        return self._index("bundle", [*given, "--model", str(self.package)])

    @cached_property
    def with_facts(self) -> tuple[Path, NDArray[np.float32], NDArray[np.int64]]:
        """A bundle of a million images with metadata, its vectors, and each image's part."""
        count = _COUNT_QUICK if self._quick else _COUNT_WITH_FACTS
        dim = DEMO_DIM if self._quick else DIM
        vectors = clustered_vectors(count, dim)
        parts = np.random.default_rng(1).permutation(count) % PARTS
        given = self.folder / "facts"
        if not (given / "metadata.jsonl").exists():
            given.mkdir(exist_ok=True)
            _write_facts(given, parts)
        np.save(given / "vectors.npy", vectors)
        options = ["--embeddings", str(given / "vectors.npy"), "--paths", str(given / "paths.txt")]
        options += ["--images", str(given), "--model", str(self.package)]
        return self._index("with-facts", options), vectors, parts

    @cached_property
    def demo(self) -> Path:
        """The gallery's bundle."""
        return self._index("demo", ["--images", "demo/gallery"])

    def _export(self, precision: str) -> Path:
        if self._quick:
            return DEMO_MODEL
        package = self.folder / precision
        if not (package / "model.json").exists():
            given = ["--model", MODEL, "--pretrained", str(self.weights)]
            to = ["--output", str(package), "--precision", precision]
            _python("build", "model", *given, *to)
        return package

    def _index(self, name: str, given: Sequence[str]) -> Path:
        bundle = self.folder / name
        if not (bundle / "manifest.json").exists():
            _python("build", "index", *given, "--output", str(bundle))
        return bundle


def clustered_vectors(count: int, dim: int = DIM, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors float32 ``[count, dim]`` around cluster centres of uneven size.

    All share a direction, as CLIP's images do.
    """
    chance = np.random.default_rng(seed)
    common = chance.standard_normal(dim).astype(np.float32)
    centres = chance.standard_normal((_CLUSTERS, dim)).astype(np.float32) + common
    sizes = chance.pareto(1.5, _CLUSTERS) + 0.1
    members = chance.choice(_CLUSTERS, count, p=sizes / sizes.sum())
    noise = chance.standard_normal((count, dim)).astype(np.float32)
    vectors = centres[members] + _SPREAD * noise
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _write_facts(folder: Path, parts: NDArray[np.int64]) -> None:
    """The paths of images that are not there, and what a photo library knows of them."""
    paths = [f"images/{number:07d}.jpg" for number in range(len(parts))]
    (folder / "paths.txt").write_text("\n".join(paths), encoding="utf-8")
    with (folder / "metadata.jsonl").open("w", encoding="utf-8") as lines:
        for number, (path, part) in enumerate(zip(paths, parts.tolist(), strict=True)):
            facts = {
                "file_name": path,
                "text": f"image {number} of an archive",
                "part": part,
                "year": 1950 + number % 75,
                "creator": f"photographer {number % 5003}",
                "tags": [f"tag {number % 997}", f"tag {number % 89}"],
            }
            lines.write(json.dumps(facts) + "\n")


def _forget_outdated(folder: Path) -> None:
    """Delete packages and bundles that other code than today's has made."""
    sources = sorted([*ROOT.glob("build/**/*.py"), *ROOT.glob("models/*.py")])
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = folder / "made-by"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
        for made in ("int8", "auto", "fp32", "bundle", "demo", "with-facts"):
            shutil.rmtree(folder / made, ignore_errors=True)
        stamp.write_text(digest, encoding="utf-8")


def _python(module: str, *arguments: str) -> None:
    """Run a module in a process of its own: what it imports is not to stay in memory."""
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, cwd=ROOT)
