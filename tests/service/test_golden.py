"""A service whose machine computes something else than the model's makers does not start."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from models.manifest import IMAGE_ENCODER, TEXT_ENCODER, Manifest
from tests.altered import alter_attribute, alter_constant, constant_answer, flip_first
from tests.build.images import plant
from tests.service.conftest import ROOT, free_port, serving, start_service


@pytest.fixture(scope="module")
def tiny_bundle(tiny_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    plant(folder / "images", 6)
    command = ["-m", "build", "index", "--images", str(folder / "images")]
    command += ["--model", str(tiny_package), "--output", str(folder / "bundle")]
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    return folder / "bundle"


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle of one's own, to be altered."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def refusal(bundle: Path, log: Path) -> str:
    """What a service says that does not start: it never listens, and ends with 1."""
    port = free_port()
    process = start_service(bundle, port, log)
    while process.poll() is None:
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
    assert process.returncode == 1
    return log.read_text()


@pytest.mark.parametrize(
    ("alter", "by"),
    [
        (
            lambda folder: alter_constant(
                folder, TEXT_ENCODER, "table", lambda table: flip_first(table[291])
            ),
            "largest difference 0.",
        ),
        (lambda folder: constant_answer(folder, TEXT_ENCODER, 0.2), "cosine"),
        (lambda folder: constant_answer(folder, TEXT_ENCODER, np.nan), "cosine nan"),
    ],
)
def test_another_text_graph_is_refused_in_one_line(
    bundle: Path, tmp_path: Path, alter: Callable[[Path], None], by: str
) -> None:
    alter(bundle)
    said = refusal(bundle, tmp_path / "log")
    [line] = [each for each in said.splitlines() if each.startswith("error: ")]
    assert line.startswith(f"error: {bundle}: the text ")
    assert "gets another embedding here than by numpy, in float64" in line
    assert by in line
    assert "Traceback" not in said


def test_the_demo_is_refused_with_another_epsilon(demo_bundle: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(demo_bundle, bundle)
    alter_attribute(bundle, TEXT_ENCODER, "epsilon", 1e-3)
    said = refusal(bundle, tmp_path / "log")
    assert re.search(r"largest difference 0\.\d+ where 0\.015 is allowed", said), said


def test_another_image_graph_is_refused_too(bundle: Path, tmp_path: Path) -> None:
    alter_constant(bundle, IMAGE_ENCODER, "bias", flip_first)
    said = refusal(bundle, tmp_path / "log")
    assert f"error: {bundle}: the golden image gets another embedding here" in said
    assert "largest difference 0." in said


@pytest.mark.parametrize("graph", [TEXT_ENCODER, IMAGE_ENCODER])
def test_several_workers_are_not_even_started(
    bundle: Path, tmp_path: Path, graph: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_WORKERS", "2")
    constant_answer(bundle, graph, 0.2)
    said = refusal(bundle, tmp_path / "log")
    [line] = [each for each in said.splitlines() if "error: " in each]
    assert "gets another embedding here" in line
    assert "Traceback" not in said


def test_a_bundle_without_its_image_encoder_is_served(bundle: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(bundle)
    files = {name: record for name, record in manifest.files.items() if name != IMAGE_ENCODER}
    manifest.model_copy(update={"files": files}).write(bundle)
    (bundle / IMAGE_ENCODER).unlink()
    with serving(bundle, tmp_path / "log") as client:
        assert client.post("/search", json={"query": "a fox"}).status_code == 200


def test_info_has_no_embeddings(bundle: Path, tmp_path: Path) -> None:
    with serving(bundle, tmp_path / "log") as client:
        model = client.get("/info").json()["model"]
    assert model["name"] == "tiny"
    assert "golden" not in model
