"""Several processes that serve one port, and one that looks after them.

Each worker binds the port for itself, so that the kernel spreads the connections over them
(``SO_REUSEPORT``).  Each gives signs of life through a pipe: one that dies or falls silent is
replaced, and only its own requests are lost.  Where this process is gone, the workers end.
"""

from __future__ import annotations

import logging
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from types import FrameType

from prometheus_client import multiprocess

from models.installation import environment, module, python
from serving.bundle_opening import check_bundle
from serving.metrics import METRICS_FOLDER
from serving.server import RELOAD, listen
from serving.settings import Settings

logger = logging.getLogger("sightline")

# Without a sign of life for so long a worker counts as hung; its event loop gives one twice a
# second, and nothing that takes long is done there.
_SILENCE_SECONDS = 3.0
# Until its first: a bundle may have to be read from a slow disk.
_START_SECONDS = 120.0
_LOOK_EVERY_SECONDS = 0.2
# Workers that have ended after SIGTERM are waited for so long.
_PATIENCE_SECONDS = 9.5
# A worker that dies young, again and again, is given more and more time.
_YOUNG_SECONDS = 5.0
_LONGEST_PAUSE = 30.0


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: int
    started: float
    heard: float | None = None

    def is_silent(self, now: float) -> bool:
        if self.heard is None:
            return now - self.started > _START_SECONDS
        return now - self.heard > _SILENCE_SECONDS


class Supervisor:
    """Starts workers, and others in their place.

    Args:
        settings: how many.
        host: where they listen.
        port: and at which port.
    """

    def __init__(self, settings: Settings, host: str, port: int) -> None:
        self._count = settings.workers
        self._host = host
        self._port = port
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._deaths = 0
        self._not_before = 0.0
        self._was_ready = False
        self._counters = tempfile.mkdtemp(prefix="sightline-metrics-")
        os.environ[METRICS_FOLDER] = self._counters
        check_bundle(settings)
        # Somebody else's service on this port has to show now: sharing is allowed below.
        listen(host, port).close()

    def run(self) -> None:
        """Look after the workers until SIGTERM or Ctrl-C.

        Raises:
            SystemExit: with 1 where the first workers do not get ready.
        """
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, lambda sig, _: self._pass_on(sig))
        try:
            while not self._stopping:
                self._fill_up()
                self._listen_to_them()
                self._bury()
        finally:
            self._end()

    def _fill_up(self) -> None:
        while len(self._workers) < self._count and time.monotonic() >= self._not_before:
            self._start()

    def _start(self) -> None:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        address = ["--host", self._host, "--port", str(self._port)]
        process = subprocess.Popen(
            python("-m", module("serving"), *address, "--heartbeat", str(writer)),
            env=environment(),
            pass_fds=[writer],
        )
        os.close(writer)
        worker = _Worker(process, reader, time.monotonic())
        self._selector.register(reader, selectors.EVENT_READ, worker)
        self._workers.append(worker)

    def _listen_to_them(self) -> None:
        for key, _ in self._selector.select(_LOOK_EVERY_SECONDS):
            worker: _Worker = key.data
            if said := os.read(worker.pipe, 4096):
                worker.heard = time.monotonic()
                self._was_ready = True
                if RELOAD in said:
                    self._pass_on(signal.SIGHUP, but=worker)
            else:
                # It is ending, which _bury sees.
                self._selector.unregister(worker.pipe)

    def _bury(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.process.poll() is None and not worker.is_silent(now):
                continue
            if worker.process.poll() is None:
                logger.error("worker %d is silent: replaced", worker.process.pid)
                worker.process.kill()
            code = worker.process.wait()
            self._forget(worker)
            if self._stopping:
                continue
            logger.error("worker %d ended with %d: replaced", worker.process.pid, code)
            if not self._was_ready:
                # What keeps one from starting keeps all; it has said what it is.
                raise SystemExit(1)
            self._deaths = self._deaths + 1 if now - worker.started < _YOUNG_SECONDS else 0
            self._not_before = now + min(_LONGEST_PAUSE, 2**self._deaths - 1)

    def _forget(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        if worker.pipe in self._selector.get_map():
            self._selector.unregister(worker.pipe)
        os.close(worker.pipe)
        multiprocess.mark_process_dead(worker.process.pid, self._counters)  # type: ignore[no-untyped-call]

    def _stop(self, sig: int, frame: FrameType | None) -> None:
        self._stopping = True
        for worker in self._workers:
            worker.process.send_signal(sig)

    def _pass_on(self, sig: int, but: _Worker | None = None) -> None:
        for worker in self._workers:
            # One that is not ready yet would die of it, and reads what is there now anyway.
            if worker is not but and worker.heard is not None:
                worker.process.send_signal(sig)

    def _end(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for worker in self._workers:
            try:
                worker.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        shutil.rmtree(self._counters, ignore_errors=True)
