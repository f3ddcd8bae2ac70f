"""Start a server bound to its processors, wait until it answers, stop it again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
_PATIENCE_SECONDS = 240
_LAST_LINES = 3


class ServerFailedError(Exception):
    """A server did not start; the message is the end of what it printed."""


@dataclass(frozen=True)
class Command:
    """How a server is started; ``{port}`` in its arguments is where it has to listen.

    ``probe`` is a path that is answered, be it with 404, once the server is ready; ``folder`` is
    where it is started.
    """

    arguments: Sequence[str]
    probe: str = "/"
    variables: Mapping[str, str] = field(default_factory=dict)
    folder: Path = ROOT


@dataclass(frozen=True)
class Running:
    """A server that answers: where, and its first process."""

    port: int
    pid: int

    def resident_mb(self) -> dict[str, float]:
        """Resident memory, in units of 2 ** 20 bytes: the largest process and all of them."""
        first = psutil.Process(self.pid)
        sizes = []
        for process in (first, *first.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                sizes.append(process.memory_info().rss / (1 << 20))
        return {"worker": max(sizes), "tree": sum(sizes)}


@contextlib.contextmanager
def running(
    command: Command, cores: Sequence[int], log: Path, wait: bool = True
) -> Iterator[Running]:
    """A server for the length of a ``with`` block.

    Args:
        command: what to start.
        cores: the processors that it and all its children may use.
        log: where its output goes.
        wait: whether to return only when it answers.

    Raises:
        ServerFailedError: it ended, or did not answer in time.
    """
    port = free_port()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [argument.replace("{port}", str(port)) for argument in command.arguments],
            cwd=command.folder,
            env=os.environ | {"HF_HUB_OFFLINE": "1"} | dict(command.variables),
            stdout=output,
            stderr=subprocess.STDOUT,
            # A group of its own, so that what it started ends with it.
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
    try:
        if wait:
            _wait(f"http://127.0.0.1:{port}{command.probe}", process, log)
        yield Running(port, process.pid)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailedError(f"ended with {process.returncode}: {_end_of(log)}")
        try:
            opener.open(address, timeout=2)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return
        except OSError:
            pass
        else:
            return
        time.sleep(0.2)
    raise ServerFailedError(f"nothing answers at {address}: {_end_of(log)}")


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return " / ".join([line.strip() for line in lines if line.strip()][-_LAST_LINES:])
