"""Serve a bundle in this very process: ``python -m serving --port 3000``.

It is the application that ``bentoml serve`` runs, without the process that ``bentoml serve``
starts first to look after the workers: where there is one worker, and something else that
starts it again (a container, systemd), that process costs a second of every cold start and a
hundred megabytes for nothing.  With ``SIGHTLINE_WORKERS`` above one, ``bentoml serve`` it is.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from serving.opening import open_bundle
from serving.settings import Settings

if TYPE_CHECKING:
    from serving.http import ServiceState

# Answers go on for so long after SIGTERM, each asking its caller to close the connection, and
# new connections are still taken: who routes the traffic needs that time to look elsewhere, and
# a request that is on its way over an open connection does not meet a closed door.
_FAREWELL_SECONDS = 1.0
# After that nobody new is let in, but who has come in may still ask.
_LAST_CALL_SECONDS = 0.3
# What is under way then has so long to end; together it stays below the ten seconds that
# container engines wait before they kill.
_PATIENCE_SECONDS = 7


def main() -> None:
    """Serve until SIGTERM or Ctrl-C, then finish what is under way and exit with 0."""
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "3000")))
    arguments = parser.parse_args()
    settings = Settings()
    if settings.workers > 1:
        address = ["--host", arguments.host, "--port", str(arguments.port)]
        command = [sys.executable, "-m", "bentoml", "serve", "service:Sightline", *address]
        os.execv(sys.executable, command)
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(open_bundle, settings)
        # Meanwhile: BentoML takes most of a second to import.
        from service import Sightline, state

        state.bundle = opening.result()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # Harmless: it tells at length which of its builds it did not find. Its warnings are kept.
    logging.getLogger("faiss").setLevel(logging.WARNING)
    server = _Server(
        uvicorn.Config(
            Sightline.to_asgi(),  # type: ignore[attr-defined]
            host=arguments.host,
            port=arguments.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_PATIENCE_SECONDS,
        ),
        state,
    )
    # Once it has stopped, uvicorn raises the signals again that made it stop.
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, signal.SIG_IGN)
    server.run()
    if not server.started:
        sys.exit(1)


class _Server(uvicorn.Server):
    """Stops listening a moment after it was told to stop."""

    def __init__(self, config: uvicorn.Config, state: ServiceState) -> None:
        super().__init__(config)
        self._state = state

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say farewell first; a second signal stops at once."""
        if self._state.leaving or sig == signal.SIGINT:
            super().handle_exit(sig, frame)
            return
        self._state.leaving = True
        threading.Timer(_FAREWELL_SECONDS, super().handle_exit, (sig, frame)).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, then hang up on those who have not asked anything."""
        for server in self.servers:
            server.close()
        await asyncio.sleep(_LAST_CALL_SECONDS)
        await super().shutdown(sockets)


if __name__ == "__main__":
    main()
