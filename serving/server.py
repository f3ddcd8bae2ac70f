"""One process that serves: uvicorn, with an end that loses nothing and connections with limits."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from serving.connection import Connection
from serving.settings import Settings

# Once nobody new is let in, who has come in may still ask for so long.
_LAST_CALL_SECONDS = 0.3
# What is under way then has so long to end; together with the farewell it stays below the ten
# seconds that container engines wait before they kill.
_PATIENCE_SECONDS = 7
HEARTBEAT_SECONDS = 0.5
# What is written to the pipe: the event loop is well; the other workers are to reload.
_WELL = b"."
RELOAD = b"r"


class Server(uvicorn.Server):
    """Serves one application.

    Args:
        app: what answers.
        settings: how long connections are kept.
        listener: a bound socket.
        reload: what SIGHUP asks for.
        heartbeat: a pipe's end to write to as long as the event loop is well, None for none.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        listener: socket.socket,
        *,
        reload: Callable[[], object],
        heartbeat: int | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=settings.keep_alive,
                timeout_graceful_shutdown=_PATIENCE_SECONDS,
            )
        )
        self._listener = listener
        self._reload = reload
        self._heartbeat = heartbeat

    def serve_until_stopped(self) -> None:
        """Serve until SIGTERM or Ctrl-C, then finish what is under way.

        Raises:
            SystemExit: the service could not start.
        """
        # Once it has stopped, uvicorn raises the signals again that made it stop.
        for stop in (signal.SIGTERM, signal.SIGINT):
            signal.signal(stop, signal.SIG_IGN)
        self.run(sockets=[self._listener])
        if not self.started:
            sys.exit(1)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and then hear SIGHUP and give signs of life."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        if self._heartbeat is not None:
            self._beat(loop, self._heartbeat)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, then hang up on those who have not asked anything."""
        for server in self.servers:
            server.close()
        await asyncio.sleep(_LAST_CALL_SECONDS)
        await super().shutdown(sockets)

    def tell_others_to_reload(self) -> None:
        """Have whoever looks after the workers tell the others."""
        if self._heartbeat is not None:
            os.write(self._heartbeat, RELOAD)

    def _beat(self, loop: asyncio.AbstractEventLoop, pipe: int) -> None:
        try:
            os.write(pipe, _WELL)
        except BlockingIOError:
            # Nobody reads at the moment, which is the reader's affair.
            pass
        except OSError:
            # Nobody ever will: who started this process is gone, and with it the reason to be.
            signal.raise_signal(signal.SIGTERM)
            return
        loop.call_later(HEARTBEAT_SECONDS, self._beat, loop, pipe)


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A bound socket.

    Args:
        host: a name or an address.
        port: 0 for any that is free.
        shared: with others of this user that are bound to the same port; the kernel spreads
            the connections over them.

    Raises:
        SystemExit: the address is taken, or none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError as error:
        raise SystemExit(f"error: {host}:{port} cannot be listened on: {error.strerror}") from None
    return listener
