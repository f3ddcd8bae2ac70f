"""A bundle into BentoML's model store, and a bento around it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import bentoml

from models.manifest import MANIFEST, Manifest, verify_files

MODEL_NAME = "sightline-bundle"
_ROOT = Path(__file__).resolve().parent.parent


def store_bundle(folder: Path) -> bentoml.Tag:
    """Copy a bundle into BentoML's model store.

    Hard links are used where the store lies on the same disk, since a bundle is
    read-only once it is written.

    Raises:
        DamagedError: the bundle is not whole.
    """
    manifest = Manifest.read(folder)
    verify_files(folder, manifest.files)
    facts = {
        "model": manifest.model.name,
        "pictures": manifest.pictures,
        "created": manifest.created,
    }
    with bentoml.models.create(MODEL_NAME, metadata=facts) as stored:
        for name in (*manifest.files, MANIFEST):
            _link_or_copy(folder / name, Path(stored.path_of(name)))
    return stored.tag


def build_bento() -> bentoml.Tag:
    """Build a bento of this checkout around the newest bundle in the store."""
    return bentoml.bentos.build_bentofile("bentofile.yaml", build_ctx=str(_ROOT)).tag


def _link_or_copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
