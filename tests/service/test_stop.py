"""Told to stop, the service finishes what it has begun."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.load import Load
from tests.service.conftest import free_port, start_service, wait_until_ready

CLIENTS = 16


@pytest.mark.parametrize("_", range(3))
def test_no_request_is_lost_when_it_is_told_to_stop(
    _: int, demo_bundle: Path, tmp_path: Path
) -> None:
    port = free_port()
    log = tmp_path / "log"
    process = start_service(demo_bundle, port, log)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        wait_until_ready(client, process, log)
    with Load(f"http://127.0.0.1:{port}", clients=CLIENTS) as load:
        while len(load.outcomes) < 50:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        assert process.wait(timeout=15) == 0
    # Half a second after the signal it still takes whatever comes.
    taken = [one for one in load.outcomes if one.sent is not None and one.sent < told + 0.5]
    assert [one for one in taken if one.status != 200] == []
    assert max(one.sent for one in taken if one.sent is not None) > told


def test_ctrl_c_ends_it_with_nothing_said_twice(demo_bundle: Path, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    process = start_service(demo_bundle, port, log)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        wait_until_ready(client, process, log)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15) == 0
    assert "Traceback" not in log.read_text()
