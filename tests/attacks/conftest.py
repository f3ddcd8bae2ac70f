"""What the attacks are made on: the application in this process, and on a real port."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from serving.app import App
from serving.connection import Connection
from serving.server import listen
from tests.serving.conftest import Make, app, make, opened, tiny_bundle

__all__ = ["app", "line", "make", "opened", "port", "tiny_bundle"]


@pytest.fixture
def port(make: Make) -> Iterator[int]:
    """Where an application listens."""
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(make(), http=Connection, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def line(port: int) -> Iterator[socket.socket]:
    """A connection to it, on which anything can be said."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as line:
        yield line


@pytest.fixture
def make_with_key(make: Make) -> App:
    """An application that asks for ``right-key``."""
    return make(api_keys="right-key")
