"""The load test, run as its docstring says, against a real service."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.conftest import ROOT, serving
from tests.tools import require_module
from tests.ui.fake import FakeService, result

pytestmark = pytest.mark.slow


def run(host: str, folder: Path, **variables: str) -> tuple[int, dict[str, dict[str, str]], str]:
    require_module("locust", "the load test")
    command = [sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless"]
    options = ["--users", "8", "--spawn-rate", "8", "--run-time", "4s", "--host", host]
    ran = subprocess.run(
        [*command, *options, "--csv", str(folder / "run")],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    with (folder / "run_stats.csv").open(newline="") as table:
        rows = {row["Name"]: row for row in csv.DictReader(table)}
    return ran.returncode, rows, ran.stdout + ran.stderr


def test_every_kind_of_search_is_made_and_none_fails(demo_bundle: Path, tmp_path: Path) -> None:
    with serving(demo_bundle, tmp_path / "log") as client:
        status, rows, told = run(str(client.base_url), tmp_path)
    assert status == 0, told
    for name in ("search k=5", "search k=20", "search filter", "thumbnail"):
        assert int(rows[name]["Request Count"]) > 0, told
    assert int(rows["Aggregated"]["Failure Count"]) == 0, told


def test_overload_is_counted_apart_and_is_no_failure(tmp_path: Path) -> None:
    with FakeService() as fake:
        fake.answer(429, {"error": {"field": None, "message": "too many"}}, {"Retry-After": "1"})
        status, rows, told = run(fake.url, tmp_path)
    assert status == 0, told
    assert set(rows) == {"429", "Aggregated"}
    assert int(rows["429"]["Request Count"]) > 0
    assert int(rows["429"]["Failure Count"]) == 0


def test_a_service_that_is_wrong_fails_the_run(tmp_path: Path) -> None:
    with FakeService() as fake:
        fake.answer(200, {"results": [result(1, 0.1), result(2, 0.2)]})
        status, rows, told = run(fake.url, tmp_path)
    assert status != 0, told
    assert int(rows["search k=5"]["Failure Count"]) == int(rows["search k=5"]["Request Count"])
    assert "the best does not come first" in told
