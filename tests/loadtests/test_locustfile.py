"""The load test, run as its docstring says, against a real service and one that misbehaves."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from loadtests.shapes import USERS
from tests.service.conftest import ROOT, free_port, serving, start_service, stop
from tests.tools import require_module
from tests.ui.fake import FakeService, result

pytestmark = pytest.mark.slow

Rows = dict[str, dict[str, str]]


def run(
    host: str,
    folder: Path,
    *options: str,
    users: int | None = 8,
    seconds: int = 4,
    **variables: str,
) -> tuple[int, Rows, str]:
    require_module("locust", "the load test")
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "loadtests" / "locustfile.py")]
    length = ["--run-time", f"{seconds}s", "--host", host]
    if users is not None:
        length += ["--users", str(users)]
    ran = subprocess.run(
        [*command, "--headless", *length, "--csv", str(folder / "run"), *options],
        # From anywhere.
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    with (folder / "run_stats.csv").open(newline="") as table:
        rows = {row["Name"]: row for row in csv.DictReader(table)}
    return ran.returncode, rows, ran.stdout + ran.stderr


def test_every_kind_of_request_is_made_and_none_fails(demo_bundle: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    with serving(demo_bundle, tmp_path / "log", SIGHTLINE_API_KEY="k") as client:
        status, rows, told = run(
            str(client.base_url),
            tmp_path,
            "--html",
            str(report),
            users=20,
            seconds=6,
            SIGHTLINE_API_KEY="k",
        )
    names = ("k=5", "k=20", "filter", "by image")
    for name in (*(f"search {name}" for name in names), "thumbnail", "image", "nonsense"):
        assert int(rows[name]["Request Count"]) > 0, told
    assert int(rows["Aggregated"]["Failure Count"]) == 0, told
    # How fast it is here says nothing of what others promise: anything else would be a fault.
    missed = [line for line in told.splitlines() if line.startswith("objective missed")]
    assert [line for line in missed if " ms; the objective" not in line] == []
    assert status == (1 if missed else 0)
    assert "<html" in report.read_text()


def test_the_steps_find_a_knee(demo_bundle: Path, tmp_path: Path) -> None:
    with serving(demo_bundle, tmp_path / "log") as client:
        status, _, told = run(str(client.base_url), tmp_path, "--shape", "step", users=1, seconds=2)
    for users in (1, 2, 4, 8):
        assert f"{users} users: " in told
    assert "the knee is at " in told
    assert "all objectives of 'step' are kept" in told
    assert status == 0


def test_unasked_there_are_as_many_users_as_a_shape_has(demo_bundle: Path, tmp_path: Path) -> None:
    """And not the one that Locust takes."""
    with serving(demo_bundle, tmp_path / "log") as client:
        _, _, told = run(str(client.base_url), tmp_path, users=None, seconds=2)
    assert f"({USERS} total users)" in told


def test_a_spike_begins_with_nobody(demo_bundle: Path, tmp_path: Path) -> None:
    with serving(demo_bundle, tmp_path / "log") as client:
        _, rows, told = run(str(client.base_url), tmp_path, "--shape", "spike", users=8, seconds=2)
    assert "Shape test updating to 0 users" in told
    assert int(rows["Aggregated"]["Failure Count"]) == 0, told


def test_refusals_are_counted_apart_and_are_no_failure(tmp_path: Path) -> None:
    with FakeService() as fake:
        fake.answer(429, {"error": {"field": None, "message": "too many"}}, {"Retry-After": "1"})
        asked = ("--shape", "step")
        status, rows, told = run(fake.url, tmp_path, *asked, users=1, seconds=1)
        assert status == 0, told
        assert set(rows) == {"429", "/info", "Aggregated"}
        assert int(rows["429"]["Request Count"]) > 0
        assert int(rows["429"]["Failure Count"]) == 0
        status, _, told = run(fake.url, tmp_path, users=1, seconds=1)
        assert status == 1
        assert "requests were refused; the objective is 0% at most" in told


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ([result(1, 0.1), result(2, 0.2), result(3, 0.05)], "the best does not come first"),
        ([result(1, 0.2), result(2, 0.1)], "2 results, there are 3"),
    ],
)
def test_a_service_that_is_wrong_fails_the_run(
    tmp_path: Path, results: list[object], told: str
) -> None:
    with FakeService() as fake:
        fake.answer(200, {"results": results})
        status, rows, output = run(fake.url, tmp_path)
    assert status == 1, output
    assert int(rows["search k=5"]["Failure Count"]) == int(rows["search k=5"]["Request Count"])
    assert told in output
    assert "requests failed; the objective is 0% at most" in output


def test_a_service_that_goes_away_fails_the_run(demo_bundle: Path, tmp_path: Path) -> None:
    port = free_port()
    process = start_service(demo_bundle, port, tmp_path / "log")
    with serving(demo_bundle, tmp_path / "other-log"):
        # Both have started when the other has.
        going = threading.Timer(5, stop, [process])
        going.start()
        status, rows, told = run(f"http://127.0.0.1:{port}", tmp_path, seconds=8)
        going.join()
    assert status == 1
    assert int(rows["search k=5"]["Failure Count"]) > 0
    assert "no answer" in told
    assert "requests failed; the objective is 0% at most" in told


def test_where_nobody_listens_the_run_fails(tmp_path: Path) -> None:
    status, rows, told = run(f"http://127.0.0.1:{free_port()}", tmp_path, users=1, seconds=1)
    assert status == 1
    assert int(rows["Aggregated"]["Failure Count"]) == int(rows["Aggregated"]["Request Count"]) > 0
    assert "objective missed" in told
