"""The bench runs from end to end; its figures are looked at by people."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import ROOT


@pytest.mark.slow
def test_the_bench_measures_prints_writes_and_draws(tmp_path: Path) -> None:
    results, plot = tmp_path / "results.json", tmp_path / "plot.png"
    # What needs neither PyTorch nor an environment of its own: the rest takes minutes.
    command = ["--quick", "--only", "search,cache,coldstart,endurance,overload,filters"]
    command += ["--peers", "sightline,bentoml"]
    places = ["--work", str(tmp_path), "--results", str(results), "--plot", str(plot)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *command, *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for heading in ("Searches over HTTP", "Queries as people repeat them", "How it stands"):
        assert heading in done.stdout

    phases = {
        name: phase["figures"] for name, phase in json.loads(results.read_text())["phases"].items()
    }
    assert phases["search"]["missing"] == {}
    peers = phases["search"]["peers"]
    loads = peers["Sightline"]["clients"]
    assert list(loads) == ["1", "8", "32"]
    for entry in (*loads.values(), *peers["BentoML's own batching"]["clients"].values()):
        (load,) = entry["rounds"]
        assert load["failed"] == 0
    for entry in loads.values():
        (load,) = entry["rounds"]
        assert sum(count for _, count in load["histogram"]) == load["requests"]
        assert load["p50"] <= load["p95"] <= load["p99"]
        assert {"encode", "search"} <= set(entry["steps_ms"])
    assert phases["cache"]["on"]["hit_rate"] > phases["cache"]["off"]["hit_rate"]
    assert phases["overload"]["flood"]["failed"] == 0
    assert phases["overload"]["flood"]["good"] > 0
    assert phases["filters"]["by_filter"]["3 %"]["recall"] == 1.0
    assert phases["endurance"]["resident_mb"]["200"]["worker"] > 0
    with Image.open(plot) as drawn:
        assert drawn.width > 1000
