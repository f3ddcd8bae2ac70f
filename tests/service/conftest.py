"""A real server on a real port, over the gallery's bundle."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

Serve = Callable[..., AbstractContextManager[httpx.Client]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_service(bundle: Path, port: int, log: Path, **variables: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"SIGHTLINE_BUNDLE": str(bundle)} | variables
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "serving", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    try:
        return process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@contextlib.contextmanager
def serving(bundle: Path, log: Path, **variables: str) -> Iterator[httpx.Client]:
    port = free_port()
    process = start_service(bundle, port, log, **variables)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False
        ) as client:
            wait_until_ready(client, process, log)
            yield client
    finally:
        stop(process)


def wait_until_ready(
    client: httpx.Client, process: subprocess.Popen[bytes], log: Path, seconds: float = 60
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if client.get("/readyz").status_code == 200:
                return
        time.sleep(0.05)
    pytest.fail(f"the service did not get ready:\n{log.read_text(errors='replace')}")


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory, demo_bundle: Path) -> Serve:
    """Start a service of one's own: ``with serve(SIGHTLINE_API_KEY="…") as client``."""

    def start(bundle: Path = demo_bundle, **variables: str) -> AbstractContextManager[httpx.Client]:
        return serving(bundle, tmp_path_factory.mktemp("service") / "log", **variables)

    return start


@pytest.fixture(scope="session")
def client(serve: Serve) -> Iterator[httpx.Client]:
    """A client of the one service that most tests share."""
    with serve() as shared:
        yield shared
