"""Several workers: who looks after them, and what is lost with one of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from models.bundle import Bundle
from tests.service.conftest import Service, free_port, running, start_service, wait_for

pytestmark = pytest.mark.slow

KEY = "k"
AUTHORIZED = {"Authorization": f"Bearer {KEY}"}


@contextlib.contextmanager
def two_workers(bundle: Path, tmp_path: Path, **variables: str) -> Iterator[Service]:
    with running(bundle, tmp_path / "log", SIGHTLINE_WORKERS="2", **variables) as service:
        yield service


def test_connections_are_spread_and_counters_add_up(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    with two_workers(bundles[0], tmp_path) as service, contextlib.ExitStack() as stack:
        for number in range(64):
            client = stack.enter_context(httpx.Client(base_url=service.url, trust_env=False))
            answer = client.post("/search", json={"query": f"fox {number}"})
            assert answer.status_code == 200
        shares = [
            sum(one.status == psutil.CONN_ESTABLISHED for one in worker.net_connections("tcp"))
            for worker in service.workers()
        ]
        assert sum(shares) == 64
        assert min(shares) >= 12
        counted = 'request_total{endpoint="/search",http_response_code="200"} 64.0'
        assert counted in service.get("/metrics", **AUTHORIZED).text


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_worker_that_is_lost_is_replaced(
    how: signal.Signals, bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    with two_workers(bundles[0], tmp_path) as service:
        lost, other = service.listening()
        os.kill(lost, how)
        wait_for(lambda: not psutil.pid_exists(lost), "end of the lost worker")
        wait_for(lambda: len(service.listening()) == 2, "other in its place")
        assert other in service.listening()
        for number in range(20):
            assert service.get(f"/livez?{number}").status_code == 200
        metrics = service.get("/metrics", **AUTHORIZED).text
        assert "bentoml_service_request_in_progress 1.0" in metrics


def test_without_who_looks_after_them_they_end(bundles: tuple[Path, Path], tmp_path: Path) -> None:
    with two_workers(bundles[0], tmp_path) as service:
        workers = service.listening()
        service.process.kill()
        service.process.wait()
        wait_for(lambda: not any(map(psutil.pid_exists, workers)), "end of the orphans")


@pytest.mark.parametrize("how", ["signal", "route"])
def test_all_of_them_change_over(how: str, bundles: tuple[Path, Path], tmp_path: Path) -> None:
    place = tmp_path / "served"
    shutil.copytree(bundles[0], place)
    with two_workers(place, tmp_path, SIGHTLINE_API_KEY=KEY) as service:
        shutil.copytree(bundles[1], tmp_path / "new")
        place.rename(tmp_path / "old")
        (tmp_path / "new").rename(place)
        if how == "signal":
            service.process.send_signal(signal.SIGHUP)
        else:
            reload = httpx.post(
                f"{service.url}/reload", headers=AUTHORIZED, trust_env=False, timeout=10
            )
            assert reload.json()["changed"] is True
        wanted = Bundle.open(bundles[1]).manifest.version

        def all_new() -> bool:
            versions = {service.get("/info", **AUTHORIZED).json()["version"] for _ in range(20)}
            return versions == {wanted}

        wait_for(all_new, "new version everywhere")


def test_a_bundle_that_is_damaged_ends_all(bundles: tuple[Path, Path], tmp_path: Path) -> None:
    place = tmp_path / "served"
    shutil.copytree(bundles[0], place)
    (place / "text_encoder.onnx").write_bytes(b"nonsense")
    log = tmp_path / "log"
    process = start_service(place, free_port(), log, SIGHTLINE_WORKERS="2")
    assert process.wait(timeout=60) != 0
    assert "text_encoder.onnx is damaged" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_port_that_is_taken_is_said_in_one_line(
    bundles: tuple[Path, Path], tmp_path: Path
) -> None:
    with two_workers(bundles[0], tmp_path) as service:
        port = int(service.url.rpartition(":")[2])
        for workers in ("1", "2"):
            log = tmp_path / f"log-{workers}"
            process = start_service(bundles[0], port, log, SIGHTLINE_WORKERS=workers)
            assert process.wait(timeout=60) != 0
            assert f"{port} cannot be listened on" in log.read_text()
            assert "Traceback" not in log.read_text()
