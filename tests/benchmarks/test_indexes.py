"""The index beside others, as far as it is measured without their environments."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import models.vector_index
from benchmarks import indexes, vectors


def test_recall_and_speed_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models.vector_index, "EXACT_UP_TO", 1000)
    vectors.write(tmp_path, 3000, dim=64)
    # Of other texts than it learns from.
    assert len(np.load(tmp_path / "queries.npy")) == 1000
    these = list(indexes.MEASURES)[:2]
    monkeypatch.setattr(sys, "argv", ["indexes", str(tmp_path), "--only", *these])
    indexes.main()
    told = capsys.readouterr().out
    lines = [json.loads(line) for line in told.splitlines() if line.startswith('{"')]
    exact, this = (line[name] for line, name in zip(lines, indexes.MEASURES, strict=False))
    assert exact["recall_at_10"] == 1.0
    assert this["index"] == "projected-pq"
    assert 0.98 <= this["recall_at_10"] <= 1
    assert this["parameters"]["candidates"] >= 128
    assert min(this["single_ms"], this["batch_ms"], exact["single_ms"]) > 0
