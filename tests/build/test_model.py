"""``python -m build model``: real architectures, with random weights, as far as an answer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import build.export.gate
import build.export.package
import build.export.precision
from build.errors import BuildError
from build.export import Checkpoint, export, load_checkpoint
from build.export.text_graph import text_graph
from build.packages import open_package
from models.model_card import ModelCard
from tests.service.conftest import serving

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def load_random(model: str) -> Checkpoint:
    torch.manual_seed(0)
    return load_checkpoint(model, "random")


@pytest.fixture(scope="module")
def tiny(tiny_architecture: str) -> Checkpoint:
    return load_random(tiny_architecture)


@pytest.mark.parametrize(
    ("model", "any_length"),
    [("ViT-B-32-quickgelu", True), ("RN50", True), ("MobileCLIP-S1", False)],
)
def test_an_architecture_exports_and_is_verified(
    model: str, any_length: bool, tmp_path: Path
) -> None:
    card = export(load_random(model), tmp_path / "package", "fp32")
    assert card.any_length is any_length
    assert card.verification.texts >= 64
    assert card.verification.images == 8
    assert 0 < card.verification.max_text_difference <= 1e-4
    assert 0 < card.verification.max_image_difference <= 1e-4
    assert open_package(tmp_path / "package").card == card


def test_drift_is_refused_and_nothing_written(
    tiny: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drifting(*arguments: Any) -> onnx.ModelProto:
        graph = text_graph(*arguments)
        weights = max(graph.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        exact = numpy_helper.to_array(weights)
        shifted = exact + np.random.default_rng(0).normal(0, 1e-4, exact.shape).astype(np.float32)
        weights.CopyFrom(numpy_helper.from_array(shifted, weights.name))
        return graph

    monkeypatch.setattr(build.export.package, "text_graph", drifting)
    with pytest.raises(BuildError, match="drifts from open_clip: the text"):
        export(tiny, tmp_path / "package", "fp32")
    assert list(tmp_path.iterdir()) == []


def test_another_folder_is_left_alone(tiny: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"precious")
    with pytest.raises(BuildError, match="something else"):
        export(tiny, tmp_path, "fp32")
    assert (tmp_path / "holiday.jpg").read_bytes() == b"precious"


def test_auto_keeps_fp32_where_nothing_else_finds_the_same(
    tiny: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.export.precision, "LEAST_OVERLAP", 1.01)
    monkeypatch.setattr(build.export.gate, "_IMAGES", 24)
    card = export(tiny, tmp_path / "package", "auto")
    assert card.text_precision == "fp32"
    assert card.text_finer_parts == {}
    assert card.verification.int8_overlap_at_10 is not None
    assert card.verification.overlap_at_10 == 1
    graph = onnx.load(tmp_path / "package" / "text_encoder.onnx").graph
    assert "MatMulIntegerToFloat" not in {node.op_type for node in graph.node}


def test_auto_leaves_in_fp32_what_it_has_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vit = load_random("ViT-B-32")
    # More than int8 finds with these weights.
    monkeypatch.setattr(build.export.precision, "LEAST_OVERLAP", 0.98)
    # To embed the usual 256 takes most of two minutes.
    monkeypatch.setattr(build.export.gate, "_IMAGES", 64)
    package = tmp_path / "package"
    card = export(vit, package, "auto")
    assert card.text_precision == "mixed"
    assert card.verification.overlap_at_10 is not None
    assert card.verification.int8_overlap_at_10 is not None
    assert card.verification.int8_overlap_at_10 < 0.98 <= card.verification.overlap_at_10
    in_fp32 = [part for part, kind in card.text_finer_parts.items() if kind == "fp32"]
    assert 0 < len(in_fp32) < 48
    graph = onnx.load(package / "text_encoder.onnx").graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 48 - len(in_fp32)
    assert card.text_speed is not None
    assert set(card.text_speed.queries_per_second) == {"fp32", "int8", "mixed"}
    said = run("info", str(package))
    assert f"fp32 {', '.join(in_fp32)}" in said
    assert f"as kept {card.verification.overlap_at_10:.3f}" in said


def test_a_checkpoint_file_is_taken(tiny: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save(tiny.model.state_dict(), path)
    loaded = load_checkpoint(tiny.name, str(path))
    assert loaded.pretrained == "weights.pt"
    texts = loaded.tokenizer(["a fox"])
    with torch.no_grad():
        assert torch.equal(loaded.model.encode_text(texts), tiny.model.encode_text(texts))  # type: ignore[operator]


def test_all_the_way_from_an_architecture_to_an_answer(tmp_path: Path) -> None:
    package, bundle = tmp_path / "package", tmp_path / "bundle"
    model = ["model", "--model", "ViT-B-32", "--pretrained", "random", "--output", str(package)]
    said = run(*model, "--precision", "int8")
    assert "WARNING: random weights" in said
    assert ": int8 is kept" in said
    assert "queries a second, 32 at a time" in said
    assert ModelCard.read(package).text_precision == "int8"
    index = ["index", "--images", "demo/gallery", "--model", str(package), "--output", str(bundle)]
    said = run(*index, "--sample-size", "60")
    assert "embedded 60" in said
    with serving(bundle, tmp_path / "log") as client:
        answer = client.post("/search", json={"query": "a guitar", "k": 3})
        assert answer.status_code == 200
        assert len(answer.json()["results"]) == 3
        assert client.get("/info").json()["model"]["pretrained"] == "random"


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "build", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
