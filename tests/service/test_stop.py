"""Told to stop, the service finishes what it has begun."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import free_port, start_service, wait_until_ready

CLIENTS = 16


@pytest.mark.parametrize("_", range(3))
def test_no_request_is_lost_when_it_is_told_to_stop(
    _: int, demo_bundle: Path, tmp_path: Path
) -> None:
    port = free_port()
    log = tmp_path / "log"
    process = start_service(demo_bundle, port, log)
    answered: list[float] = []
    lost: list[tuple[float, BaseException | int]] = []

    def ask() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            while True:
                asked = time.monotonic()
                try:
                    status = client.post("/search", json={"query": "a guitar"}).status_code
                except httpx.ConnectError:
                    # Nobody listens any more: this one was never taken.
                    return
                except httpx.TransportError as error:
                    lost.append((asked, error))
                    return
                if status != 200:
                    lost.append((asked, status))
                    return
                answered.append(time.monotonic())

    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        wait_until_ready(client, process, log)
    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    while len(answered) < 50:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    told = time.monotonic()
    assert process.wait(timeout=15) == 0
    for thread in threads:
        thread.join()
    # Half a second after the signal it still takes whatever comes.
    assert [loss for loss in lost if loss[0] < told + 0.5] == []
    assert max(answered) > told


def test_ctrl_c_ends_it_with_nothing_said_twice(demo_bundle: Path, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    process = start_service(demo_bundle, port, log)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        wait_until_ready(client, process, log)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15) == 0
    assert "Traceback" not in log.read_text()
