"""Requests that two programs would read differently, and headers that are more than one."""

from __future__ import annotations

import contextlib
import socket

import pytest

from serving.app import App
from tests.serving.conftest import ask

BODY = b'{"query": "a fox", "k": 1}'
HIDDEN = b"GET /info HTTP/1.1\r\nHost: x\r\n\r\n"


def answers(line: socket.socket, request: bytes) -> list[bytes]:
    """The status lines that come back until the other side hangs up, or says nothing more."""
    line.settimeout(1.5)
    received = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        line.sendall(request)
        while chunk := line.recv(65536):
            received += chunk
    return [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(BODY),
        b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n" % len(BODY),
        b"Content-Length: %d\r\nContent-Length: %d\r\n" % (len(BODY), len(BODY) + len(HIDDEN)),
        b"Content-Length: +%d\r\n" % len(BODY),
        b"Content-Length: %d, %d\r\n" % (len(BODY), len(BODY)),
        b"Content-Length : %d\r\n" % len(BODY),
        b"Content-Length: -1\r\n",
        b"Content-Length: 0x1a\r\n",
        b"Transfer-Encoding: xchunked\r\nContent-Length: %d\r\n" % len(BODY),
        b"Transfer-Encoding: chunked, identity\r\nContent-Length: %d\r\n" % len(BODY),
    ],
)
def test_a_length_that_can_be_read_in_two_ways_is_refused(
    line: socket.socket, framing: bytes
) -> None:
    head = b"POST /search HTTP/1.1\r\nHost: x\r\n" + framing + b"\r\n"
    # At most one request is seen, and that is told to be wrong.
    found = answers(line, head + BODY + HIDDEN)
    assert found in ([b"400"], [])


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /livez HTTP/1.1\nHost: x\nX-A: a\r\rGET /info HTTP/1.1\n\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: a\rX-B: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX\0A: a\r\n\r\n",
        b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /li\0vez HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_request_gets_no_answer_but_400(line: socket.socket, request_: bytes) -> None:
    assert answers(line, request_ + HIDDEN) in ([b"400"], [b"404"], [])


@pytest.mark.parametrize("name", [b"X-Request-ID", b"traceparent", b"Origin"])
@pytest.mark.parametrize("end", [b"\x0b", b"\x0c", b"\x85", b"\xc4\x8a", b"%0d%0a", b"\r", b"\n"])
def test_a_header_that_is_sent_back_stays_one(line: socket.socket, name: bytes, end: bytes) -> None:
    line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + name + b": a" + end + b"X-Own: 1\r\n\r\n")
    answer = line.recv(65536).lower()
    assert answer.startswith((b"http/1.1 200", b"http/1.1 400"))
    assert b"\nx-own" not in answer


def test_keys_cannot_be_tried_by_their_beginnings(make_with_key: App) -> None:
    for key in ("", "k", "right", "right-key-", "RIGHT-KEY", "right-key\0", "*"):
        response = ask(make_with_key, "GET", "/info", headers={"Authorization": f"Bearer {key}"})
        assert response.status_code == 401
    for scheme in ("Basic right-key", "right-key", "Bearer", "Bearerright-key"):
        response = ask(make_with_key, "GET", "/info", headers={"Authorization": scheme})
        assert response.status_code == 401
    response = ask(make_with_key, "GET", "/info?key=right-key")
    assert response.status_code == 401
    for path in (
        "/LIVEZ/../info",
        "//info",
        "/livez/../info",
        "/livez%2f..%2finfo",
        "/info;/livez",
    ):
        assert ask(make_with_key, "GET", path).status_code in (401, 404)
