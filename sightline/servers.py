"""The service and the page as processes: started, waited for, ended with all their children."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence

from models import installation

_PATIENCE_SECONDS = 60.0
_LAST_SECONDS = 10


def service(host: str, port: int) -> list[str]:
    """The command that serves the bundle of SIGHTLINE_BUNDLE."""
    module = installation.module("serving")
    return installation.python("-m", module, "--host", host, "--port", str(port))


def page(host: str, port: int) -> list[str]:
    """The command that shows the page of the service at SIGHTLINE_SERVICE_URL."""
    script = str(installation.ROOT / "ui" / "app.py")
    options = [f"--server.address={host}", f"--server.port={port}"]
    return installation.python("-m", "streamlit", "run", script, *options)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within the block SIGTERM does what Ctrl-C does, and both are heard.

    A shell starts what runs in the background deaf to Ctrl-C's signal.
    """
    stops = (signal.SIGINT, signal.SIGTERM)
    before = {stop: signal.signal(stop, signal.default_int_handler) for stop in stops}
    try:
        yield
    finally:
        for stop, handler in before.items():
            signal.signal(stop, handler)


@contextlib.contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, ended with all its children.

    Args:
        command: what to run.
        environment: variables for it, beside those of this process.
    """
    process = subprocess.Popen(
        command,
        env=installation.environment() | dict(environment),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=_LAST_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether the server at ``address`` answers before it ends or patience does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, OSError), opener.open(address, timeout=2):
            return True
        time.sleep(0.1)
    print(f"error: nothing answers at {address}; its output above says why", file=sys.stderr)
    return False


def in_use(port: int) -> bool:
    """Whether somebody listens on this machine's port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
