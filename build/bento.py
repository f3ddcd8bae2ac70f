"""A bundle into BentoML's model store, and a bento around it."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bentoml
import yaml

from build.atomic_output import link_or_copy
from models.installation import bento_source
from models.manifest import (
    IMAGE_ENCODER,
    MANIFEST,
    STORED_BUNDLE,
    Manifest,
    record_file,
    verify_files,
)

BUNDLE_LABEL = "sightline.bundle.sha256"
_SOURCE = bento_source()
_OCI = "org.opencontainers.image"


@dataclass(frozen=True)
class StoredBundle:
    """A bundle in the model store: its tag, and the SHA-256 of its manifest."""

    tag: bentoml.Tag
    sha256: str


def store_bundle(folder: Path, *, with_image_encoder: bool = True) -> StoredBundle:
    """Copy a bundle into BentoML's model store.

    Hard links are used where the store lies on the same disk, since a bundle is
    read-only once it is written.

    Args:
        folder: the bundle.
        with_image_encoder: False leaves the image encoder out, which only searches by
            an image need; the stored manifest then does not list it either.

    Raises:
        DamagedError: the bundle is not whole.
    """
    manifest = Manifest.read(folder)
    verify_files(folder, manifest.files)
    if not with_image_encoder:
        files = {name: record for name, record in manifest.files.items() if name != IMAGE_ENCODER}
        manifest = manifest.model_copy(update={"files": files})
    facts = {
        "model": manifest.model.name,
        "images": manifest.images,
        "created": manifest.created,
    }
    with bentoml.models.create(STORED_BUNDLE, metadata=facts) as stored:
        for name in manifest.files:
            link_or_copy(folder / name, Path(stored.path_of(name)))
        manifest.write(Path(stored.path))
        sha256 = record_file(Path(stored.path_of(MANIFEST))).sha256
    return StoredBundle(stored.tag, sha256)


def build_bento(
    bundle: StoredBundle | None, *, remote: bool = False, milvus: bool = False
) -> bentoml.Tag:
    """Build a bento of this code.

    Args:
        bundle: the bundle to carry; None for a bento that is told by ``SIGHTLINE_BUNDLE``
            where to find one.
        remote: with what it takes to fetch a bundle by its address.
        milvus: or with what it takes to search in Milvus.
    """
    options: dict[str, Any] = yaml.safe_load((_SOURCE / "bentofile.yaml").read_text())
    options["models"] = [str(bundle.tag)] if bundle else []
    # The template writes them as labels; BentoML hands it nothing else that fits.
    options["docker"]["env"] = image_labels(bundle)
    if remote:
        options["python"]["requirements_txt"] = "./requirements/remote.txt"
    if milvus:
        options["python"]["requirements_txt"] = "./requirements/milvus.txt"
    # BentoML takes a list of requirements from below the current folder only.
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(_SOURCE):
        bentofile = Path(folder) / "bentofile.yaml"
        bentofile.write_text(yaml.safe_dump(options))
        return bentoml.bentos.build_bentofile(str(bentofile), build_ctx=str(_SOURCE)).tag


def image_labels(bundle: StoredBundle | None) -> dict[str, str]:
    """The image's OCI labels, as far as they are known here."""
    project = tomllib.loads((_SOURCE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    labels = {
        f"{_OCI}.title": project["name"],
        f"{_OCI}.description": project["description"],
        f"{_OCI}.version": project["version"],
        f"{_OCI}.licenses": project["license"],
        f"{_OCI}.revision": _git("rev-parse", "HEAD"),
        # A remote's address may hold the password of whoever cloned it.
        f"{_OCI}.source": re.sub(r"//[^/@]*@", "//", _git("config", "remote.origin.url")),
        BUNDLE_LABEL: bundle.sha256 if bundle else "",
    }
    return {name: value for name, value in labels.items() if value}


def _git(*arguments: str) -> str:
    """What git answers; nothing without git, or outside a checkout."""
    if not (_SOURCE / ".git").exists():
        # What is installed may lie in somebody else's.
        return ""
    try:
        asked = subprocess.run(["git", *arguments], cwd=_SOURCE, capture_output=True, text=True)
    except OSError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
