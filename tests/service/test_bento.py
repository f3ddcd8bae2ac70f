"""A bento that carries its bundle and serves from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import BIN, ROOT, free_port, stop, wait_until_ready


@pytest.mark.slow
def test_a_bento_serves_its_bundle_from_any_folder(demo_bundle: Path, tmp_path: Path) -> None:
    environment = os.environ | {"BENTOML_HOME": str(tmp_path / "home")}
    environment.pop("SIGHTLINE_BUNDLE", None)
    built = subprocess.run(
        [sys.executable, "-m", "build", "bento", "--bundle", str(demo_bundle)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(BIN / "bentoml"), "serve", "sightline:latest", "--port", str(port)],
            cwd=elsewhere,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            wait_until_ready(client, process, log)
            answer = client.post("/search", json={"query": "a guitar", "k": 3})
            assert answer.status_code == 200, answer.text
            assert "guitar" in str(answer.json()).lower()
    finally:
        stop(process)
