"""A bundle whose parts are of different bundles is not served."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.bundle import Bundle
from models.manifest import INDEX, DamagedError, Manifest, record_file
from tests.serving.conftest import build_bundle


def test_an_index_of_other_pictures_is_refused(tmp_path: Path) -> None:
    folder = build_bundle(tmp_path)
    smaller = tmp_path / "smaller"
    from build.index import IndexOptions, build_index

    for extra in list((tmp_path / "images").glob("0*.png")):
        extra.unlink()
    build_index(
        IndexOptions(output=smaller, model=tmp_path / "package", images=tmp_path / "images")
    )
    shutil.copy(smaller / INDEX, folder / INDEX)
    manifest = Manifest.read(folder)
    files = manifest.files | {INDEX: record_file(folder / INDEX)}
    manifest.model_copy(update={"files": files}).write(folder)
    with pytest.raises(DamagedError, match="does not fit together"):
        Bundle.open(folder)
