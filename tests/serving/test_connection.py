"""Connections that a slow or wordy caller would keep busy."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator

import pytest

from serving import connection
from tests.serving.conftest import Make, listening


@pytest.fixture
def port(make: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where an application listens that waits half a second for headers, and for a reader."""
    monkeypatch.setattr(connection, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(connection, "READ_SECONDS", 0.5)
    monkeypatch.setattr(connection, "UNWANTED_SECONDS", 0.5)
    with listening(make()) as port:
        yield port


@contextlib.contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        yield line


def received(line: socket.socket) -> bytes:
    """Everything until the other side hangs up."""
    chunks = []
    with contextlib.suppress(ConnectionError):
        while chunk := line.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks)


@pytest.mark.parametrize("said", [b"", b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A"])
def test_who_does_not_get_to_the_point_is_hung_up_on(port: int, said: bytes) -> None:
    with connected(port) as line:
        line.sendall(said)
        assert received(line) == b""


def test_the_time_is_for_each_request_anew(port: int) -> None:
    with connected(port) as line:
        for _ in range(3):
            time.sleep(0.3)
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert line.recv(65536).startswith(b"HTTP/1.1 200")
        # Between requests a connection may rest for as long as it is kept.
        time.sleep(0.8)
        line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        time.sleep(0.2)
        line.sendall(b"\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        line.sendall(b"GET /livez HTTP/1.1\r\n")
        assert received(line) == b""


def test_headers_that_do_not_end_are_cut_off(port: int) -> None:
    with connected(port) as line, contextlib.suppress(ConnectionError):
        line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        for number in range(10_000):
            line.sendall(b"X-%d: %s\r\n" % (number, b"y" * 1000))
            time.sleep(0.0005)
            if number > 2000:
                pytest.fail("2 MB of headers were taken")


def test_a_request_line_that_does_not_end_is_refused_in_words(port: int) -> None:
    with connected(port) as line:
        line.sendall(b"GET /" + b"x" * 66_000)
        head, _, body = received(line).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert json.loads(body)["error"]["message"] == "the headers are too long"


@pytest.mark.parametrize("asked", [b"GET /?" + b"x" * 66_000 + b" HTTP/1.1\r\n\r\n", b"hello\r\n"])
def test_what_the_parser_gives_up_is_refused_in_the_shape_of_all_errors(
    port: int, asked: bytes
) -> None:
    with connected(port) as line:
        line.sendall(asked)
        head, _, body = received(line).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"\r\ncontent-type: application/json\r\n" in head
    message = "this is no HTTP request, or its address is too long"
    assert json.loads(body) == {"error": {"field": None, "message": message}}


REFUSED = b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n"


def test_who_sends_all_before_he_looks_is_told_that_it_is_too_much(port: int) -> None:
    with connected(port) as line:
        line.sendall(REFUSED + bytes(10 << 20))
        assert line.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_who_sends_without_end_is_not_listened_to(port: int) -> None:
    with connected(port) as line, contextlib.suppress(ConnectionError):
        line.sendall(REFUSED)
        for number in range(99):
            line.sendall(bytes(1 << 20))
            time.sleep(0.001)
            if number > 40:
                pytest.fail("40 MB were taken of what was refused")


def test_nor_is_who_takes_his_time(port: int) -> None:
    with connected(port) as line:
        line.sendall(REFUSED)
        assert line.recv(65536).startswith(b"HTTP/1.1 413 ")
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - began < 5:
                line.sendall(b"x")
                time.sleep(0.05)
        assert 0.4 < time.monotonic() - began < 4


def test_what_comes_after_a_long_body_is_read_as_ever(port: int) -> None:
    body = b'{"query": "a fox", "k": 1}' + b" " * 200_000
    request = b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with connected(port) as line:
        for _ in range(2):
            line.sendall(request + body)
            assert line.recv(65536).startswith(b"HTTP/1.1 200")


ENCODE = json.dumps({"texts": ["a fox"] * 256}).encode()
ENCODE = b"POST /encode HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(ENCODE) + ENCODE
# Together more than the system takes off the service's hands.
MANY = 100


def test_answers_that_nobody_reads_are_not_kept(port: int) -> None:
    with connected(port) as line:
        line.sendall(MANY * ENCODE)
        time.sleep(3)
        assert received(line).count(b"HTTP/1.1 200") < MANY


def test_who_reads_slowly_gets_everything(port: int) -> None:
    with connected(port) as line:
        last = ENCODE.replace(b"Host: x", b"Host: x\r\nConnection: close")
        line.sendall((MANY - 1) * ENCODE + last)
        answers = bytearray()
        while chunk := line.recv(128 << 10):
            answers += chunk
            time.sleep(0.02)
    assert answers.count(b"HTTP/1.1 200") == MANY


def test_who_sends_headers_without_end_is_hung_up_on_at_once(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not when the time for them is over."""
    monkeypatch.setattr(connection, "HEADER_SECONDS", 60)
    with connected(port) as line:
        line.sendall(b"GET /" + b"x" * 66_000)
        assert received(line).startswith(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
            b"content-length: 61\r\nconnection: close\r\n\r\n"
        )


def test_the_headers_of_a_later_request_are_limited_as_well(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEADER_SECONDS", 60)
    with connected(port) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        line.sendall(b"GET /")
        time.sleep(0.1)
        line.sendall(b"x" * 66_000)
        assert received(line).startswith(b"HTTP/1.1 431 ")


def test_a_body_is_no_part_of_the_headers_that_come_after_it(port: int) -> None:
    body = b'{"query": "a fox", "k": 1}' + b" " * 200_000
    with connected(port) as line:
        line.sendall(b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        line.sendall(body)
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        time.sleep(0.1)
        line.sendall(b"\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
