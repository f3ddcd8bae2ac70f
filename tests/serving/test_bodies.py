"""What is sent is counted while it comes, unpacked, and not waited for."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest

from serving.bodies import Bodies, _Unpacker
from serving.errors import RequestError
from tests.serving.called import body, call, scope


class Reads:
    """Reads a body to its end, and what comes after it."""

    def __init__(self) -> None:
        self.content = b""
        self.after: dict[str, Any] | None = None

    async def __call__(self, about: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.after = message
                return
            self.content += message.get("body", b"")
            more = message.get("more_body", False)
        self.after = await receive()


GONE = {"type": "http.disconnect"}


def read(
    *messages: dict[str, Any], limit: int = 10, method: str = "POST", **headers: str
) -> tuple[bytes, dict[str, Any] | None]:
    reads = Reads()
    app = Bodies(reads, {"/upload": 4 * limit}, limit=limit, seconds=10)
    given = {name.encode().replace(b"_", b"-"): value.encode() for name, value in headers.items()}
    call(app, scope(method=method, state={"headers": given}), *messages)
    return reads.content, reads.after


def test_a_body_comes_through_as_it_was_sent() -> None:
    pieces = [body(b"01234", more=True), {"type": "http.request", "more_body": True}]
    assert read(*pieces, body(b"56789"), GONE) == (b"0123456789", GONE)
    assert read(body(b""), GONE) == (b"", GONE)
    assert read(body(b"01234", more=True), GONE) == (b"01234", GONE)
    # What follows a body is no part of it, however long.
    assert read(body(b"0"), body(b"x" * 99)) == (b"0", body(b"x" * 99))
    # Of other methods nothing is counted.
    assert read(body(b"x" * 99), GONE, method="GET")[0] == b"x" * 99


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_one_byte_too_many_is_refused(method: str) -> None:
    for messages, headers in [
        ([body(b"x" * 11)], {}),
        ([body(b"x" * 10, more=True), body(b"x")], {}),
        ([], {"content_length": "11"}),
    ]:
        with pytest.raises(RequestError) as refused:
            read(*messages, method=method, **headers)
        assert refused.value.status == 413
    assert read(body(b"x" * 10), GONE, content_length="10")[0] == b"x" * 10
    # Said in a way that is none, it counts as it comes.
    assert read(body(b"x"), GONE, content_length="-5")[0] == b"x"


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", " GZIP"])
def test_a_packed_body_is_unpacked_and_counted_unpacked(encoding: str) -> None:
    def unpacked(content: bytes, **options: Any) -> bytes:
        packed = gzip.compress(content)
        pieces = [body(packed[n : n + 1], more=n + 1 < len(packed)) for n in range(len(packed))]
        return read(*pieces, GONE, content_encoding=encoding, **options)[0]

    assert unpacked(b"x" * 50, limit=50) == b"x" * 50
    assert unpacked(b"", limit=50) == b""
    with pytest.raises(RequestError) as refused:
        unpacked(b"x" * 51, limit=50)
    assert refused.value.status == 413
    assert refused.value.message == "the body is longer than 0 KB"


def test_no_more_is_unpacked_than_may_be() -> None:
    packed = gzip.compress(bytes(1 << 20))
    assert len(_Unpacker()(packed, 100, True)) == 100
    # Of nothing that may be, something has to be seen all the same.
    assert len(_Unpacker()(packed, 0, True)) == 1


@pytest.mark.parametrize(
    ("encoding", "content", "status", "message"),
    [
        ("br", b"x", 415, "Content-Encoding: gzip and deflate are read"),
        ("gzip", b"nonsense", 400, "the body cannot be unpacked: Error -3 "),
        (
            "gzip",
            gzip.compress(b"x", mtime=0)[:-1],
            400,
            "the body cannot be unpacked: its end is missing",
        ),
    ],
)
def test_what_cannot_be_unpacked_is_told(
    encoding: str, content: bytes, status: int, message: str
) -> None:
    with pytest.raises(RequestError) as refused:
        read(body(content), limit=99, content_encoding=encoding)
    assert refused.value.status == status
    assert refused.value.message.startswith(message)
    assert refused.value.headers == ({"Accept-Encoding": "gzip"} if status == 415 else {})


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    async def never() -> Any:
        await asyncio.get_running_loop().create_future()

    async def run() -> RequestError:
        app = Bodies(Reads(), {}, limit=10, seconds=0.01)
        with pytest.raises(RequestError) as refused:
            await app(scope(state={"headers": {}}), never, never)
        return refused.value

    error = asyncio.run(run())
    assert (error.status, error.message) == (408, "the request did not arrive in time")
    assert error.headers == {"Connection": "close"}


def test_who_hangs_up_in_the_middle_of_a_packed_body_has_sent_nothing_wrong() -> None:
    packed = gzip.compress(b"x" * 9)
    read_so_far = body(packed[:12], more=True)
    assert read(read_so_far, GONE, limit=50, content_encoding="gzip")[1] == GONE


def test_of_a_packed_body_what_is_left_of_the_limit_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most: list[int] = []
    unpack = _Unpacker.__call__

    def noting(self: _Unpacker, content: bytes, room: int, whole: bool) -> bytes:
        most.append(room)
        return unpack(self, content, room, whole)

    monkeypatch.setattr(_Unpacker, "__call__", noting)
    # Stored as they are, so that each piece unpacks to as many bytes.
    packed = gzip.compress(b"0123456789", compresslevel=0)
    pieces = [body(packed[:18], more=True), body(packed[18:22], more=True), body(packed[22:])]
    assert read(*pieces, GONE, limit=50, content_encoding="gzip")[0] == b"0123456789"
    assert most == [51, 48, 44]
