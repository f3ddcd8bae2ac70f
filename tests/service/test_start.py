"""What the service refuses to start over, and what it does without."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import pytest

from models.manifest import MANIFEST, Manifest
from tests.service.conftest import ROOT, Serve, free_port, start_service, wait_until_ready

HEAVY = ["torch", "torchvision", "open_clip", "timm", "pandas", "pyarrow", "transformers", "build"]


@pytest.mark.parametrize(
    "name",
    [
        MANIFEST,
        "tokenizer.json",
        "text_encoder.onnx",
        "image_encoder.onnx",
        "index.faiss",
        "items.sqlite",
        "thumbnails.sqlite",
    ],
)
def test_one_flipped_byte_is_found_and_its_file_named(
    demo_bundle: Path, tmp_path: Path, name: str
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(demo_bundle, damaged)
    path = damaged / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    log = tmp_path / "log"
    process = start_service(damaged, free_port(), log)
    assert process.wait(timeout=60) != 0
    output = log.read_text()
    assert f"{name} is damaged" in output or f"{name} is no JSON" in output, output
    assert "Build it again" in output


def test_every_file_of_the_bundle_is_vouched_for(demo_bundle: Path) -> None:
    files = {path.name for path in demo_bundle.iterdir()} - {MANIFEST}
    assert files == set(Manifest.read(demo_bundle).files)


def test_no_bundle_is_said_in_one_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start_service(tmp_path / "nowhere", free_port(), log)
    assert process.wait(timeout=60) != 0
    assert "nowhere/manifest.json does not exist" in log.read_text()
    assert "Traceback" not in log.read_text()


def test_serving_needs_nothing_heavy(demo_bundle: Path) -> None:
    program = textwrap.dedent(
        """
        import asyncio, importlib.abc, sys

        class Refuse(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in sys.argv[1].split(","):
                    raise ImportError(f"serving must not import {name}")

        sys.meta_path.insert(0, Refuse())
        from starlette.testclient import TestClient
        import service

        with TestClient(service.Sightline.to_asgi()) as client:
            answer = client.post("/search", json={"query": "a guitar"})
            assert answer.status_code == 200, answer.text
            image = client.get(answer.json()["results"][0]["image_url"]).content
            answer = client.post("/search_by_image", files={"image": image})
            assert answer.status_code == 200, answer.text
        """
    )
    subprocess.run(
        [sys.executable, "-c", program, ",".join(HEAVY)],
        cwd=ROOT,
        env=os.environ | {"SIGHTLINE_BUNDLE": str(demo_bundle)},
        check=True,
    )


def test_nothing_heavy_is_in_the_serve_lock_file() -> None:
    lines = (ROOT / "requirements/serve.txt").read_text().splitlines()
    locked = {line.partition("==")[0].strip().lower() for line in lines if "==" in line}
    assert "bentoml" in locked
    assert not locked & {*HEAVY, "open-clip-torch"}


def test_two_workers_count_together(demo_bundle: Path, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    process = start_service(demo_bundle, port, log, SIGHTLINE_WORKERS="2", SIGHTLINE_THREADS="1")
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            wait_until_ready(client, process, log)
        for number in range(20):
            answer = httpx.post(
                f"http://127.0.0.1:{port}/search", json={"query": f"fox {number}"}, trust_env=False
            )
            assert answer.status_code == 200
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        counted = 'request_total{endpoint="/search",http_response_code="200"} 20.0'
        assert counted in text
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


def test_two_services_do_not_share_their_counters(serve: Serve) -> None:
    def searches(client: httpx.Client) -> int:
        counted = re.search(
            r'request_total\{endpoint="/search".* (\S+)', client.get("/metrics").text
        )
        return int(float(counted[1])) if counted else 0

    with serve() as one:
        one.post("/search", json={"query": "a fox"})
        with serve() as other:
            one.post("/search", json={"query": "a guitar"})
            assert (searches(one), searches(other)) == (2, 0)
