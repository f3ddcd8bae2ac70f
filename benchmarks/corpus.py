"""The vectors that everybody searches: 100,000 of length one, in clusters like real ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COUNT = 100_000
DIM = 512
_CLUSTERS = 1_000
_SPREAD = 0.6


def clustered_vectors(count: int = COUNT, dim: int = DIM, seed: int = 0) -> NDArray[np.float32]:
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


def prepare(folder: Path) -> tuple[Path, Path, Path]:
    """The model package, the vectors and the bundle; made at the first run, then kept."""
    package, vectors, bundle = folder / "vit-b-32", folder / "vectors.npy", folder / "bundle"
    paths = folder / "paths.txt"
    folder.mkdir(parents=True, exist_ok=True)
    if not (package / "model.json").exists():
        model = ["--model", "ViT-B-32", "--pretrained", "random", "--output", str(package)]
        _build("model", *model, "--precision", "int8")
    if not vectors.exists():
        np.save(vectors, clustered_vectors())
        paths.write_text("\n".join(f"pictures/{n:06d}.jpg" for n in range(COUNT)) + "\n")
    if not (bundle / "manifest.json").exists():
        given = ["--embeddings", str(vectors), "--paths", str(paths)]
        _build("index", *given, "--model", str(package), "--output", str(bundle))
    return package, vectors, bundle


def _build(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "build", *arguments], check=True)
