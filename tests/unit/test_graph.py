"""Where graphs run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest

from build.__main__ import main
from build.bundle_from_images import build_index
from build.index_options import IndexOptions
from models.file_names import IMAGE_ENCODER
from models.graph import NoDeviceError, open_graph
from models.image_encoder import ImageEncoder
from models.manifest import Manifest
from models.model_card import ModelCard
from tests.build.images import plant

CUDA = "CUDAExecutionProvider"
NO_CUDA = "the ONNX Runtime that is installed has no CUDA"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What ONNX Runtime is asked for, as built for GPUs on a machine that has none."""
    asked: list[Any] = []
    session = ort.InferenceSession

    def without_gpu(graph: Any, options: Any, providers: list[Any]) -> ort.InferenceSession:
        asked.append(providers)
        return session(graph, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(ort, "InferenceSession", without_gpu)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])
    return asked


def test_the_processor_is_used_unless_it_is_said(tiny_package: Path, opened: list[Any]) -> None:
    open_graph(tiny_package / IMAGE_ENCODER, None, threads=1)
    assert opened == [["CPUExecutionProvider"]]


def test_a_gpu_is_asked_for_in_full_float32(tiny_package: Path, opened: list[Any]) -> None:
    with pytest.raises(NoDeviceError, match="no GPU here that ONNX Runtime can use"):
        ImageEncoder(tiny_package, ModelCard.read(tiny_package), device="cuda")
    assert opened == [[(CUDA, {"use_tf32": "0"})]]


def test_without_a_gpu_that_is_told_in_one_line(
    tiny_package: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    plant(tmp_path / "images", 1)
    given = ["--images", str(tmp_path / "images"), "--model", str(tiny_package), "--device", "cuda"]
    for command in ("index", "embed"):
        assert main([command, *given, "--output", str(tmp_path / "out")]) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {NO_CUDA}")
        assert "requirements/gpu.txt" in line
    assert not (tmp_path / "out").exists()


def test_what_is_embedded_already_needs_no_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--embeddings", "x.npy", "--model", "m", "--output", str(tmp_path / "out")]
    assert main(["index", *given, "--device", "cuda"]) == 1
    assert "--device is where images are embedded" in capsys.readouterr().err


def test_the_runtime_is_named_by_whatever_package_it_is(tiny_package: Path, tmp_path: Path) -> None:
    plant(tmp_path / "images", 1)
    build_index(IndexOptions(tmp_path / "bundle", tiny_package, images=tmp_path / "images"))
    assert Manifest.read(tmp_path / "bundle").versions["onnxruntime"] == ort.__version__
