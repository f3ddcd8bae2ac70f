"""Bentos that serve from any folder, with a bundle or told where to find one."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import BIN, ROOT, free_port, stop, wait_until_ready


def build(home: Path, *options: str) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "build", "bento", *options],
        cwd=ROOT,
        env=os.environ | {"BENTOML_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr


@contextlib.contextmanager
def served(folder: Path, **variables: str) -> Iterator[httpx.Client]:
    """The newest bento of the store ``folder/home``, served from another folder."""
    environment = os.environ | {"BENTOML_HOME": str(folder / "home")}
    environment.pop("SIGHTLINE_BUNDLE", None)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    port = free_port()
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(BIN / "bentoml"), "serve", "sightline:latest", "--port", str(port)],
            cwd=elsewhere,
            env=environment | variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            wait_until_ready(client, process, log)
            yield client
    finally:
        stop(process)


@pytest.mark.slow
def test_a_bento_serves_its_bundle_from_any_folder(demo_bundle: Path, tmp_path: Path) -> None:
    build(tmp_path / "home", "--bundle", str(demo_bundle))
    with served(tmp_path) as client:
        answer = client.post("/search", json={"query": "a guitar", "k": 3})
        assert answer.status_code == 200, answer.text
        assert "guitar" in str(answer.json()).lower()


@pytest.mark.slow
def test_a_bento_without_a_bundle_fetches_one(demo_bundle: Path, tmp_path: Path) -> None:
    build(tmp_path / "home", "--remote")
    [bento] = (tmp_path / "home" / "bentos" / "sightline").glob("*/")
    assert "obstore==" in (bento / "env/python/requirements.txt").read_text()
    dockerfile = (bento / "env/docker/Dockerfile").read_text()
    assert "COPY ./models" not in dockerfile
    assert "sightline.bundle" not in dockerfile
    assert not list(bento.glob("src/**/.*"))

    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(demo_bundle))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{site.server_port}"
        cache = tmp_path / "cache"
        with served(
            tmp_path, SIGHTLINE_BUNDLE=address, SIGHTLINE_BUNDLE_CACHE=str(cache)
        ) as client:
            answer = client.post("/search", json={"query": "a guitar", "k": 3})
            assert "guitar" in str(answer.json()).lower()
        site.shutdown()
    assert len(list(cache.iterdir())) == 1
