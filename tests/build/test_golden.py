"""The commands that open a model package refuse one whose golden embeddings do not match."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.manifest import IMAGE_ENCODER, TEXT_ENCODER
from tests.altered import alter_constant, flip_first
from tests.build.images import plant

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("command", ["index", "evaluate"])
@pytest.mark.parametrize(
    ("graph", "constant", "told"),
    [
        (TEXT_ENCODER, "table", "the text 'a red fox in the snow' gets another embedding here"),
        (IMAGE_ENCODER, "bias", "the golden image gets another embedding here"),
    ],
)
def test_one_flipped_constant_is_refused_before_anything_is_embedded(
    tiny_package: Path, tmp_path: Path, command: str, graph: str, constant: str, told: str
) -> None:
    package, images = tmp_path / "package", tmp_path / "images"
    shutil.copytree(tiny_package, package)
    # Of the text table the row of a token that the text has.
    alter_constant(
        package,
        graph,
        constant,
        lambda array: flip_first(array[291:] if array.ndim == 2 else array),
    )
    plant(images, 3)
    given = ["--images", str(images), "--model", str(package)]
    if command == "index":
        given += ["--output", str(tmp_path / "bundles" / "photos")]
    refused = subprocess.run(
        [sys.executable, "-m", "build", command, *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 1
    assert refused.stdout == ""
    [line] = refused.stderr.splitlines()
    assert line.startswith(f"error: {package}: {told}")
    assert "largest difference" in line
    assert {path.name for path in tmp_path.iterdir()} == {"package", "images"}
