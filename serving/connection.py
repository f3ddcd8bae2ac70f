"""A connection that neither a slow nor a wordy caller keeps busy.

uvicorn waits for ever for the rest of a request's headers, takes any number of them, keeps an
answer for as long as nobody reads it, and goes on taking a body that has been refused.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Within which the headers of a request have to be there, from its first byte or, for the first
# request, from the connection's beginning.
HEADER_SECONDS = 15.0
# Of an answer that does not fit into the system's buffers so many bytes have to be read in so long.
READ_SECONDS = 15.0
_LEAST_READ = 16 << 10
# What a request's line and headers may have together before the application, which refuses
# in words what is half as long, is not even asked.
_LONGEST_HEADERS = 64 << 10
# Many clients look for an answer only when they have sent everything.  Who has been answered and
# sends on is therefore listened to for a while: so many bytes, or seconds.
_MOST_UNWANTED = 16 << 20
UNWANTED_SECONDS = 30.0
_TOO_LONG = "the headers are too long"
_NO_HTTP = "this is no HTTP request, or its address is too long"


class Connection(HttpToolsProtocol):
    """uvicorn's, with limits."""

    _timer: asyncio.TimerHandle | None = None
    _reading_headers = True
    _header_bytes = 0
    _read_timer: asyncio.TimerHandle | None = None
    _unread = 0
    _unwanted = 0
    _unwanted_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_timer()
        self._stop_read_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless headers that do not end have got too long."""
        if self._reading_headers:
            self._header_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._reading_headers and self._header_bytes > _LONGEST_HEADERS:
            self._refuse("431 Request Header Fields Too Large", _TOO_LONG)

    def send_400_response(self, msg: str) -> None:
        """Say in the shape of all errors that the parser gave up; it is not told why."""
        self._refuse("400 Bad Request", _NO_HTTP)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._reading_headers = True
        self._unwanted = 0
        if self._timer is None:
            self._await_headers()

    def on_headers_complete(self) -> None:
        """Its headers are there."""
        self._reading_headers = False
        self._header_bytes = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of its body is there."""
        super().on_body(body)
        if not self.cycle.response_complete:
            return
        now = self.loop.time()
        if not self._unwanted:
            self._unwanted_since = now
        self._unwanted += len(body)
        if self._unwanted > _MOST_UNWANTED or now - self._unwanted_since > UNWANTED_SECONDS:
            self.transport.abort()

    def pause_writing(self) -> None:
        """More of an answer is to be sent than the caller reads."""
        super().pause_writing()
        self._stop_read_timer()
        self._await_reading()

    def resume_writing(self) -> None:
        """It has been read."""
        self._stop_read_timer()
        super().resume_writing()

    def _refuse(self, status: str, message: str) -> None:
        body = f'{{"error":{{"field":null,"message":"{message}"}}}}'
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write((head + body).encode())
        self.transport.close()

    def _await_reading(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._read_timer = self.loop.call_later(READ_SECONDS, self._look_whether_it_reads)

    def _look_whether_it_reads(self) -> None:
        if self._unread - self.transport.get_write_buffer_size() < _LEAST_READ:
            # A polite end would wait until everything is read.
            self.transport.abort()
        else:
            self._await_reading()

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _await_headers(self) -> None:
        self._timer = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
