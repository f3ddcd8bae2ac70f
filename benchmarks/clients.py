"""HTTP clients: so many at once, each of which sends when it has its answer (a closed loop), or so
many requests a second, whatever becomes of those before (an open one).

Written on asyncio's streams, since a comfortable client costs more than the servers it is
to measure; what it costs itself is measured by :func:`own_cost`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from benchmarks.figures import histogram, percentiles


@dataclass(frozen=True)
class Load:
    """What ``clients`` at once met: requests a second, and latencies in milliseconds.

    ``steps`` are the means of what the server says in ``Server-Timing``.
    """

    clients: int
    requests: int
    failed: int
    seconds: float
    per_second: float
    mean: float
    p50: float
    p95: float
    p99: float
    steps: dict[str, float]
    histogram: list[list[float]]

    def as_json(self) -> dict[str, Any]:
        """The figures by name."""
        return asdict(self)


@dataclass(frozen=True)
class Flood:
    """What became of ``sent`` requests that arrived ``arriving`` a second.

    ``good`` is how many a second were answered with 200 while they arrived; the percentiles of
    these, and of the refusals with 429, are milliseconds.
    """

    arriving: float
    sent: int
    answered: int
    refused: int
    failed: int
    good: float
    answers: dict[str, float]
    refusals: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """The figures by name."""
        return asdict(self)


def measure(
    port: int,
    path: str,
    bodies: Iterable[dict[str, Any]],
    clients: int,
    seconds: float = float("inf"),
) -> Load:
    """Send the bodies to a server on this machine, ``clients`` at a time.

    It ends when there are no more bodies, or after ``seconds`` when every client has sent
    two; what is under way then is waited for and counted.
    """
    requests = (_request(path, body) for body in bodies)
    return asyncio.run(_measure(port, requests, clients, seconds))


async def _measure(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Load:
    latencies: list[float] = []
    steps: defaultdict[str, float] = defaultdict(float)
    failed = 0
    began = time.perf_counter()

    async def client() -> None:
        nonlocal failed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:
            sent = time.perf_counter()
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            answered = time.perf_counter()
            latencies.append(1e3 * (answered - sent))
            failed += b" 200 " not in head.split(b"\r\n", 1)[0]
            _add_steps(head, steps)
            if answered - began > seconds and len(latencies) >= 2 * clients:
                break
            if b"connection: close" in head:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - began
    return Load(
        clients=clients,
        requests=len(latencies),
        failed=failed,
        seconds=elapsed,
        per_second=len(latencies) / elapsed,
        mean=sum(latencies) / len(latencies),
        **percentiles(latencies),
        steps={step: total / len(latencies) for step, total in steps.items()},
        histogram=histogram(latencies),
    )


def flood(
    port: int, path: str, bodies: Iterable[dict[str, Any]], per_second: float, seconds: float
) -> Flood:
    """Send the bodies to a server on this machine, so many a second for so long.

    Nobody waits for an answer before the next is sent: as many connections are opened as it takes.
    """
    requests = (_request(path, body) for body in bodies)
    return asyncio.run(_flood(port, requests, per_second, seconds))


async def _flood(port: int, requests: Iterator[bytes], per_second: float, seconds: float) -> Flood:
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    latencies: defaultdict[int, list[float]] = defaultdict(list)
    good = failed = 0
    began = time.perf_counter()

    async def ask(request: bytes) -> None:
        nonlocal good, failed
        sent = time.perf_counter()
        try:
            reader, writer = (
                idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port)
            )
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, EOFError):
            failed += 1
            return
        answered = time.perf_counter()
        status = int(head.split(b" ", 2)[1])
        latencies[status].append(1e3 * (answered - sent))
        good += status == 200 and answered - began <= seconds
        if b"connection: close" in head:
            writer.close()
        else:
            idle.append((reader, writer))

    tasks: set[asyncio.Task[None]] = set()
    sent = 0
    while (elapsed := time.perf_counter() - began) < seconds:
        for request in islice(requests, int(elapsed * per_second) + 1 - sent):
            task = asyncio.create_task(ask(request))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            sent += 1
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()
    answers, refusals = latencies.pop(200, []), latencies.pop(429, [])
    return Flood(
        arriving=per_second,
        sent=sent,
        answered=len(answers),
        refused=len(refusals),
        failed=failed + sum(map(len, latencies.values())),
        good=good / seconds,
        answers=percentiles(answers) if answers else {},
        refusals=percentiles(refusals) if refusals else {},
    )


def _add_steps(head: bytes, steps: defaultdict[str, float]) -> None:
    """Add up what an answer's ``Server-Timing`` says: ``encode;dur=1.250, search;dur=0.3``."""
    if b"\r\nserver-timing:" not in head:
        return
    value = head.split(b"\r\nserver-timing:")[1].split(b"\r\n")[0].decode()
    for step in value.split(","):
        name, _, duration = step.strip().partition(";dur=")
        steps[name] += float(duration)


def _request(path: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def own_cost(clients: int, requests: int = 5000) -> float:
    """Milliseconds that the client itself needs for a request, against an empty server.

    The empty server runs in the same thread, so this is an upper bound.
    """

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
        bodies = iter([_request("/", {"query": "a red fox", "k": 3})] * requests)
        load = await _measure(port, bodies, clients, float("inf"))
        server.close()
        return 1e3 / load.per_second

    return asyncio.run(against_nothing())
