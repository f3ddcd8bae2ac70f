"""What the attacks are made on: the application in this process, and on a real port."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from serving.app import App
from tests.serving.conftest import Make, app, listening, make, opened, searched, tiny_bundle

__all__ = ["app", "line", "make", "opened", "port", "searched", "tiny_bundle"]


@pytest.fixture
def port(make: Make) -> Iterator[int]:
    """Where an application listens."""
    with listening(make()) as port:
        yield port


@pytest.fixture
def line(port: int) -> Iterator[socket.socket]:
    """A connection to it, on which anything can be said."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as line:
        yield line


@pytest.fixture
def make_with_key(make: Make) -> App:
    """An application that asks for ``right-key``."""
    return make(api_keys="right-key")
