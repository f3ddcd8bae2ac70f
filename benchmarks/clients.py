"""A closed-loop HTTP client: so many at once, each sends when it has its answer.

Written on asyncio's streams, since a comfortable client costs more than the servers it is
to measure; what it costs itself is measured by :func:`own_cost`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Load:
    """What ``clients`` at once met: requests a second, and latencies in milliseconds."""

    clients: int
    requests: int
    failed: int
    per_second: float
    p50: float
    p95: float
    p99: float

    def as_json(self) -> dict[str, Any]:
        """The figures by name."""
        return vars(self)


def measure(port: int, path: str, bodies: Sequence[dict[str, Any]], clients: int) -> Load:
    """Send every body once to a server on this machine, ``clients`` at a time."""
    return asyncio.run(_measure(port, path, bodies, clients))


async def _measure(port: int, path: str, bodies: Sequence[dict[str, Any]], clients: int) -> Load:
    requests = iter([_request(path, body) for body in bodies])
    latencies: list[float] = []
    failed = 0

    async def client() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:
            began = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - began)
            failed += b" 200 " not in head.split(b"\r\n", 1)[0]
            if b"connection: close" in head:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - began
    p50, p95, p99 = np.percentile(latencies, [50, 95, 99]) * 1e3
    return Load(
        clients,
        len(latencies),
        failed,
        len(latencies) / elapsed,
        float(p50),
        float(p95),
        float(p99),
    )


def _request(path: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def own_cost(requests: int = 5000) -> float:
    """Milliseconds that the client itself needs for a request, against an empty server."""

    async def against_nothing() -> float:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError:
                    writer.close()
                    return
                await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        load = await _measure(port, "/", [{"query": "a red fox", "k": 3}] * requests, 1)
        server.close()
        return 1e3 / load.per_second

    return asyncio.run(against_nothing())
