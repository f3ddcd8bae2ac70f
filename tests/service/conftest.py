"""A real server on a real port, over the gallery's bundle."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.serving.conftest import build_bundle

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

Serve = Callable[..., AbstractContextManager[httpx.Client]]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_service(
    bundle: Path, port: int, log: Path, *, before: Sequence[str] = (), **variables: str
) -> subprocess.Popen[bytes]:
    """``before`` is a command that ends by running what follows it."""
    environment = os.environ | {"SIGHTLINE_BUNDLE": str(bundle)} | variables
    with log.open("wb") as output:
        return subprocess.Popen(
            [*before, sys.executable, "-m", "serving", "--port", str(port)],
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


@dataclass(frozen=True)
class Service:
    """A service whose processes a test wants to see."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def listening(self) -> list[int]:
        """The process ids of the workers that listen."""
        found = []
        for worker in self.workers():
            with contextlib.suppress(psutil.Error):
                if any(one.status == psutil.CONN_LISTEN for one in worker.net_connections("tcp")):
                    found.append(worker.pid)
        return found

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=headers, trust_env=False, timeout=10)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", trust_env=False, timeout=30, **body)


@contextlib.contextmanager
def running(
    bundle: Path, log: Path, *, before: Sequence[str] = (), **variables: str
) -> Iterator[Service]:
    """A service with all its workers, none of which is left at the end."""
    port = free_port()
    process = start_service(bundle, port, log, before=before, **variables)
    service = Service(process, port, log)
    workers = int(variables.get("SIGHTLINE_WORKERS", "1"))
    try:
        with httpx.Client(base_url=service.url, trust_env=False) as client:
            wait_until_ready(client, process, log)
        if workers > 1:
            wait_for(lambda: len(service.listening()) == workers, f"{workers} workers")
        yield service
    finally:
        process.kill()
        process.wait()
        # They see that it is gone; whoever does not is a failure of the test that says so.
        for worker in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if f"--port {port} " in " ".join(worker.cmdline()) + " ":
                    worker.kill()


def wait_for(condition: Callable[[], object], what: str, seconds: float = 30) -> float:
    """Until a condition holds; the seconds that it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"no {what} within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - started


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same images by two models; tests must not alter them."""
    first, second = (build_bundle(tmp_path_factory.mktemp("bundles"), seed=seed) for seed in (0, 1))
    return first, second


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
