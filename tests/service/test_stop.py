"""It answers this machine alone, until Ctrl-C; what SIGTERM loses under load is in tests/faults."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import free_port, start_service, wait_until_ready


def test_it_answers_this_machine_alone_until_ctrl_c_with_nothing_said_twice(
    demo_bundle: Path, tmp_path: Path
) -> None:
    port = free_port()
    log = tmp_path / "log"
    process = start_service(demo_bundle, port, log)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        wait_until_ready(client, process, log)
    # Another of its addresses: taken, where it listened on all.
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.2:{port}/livez", trust_env=False)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=15) == 0
    assert "Traceback" not in log.read_text()
