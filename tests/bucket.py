"""A bucket in memory that speaks as much of S3 as obstore asks for."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_TIME = "Thu, 26 Nov 2026 12:00:00 GMT"


class Bucket:
    """What is in it, by ``bucket/key``, the requests so far, and the variables that lead to it."""

    def __init__(self, port: int) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: list[tuple[str, str]] = []
        self.forbidden = ""
        self.environment = {
            "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "eu-central-1",
        }

    def listed(self, bucket: str, prefix: str) -> str:
        """The answer to a listing of one folder."""
        names = [name.removeprefix(f"{bucket}/") for name in sorted(self.objects)]
        folders: dict[str, None] = {}
        contents = ""
        for name in names:
            if not name.startswith(prefix):
                continue
            first, deeper, _ = name.removeprefix(prefix).partition("/")
            if deeper:
                folders[f"{prefix}{first}/"] = None
                continue
            content = self.objects[f"{bucket}/{name}"]
            contents += (
                f"<Contents><Key>{escape(name)}</Key><Size>{len(content)}</Size>"
                f"<ETag>{_tag(content)}</ETag><LastModified>2026-11-26T12:00:00.000Z</LastModified>"
                "</Contents>"
            )
        for folder in folders:
            contents += f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def do_GET(self) -> None:
        key, query = self._asked()
        content = self.bucket.objects.get(key)
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if self.bucket.forbidden and self.bucket.forbidden in key:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif "list-type" in query:
            listed = self.bucket.listed(key.rstrip("/"), query.get("prefix", [""])[0])
            self._answer(200, listed.encode())
        elif content is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif part is None:
            self._answer(200, content, whole=content)
        else:
            first, last = int(part[1]), min(int(part[2] or len(content)), len(content) - 1)
            self._answer(
                206,
                content[first : last + 1],
                whole=content,
                content_range=f"bytes {first}-{last}/{len(content)}",
            )

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        key, _ = self._asked()
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.bucket.objects[key] = content
        self._answer(200, b"", whole=content)

    def do_POST(self) -> None:
        bucket, query = self._asked()
        assert "delete" in query
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        told = ""
        for key in re.findall(r"<Key>(.*?)</Key>", body):
            self.bucket.objects.pop(f"{bucket}/{key}", None)
            told += f"<Deleted><Key>{key}</Key></Deleted>"
        self._answer(200, f"<DeleteResult>{told}</DeleteResult>".encode())

    def log_message(self, format: str, *arguments: object) -> None: ...

    def _asked(self) -> tuple[str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        key = unquote(parts.path).lstrip("/")
        self.bucket.asked.append((self.command, key))
        return key, parse_qs(parts.query, keep_blank_values=True)

    def _answer(
        self, status: int, body: bytes, whole: bytes | None = None, content_range: str | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if content_range is not None:
            self.send_header("Content-Range", content_range)
        if whole is not None:
            self.send_header("ETag", _tag(whole))
            self.send_header("Last-Modified", _TIME)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def bucket() -> Iterator[Bucket]:
    """A bucket that is there until the end of the block."""
    handler: Any = type("Here", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        handler.bucket = Bucket(server.server_port)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield handler.bucket
        server.shutdown()
        thread.join()


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
