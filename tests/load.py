"""Clients that keep a service busy and note how each request ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Outcome:
    """One request and how it ended.

    ``sent`` is when it had been sent (monotonic), None where nobody took the connection;
    ``kept`` says that it came over a connection which had been answered over before.
    """

    sent: float | None
    status: int | None
    kept: bool = False
    error: str | None = None


class Load:
    """``with Load(url, clients=32) as load:`` sends searches until the block is left.

    Args:
        url: the service.
        clients: how many ask at once, each over a connection that it keeps.
        searches: stop by itself after so many; None to go on.
    """

    def __init__(self, url: str, *, clients: int, searches: int | None = None) -> None:
        self.outcomes: list[Outcome] = []
        self._address = urlsplit(url).netloc
        self._stop = threading.Event()
        self._numbers = iter(range(searches)) if searches else count()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self.wait()

    def wait(self) -> None:
        """Until every client is done."""
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        # Its ``sock`` is None before it is first used, and after it was closed.
        connection = http.client.HTTPConnection(self._address, timeout=30)
        with contextlib.closing(connection):
            self._ask_over(connection)

    def _ask_over(self, connection: http.client.HTTPConnection) -> None:
        while not self._stop.is_set():
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            sent = None
            kept = connection.sock is not None
            try:
                if not kept:
                    connection.connect()
                body = json.dumps({"query": f"a small red fox, number {number}", "k": 3})
                connection.request("POST", "/search", body)
                sent = time.monotonic()
                answer = connection.getresponse()
                answer.read()
                self.outcomes.append(Outcome(sent, answer.status, kept))
                if answer.will_close:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                self.outcomes.append(Outcome(sent, None, kept, repr(error)))
                connection.close()
                # Nobody is there any more: no need to ask a thousand times.
                self._stop.wait(0.05)
