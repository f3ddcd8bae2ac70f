"""What everybody works on: the same weights, the same vectors, the same queries.

Made at the first run and kept; made anew when the code that makes it has changed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.make_queries import QUERIES
from benchmarks.servers import ROOT

MODEL = "ViT-B-32"
DIM = 512
K = 5
_COUNT = 100_000
_COUNT_QUICK = 2_000
_CLUSTERS = 1_000
_SPREAD = 0.6


@dataclass(frozen=True)
class Corpus:
    """The files that were prepared.

    ``weights`` is an open_clip state dict; ``package`` and ``fp32`` are model packages of
    it, ``bundle`` holds the vectors of ``vectors`` (``.npy``), ``demo`` the gallery.
    """

    folder: Path
    weights: Path
    package: Path
    fp32: Path
    vectors: Path
    paths: Path
    bundle: Path
    demo: Path
    queries: list[str]


def prepare(folder: Path, quick: bool) -> Corpus:
    """Everything that is not there yet.

    Args:
        folder: where it is kept.
        quick: 2,000 vectors in place of 100,000.
    """
    count = _COUNT_QUICK if quick else _COUNT
    corpus = Corpus(
        folder=folder,
        weights=folder / "weights.pt",
        package=folder / "int8",
        fp32=folder / "fp32",
        vectors=folder / f"vectors-{count}.npy",
        paths=folder / f"paths-{count}.txt",
        bundle=folder / f"bundle-{count}",
        demo=folder / "demo",
        queries=QUERIES.read_text(encoding="utf-8").splitlines(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    _forget_outdated(folder)
    if not corpus.weights.exists():
        _python("benchmarks.weights", str(corpus.weights))
    for package, precision in ((corpus.package, "int8"), (corpus.fp32, "fp32")):
        if not (package / "model.json").exists():
            given = ["--model", MODEL, "--pretrained", str(corpus.weights)]
            to = ["--output", str(package), "--precision", precision]
            _python("build", "model", *given, *to)
    if not corpus.vectors.exists():
        np.save(corpus.vectors, clustered_vectors(count))
        lines = (f"pictures/{number:06d}.jpg\n" for number in range(count))
        corpus.paths.write_text("".join(lines), encoding="utf-8")
    if not (corpus.bundle / "manifest.json").exists():
        given = ["--embeddings", str(corpus.vectors), "--paths", str(corpus.paths)]
        to = ["--model", str(corpus.package), "--output", str(corpus.bundle)]
        _python("build", "index", *given, *to)
    if not (corpus.demo / "manifest.json").exists():
        _python("build", "index", "--images", "demo/gallery", "--output", str(corpus.demo))
    return corpus


def clustered_vectors(count: int, dim: int = DIM, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors float32 ``[count, dim]`` around cluster centres of uneven size.

    All share a direction, as CLIP's pictures do.
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


def _forget_outdated(folder: Path) -> None:
    """Delete packages and bundles that other code than today's has made."""
    sources = sorted([*ROOT.glob("build/**/*.py"), *ROOT.glob("models/*.py")])
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = folder / "made-by"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
        for made in ("int8", "fp32", "demo", *(path.name for path in folder.glob("bundle-*"))):
            shutil.rmtree(folder / made, ignore_errors=True)
        stamp.write_text(digest, encoding="utf-8")


def _python(module: str, *arguments: str) -> None:
    """Run a module in a process of its own: what it imports is not to stay in memory."""
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, cwd=ROOT)
