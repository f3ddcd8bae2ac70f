"""Clients that are slow, rude or huge: what others notice of them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import multiprocessing
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.clients import Load, measure
from tests.faults.conftest import Figure, often
from tests.service.conftest import Service, running
from tests.serving.test_uploads import png

pytestmark = pytest.mark.slow

Client = Callable[[int], Awaitable[object]]

HEAD = b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
FORM = (
    b"POST /search_by_image HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n"
)
PIECE = bytes(1 << 16)


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, which is hung up on at the end; that the other side did before is no fault."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            yield reader, writer
    finally:
        writer.transport.abort()


async def idle(port: int) -> None:
    async with connected(port):
        await asyncio.sleep(3600)


async def slow_headers(port: int) -> None:
    async with connected(port) as (_, writer):
        for byte in itertools.chain(HEAD, itertools.repeat(ord("x"))):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.1)


async def slow_body(port: int) -> None:
    async with connected(port) as (_, writer):
        writer.write(HEAD + b"Content-Length: 9000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.1)


async def hang_up(port: int) -> None:
    body = b'{"query": "whom nobody waits for"}'
    while True:
        async with connected(port) as (_, writer):
            writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        await asyncio.sleep(0.02)


async def large_body(port: int) -> None:
    """50 MB, once said beforehand and once not."""
    for length in itertools.cycle([b"Content-Length: 52428800", b"Transfer-Encoding: chunked"]):
        async with connected(port) as (_, writer):
            writer.write(HEAD + length + b"\r\n\r\n")
            for _ in range(800):
                chunk = b"%x\r\n%s\r\n" % (len(PIECE), PIECE) if b"chunked" in length else PIECE
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(0)


async def header_flood(port: int) -> None:
    while True:
        async with connected(port) as (reader, writer):
            writer.write(HEAD)
            for number in range(10_000):
                writer.write(b"X-%d: %s\r\n" % (number, b"x" * 100))
                await writer.drain()
            await reader.read()


async def bomb(port: int) -> None:
    """An image of 256 million pixels in few bytes."""
    content = png(255_999_999, 1)
    body = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + content + b"\r\n--b--\r\n"
    )
    while True:
        async with connected(port) as (reader, writer):
            writer.write(FORM + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            status = await reader.readline()
            assert b" 413 " in status or b" 429 " in status, status


def run(client: Client, count: int, port: int) -> None:
    """So many of a kind, until this process is killed."""

    async def all_of_them() -> None:
        await asyncio.gather(*(client(port) for _ in range(count)))

    asyncio.run(all_of_them())


@contextlib.contextmanager
def beside(client: Client, count: int, service: Service) -> Iterator[None]:
    """So many of a kind, for the length of a block, in a process of their own."""
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=run, args=(client, count, service.port))
    process.start()
    # Until they are at it.
    time.sleep(1)
    assert process.is_alive()
    try:
        yield
        assert process.is_alive()
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize(
    ("client", "count"),
    [
        (idle, 500),
        (slow_headers, 200),
        (slow_body, 200),
        (hang_up, 8),
        (large_body, 2),
        (header_flood, 2),
        (bomb, 2),
    ],
)
def test_others_are_served(
    client: Client, count: int, demo_bundle: Path, tmp_path: Path, figure: Figure
) -> None:
    bodies = ({"query": f"a small red fox, number {n}", "k": 3} for n in itertools.count())

    def ask(service: Service) -> Load:
        return measure(service.port, "/search", bodies, 4, often(1, 10))

    with running(demo_bundle, tmp_path / "log") as service:
        measure(service.port, "/search", itertools.islice(bodies, 200), 4)
        alone = ask(service)
        with beside(client, count, service):
            met = ask(service)
        assert service.process.poll() is None
        after = ask(service)
    assert alone.failed == met.failed == after.failed == 0
    figure(
        f"beside {count}: 4 clients have p99 {met.p99:.1f} ms, {met.p99 / alone.p99:.1f} x that "
        f"without, and {met.per_second / alone.per_second:.2f} x as many answers"
    )
