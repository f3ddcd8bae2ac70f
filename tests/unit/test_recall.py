"""``build index --recall``: what an index of codes is to find, and is said not to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import models.tuning
import models.vector_index
from build.__main__ import main
from models.manifest import Manifest
from models.model_card import ModelCard
from models.tuning import Tuning


@pytest.fixture
def index(
    tmp_path: Path, tiny_package: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], Path]:
    """The command for a bundle of 600 vectors, and where it writes it."""
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 100)
    dim = ModelCard.read(tiny_package).embedding_dim
    vectors = np.random.default_rng(0).standard_normal((600, dim)).astype(np.float32)
    np.save(tmp_path / "x.npy", vectors)
    (tmp_path / "paths.txt").write_text("".join(f"{n}.jpg\n" for n in range(600)))
    given = ["--embeddings", str(tmp_path / "x.npy"), "--paths", str(tmp_path / "paths.txt")]
    bundle = tmp_path / "bundle"
    return ["index", *given, "--model", str(tiny_package), "--output", str(bundle)], bundle


def test_less_is_had_with_fewer_candidates_and_kept_in_mind(
    index: tuple[list[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(models.tuning, "CANDIDATES", (5, 20, 600))
    command, bundle = index
    assert main([*command, "--recall", "1"]) == 0
    facts = Manifest.read(bundle).index
    assert (facts.search_parameters, facts.recall_at_10) == ({"candidates": 600}, 1.0)
    assert main([*command, "--recall", "0.3"]) == 0
    facts = Manifest.read(bundle).index
    assert facts.search_parameters["candidates"] < 600
    assert 0.3 <= facts.recall_at_10 < 1
    assert Tuning.load(bundle).target == 0.3
    assert "warning" not in capsys.readouterr().err


def test_what_cannot_be_had_is_said(
    index: tuple[list[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(models.tuning, "CANDIDATES", (5,))
    command, bundle = index
    assert main(command) == 0
    found = Manifest.read(bundle).index.recall_at_10
    assert found < 0.99
    said = f"warning: the index finds {found:.3f} of the ten nearest, not 0.99, although it "
    assert f"{said}compares 5 candidates.\n" in capsys.readouterr().err


@pytest.mark.parametrize("share", ["0", "1.1", "-1", "all", "nan"])
def test_what_is_no_share_is_refused(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["index", "--output", "x", "--recall", share])
    assert refused.value.code == 2
    assert "--recall" in capsys.readouterr().err
