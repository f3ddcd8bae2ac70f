"""A service that misbehaves on demand; what behaves is the real one."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from typing import Any, Self


class _Server(http.server.ThreadingHTTPServer):
    # Python's own lets five connections wait: of more that come at once, some are refused.
    request_queue_size = 128


class FakeService:
    """Answers ``POST /search`` with whatever was last set, ``/transcribe`` with ``heard``.

    Example::

        with FakeService() as fake:
            fake.answer(429, {"error": {"field": None, "message": "…"}}, {"Retry-After": "2"})
    """

    def __init__(self) -> None:
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                facts = {"images": 3, "model": {"name": "a model"}, "speech": True}
                # As an older service, it has no facets.
                known = self.path == "/info" or self.path.startswith("/images/")
                missing = {"error": {"field": None, "message": "no such path"}}
                self._send(*((200, facts) if known else (404, missing)), {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/transcribe":
                    self._send(*fake.heard, {})
                    return
                # The load test sends what is no JSON as well.
                with contextlib.suppress(ValueError):
                    fake.asked.append(json.loads(body))
                time.sleep(fake.delay)
                self._send(fake.status, fake.body, fake.headers)

            def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.asked: list[dict[str, Any]] = []
        self.heard: tuple[int, Any] = (200, {"text": ""})
        self.delay = 0.0
        self.answer(200, {"results": []})
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """What searches get from now on."""
        self.status, self.body, self.headers = status, body, headers or {}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def result(number: int, similarity: float, **fields: Any) -> dict[str, Any]:
    """One result as the service writes it."""
    return {
        "id": f"{number:016x}",
        "image_path": f"images/{number}.png",
        "similarity": similarity,
        "alt_text": f"Probably: picture number {number}",
        "image_url": f"/images/{number:016x}?size=thumbnail&v=1",
        "caption": None,
        "metadata": {},
    } | fields
