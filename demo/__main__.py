"""Start the service and the page over one bundle, say where they are, stop both on Ctrl-C.

Run by ``make demo``::

    python -m demo --bundle bundles/demo --port 3000 --ui-port 8501
"""

from __future__ import annotations

import argparse
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
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_BIN = Path(sys.executable).parent
_PATIENCE_SECONDS = 60.0


def main() -> int:
    """Run until Ctrl-C, or until one of the two servers ends by itself."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/demo"))
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--ui-port", type=int, default=8501)
    arguments = parser.parse_args()

    for option, port in (("PORT", arguments.port), ("UI_PORT", arguments.ui_port)):
        if _in_use(port):
            print(
                f"error: port {port} is in use; try `make demo {option}={port + 10}`",
                file=sys.stderr,
            )
            return 1
    # A shell starts what runs in the background deaf to Ctrl-C's signal.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    service = f"http://127.0.0.1:{arguments.port}"
    page = f"http://127.0.0.1:{arguments.ui_port}"
    environment = os.environ | {
        "SIGHTLINE_BUNDLE": str(arguments.bundle),
        "SIGHTLINE_SERVICE_URL": service,
    }
    serve: list[str | Path] = [sys.executable, "-m", "serving", "--port", str(arguments.port)]
    show: list[str | Path] = [
        _BIN / "streamlit",
        "run",
        "ui/app.py",
        "--server.port",
        str(arguments.ui_port),
    ]
    try:
        with _running(serve, environment) as serving, _running(show, environment) as showing:
            if not (
                _answers(f"{service}/readyz", serving)
                and _answers(f"{page}/_stcore/health", showing)
            ):
                return 1
            print(
                f"\n  Page     {page}"
                f"\n  Service  {service}"
                f'\n\n  curl -s {service}/search -d \'{{"query": "a guitar", "k": 3}}\''
                "\n\n  Ctrl-C stops both.",
                flush=True,
            )
            while serving.poll() is None and showing.poll() is None:
                time.sleep(0.2)
            return 1
    except KeyboardInterrupt:
        print("\nstopped")
        return 0


@contextlib.contextmanager
def _running(
    command: Sequence[str | Path], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, ended with all its children."""
    process = subprocess.Popen(
        [str(part) for part in command], cwd=_ROOT, env=dict(environment), start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether the server at ``address`` answers before it ends or patience does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, OSError), opener.open(address, timeout=2):
            return True
        time.sleep(0.1)
    print(f"error: nothing answers at {address}; its output above says why", file=sys.stderr)
    return False


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    sys.exit(main())
