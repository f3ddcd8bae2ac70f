"""What a build has learnt of each image, kept beside the bundle.

A build of ``bundles/photos`` has its journal in ``bundles/.photos.journal.sqlite``.  It is
what lets a stopped build go on and a repeated one embed only what changed; without it the
next build starts from nothing.  While a build runs it holds the journal's lock, so that no
second one writes to the same bundle.

An image is known again by size and times, where these can be trusted, else by the SHA-256
of its content, under whatever path.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from build.errors import BuildError
from build.journal_file import open_journal
from build.journal_record import COLUMNS, Record, record_of
from build.scan import ImageFile

# No file has such a time: a state that has to be looked at again.
_UNTRUSTED = -1
# File systems count time in steps of up to two seconds, and within a step a file can change
# without showing it.
_STEP_NS = 2_000_000_000


class Journal:
    """Opens the journal, or begins one, and locks it until it is closed.

    Args:
        path: the file.
        encoder: what vectors depend on besides the image; those of others are not used.
        root: the tree that paths belong to.

    Raises:
        BuildError: another build has it, or it cannot be written.
    """

    def __init__(self, path: Path, encoder: str, root: Path | None) -> None:
        self.path = path
        self._encoder = encoder
        # Embedding threads look contents up while the main thread writes.
        self._lock = threading.Lock()
        try:
            self._connection = open_journal(path)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise BuildError(
                    f"another build is writing to this output: it has locked {path}. "
                    "Wait for it, or stop it and start again."
                ) from None
            raise BuildError(f"{path} cannot be written: {error}.") from None
        self._keep_to(str(root or ""))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # What was learnt before an error is no less true.
        with contextlib.suppress(sqlite3.Error):
            self.commit()
        self._connection.close()

    def knows(self, file: ImageFile, reading: int) -> bool:
        """Whether there is a record of the file in just this state, and of what it says."""
        query = (
            "SELECT 1 FROM pictures WHERE path = ? AND encoder = ? "
            "AND size = ? AND mtime_ns = ? AND ctime_ns = ? AND (reason IS NOT NULL OR EXISTS "
            "(SELECT 1 FROM said WHERE said.sha256 = pictures.sha256 AND reading = ?))"
        )
        state = (file.path, self._encoder, file.size, file.mtime_ns, file.ctime_ns, reading)
        return self._fetch(query, state) is not None

    def with_content(self, sha256: bytes) -> Record | None:
        """A record of an image with this content; safe from any thread."""
        query = (
            f"SELECT {COLUMNS}, thumbnail FROM pictures WHERE sha256 = ? AND encoder = ? LIMIT 1"
        )
        row = self._fetch(query, (sha256, self._encoder))
        return None if row is None else record_of(row)

    def get(self, path: str) -> Record:
        """The record of the image at a path, but for its thumbnail.

        Raises:
            KeyError: there is none.
        """
        query = f"SELECT {COLUMNS} FROM pictures WHERE path = ?"
        row = self._fetch(query, (path,))
        if row is None:
            raise KeyError(path)
        return record_of((*row, None))

    def outcomes(self, paths: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Path, SHA-256 of the content, width, height, and, of one skipped, reason and detail.

        Args:
            paths: of images that there are records of, ascending.
        """
        query = "SELECT path, sha256, width, height, reason, detail FROM pictures ORDER BY path"
        wanted = iter(paths)
        next_one = next(wanted, None)
        # Both in the order of their code points: Python's, and SQLite's of UTF-8.
        for row in self._connection.execute(query):
            if row[0] == next_one:
                yield row
                next_one = next(wanted, None)

    def thumbnail(self, path: str) -> bytes | None:
        """The thumbnail of the image at a path, None where there is none."""
        row = self._fetch("SELECT thumbnail FROM pictures WHERE path = ?", (path,))
        return None if row is None else row[0]

    def put(self, file: ImageFile, record: Record, scanned_ns: int) -> None:
        """Write down what became of a file that a scan at ``scanned_ns`` found in this state."""
        trusted = record.sha256 is not None and _is_settled(file, scanned_ns)
        row = (
            file.path,
            self._encoder,
            file.size,
            file.mtime_ns if trusted else _UNTRUSTED,
            file.ctime_ns,
            record.sha256,
            record.width,
            record.height,
            None if record.vector is None else record.vector.astype("<f4").tobytes(),
            record.reason,
            record.detail,
            record.thumbnail,
        )
        marks = ", ".join("?" * len(row))
        with self._lock:
            self._connection.execute(f"INSERT OR REPLACE INTO pictures VALUES ({marks})", row)

    def said(self, sha256: bytes, reading: int) -> dict[str, Any] | None:
        """What an image's file says, as :meth:`put_said` took it; safe from any thread.

        Args:
            sha256: of the image's content.
            reading: what of it is read, and how; what others have read is not used.
        """
        query = "SELECT fields FROM said WHERE sha256 = ? AND reading = ?"
        row = self._fetch(query, (sha256, reading))
        return None if row is None else json.loads(row[0])

    def said_by(self, path: str, reading: int) -> dict[str, Any]:
        """What the file of the image at a path says; nothing where it was not read."""
        query = (
            "SELECT fields FROM said JOIN pictures USING (sha256) WHERE path = ? AND reading = ?"
        )
        row = self._fetch(query, (path, reading))
        return {} if row is None else json.loads(row[0])

    def put_said(self, sha256: bytes, reading: int, fields: dict[str, Any]) -> None:
        """Write down what an image's file says."""
        row = (sha256, reading, json.dumps(fields, ensure_ascii=False))
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO said VALUES (?, ?, ?)", row)

    def look(self, path: str) -> bytes | None:
        """The look of the image at a path, None where it was not taken yet."""
        query = "SELECT look FROM looks JOIN pictures USING (sha256) WHERE path = ?"
        row = self._fetch(query, (path,))
        return None if row is None else row[0]

    def put_look(self, sha256: bytes, look: bytes) -> None:
        """Write down how an image looks from afar (:mod:`models.looks`)."""
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO looks VALUES (?, ?)", (sha256, look))

    def archive(self, file: ImageFile) -> tuple[str, bytes] | None:
        """What :meth:`put_archive` took of a tar in just this state."""
        query = (
            "SELECT members, words FROM archives "
            "WHERE path = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ?"
        )
        row = self._fetch(query, (file.path, file.size, file.mtime_ns, file.ctime_ns))
        return None if row is None else (row[0], row[1])

    def put_archive(self, file: ImageFile, members: str, words: bytes, scanned_ns: int) -> None:
        """Write down what lies where in a tar that a scan found in this state.

        Args:
            file: the tar.
            members: what it holds.
            words: a checksum of what it has beside images.
            scanned_ns: when the scan began.
        """
        mtime_ns = file.mtime_ns if _is_settled(file, scanned_ns) else _UNTRUSTED
        row = (file.path, file.size, mtime_ns, file.ctime_ns, members, words)
        with self._lock:
            self._connection.execute(
                "INSERT OR REPLACE INTO archives VALUES (?, ?, ?, ?, ?, ?)", row
            )

    def caption(self, path: str, captioner: str) -> str | None:
        """What :meth:`put_caption` took of the image at a path, None where there is nothing."""
        query = (
            "SELECT text FROM captions JOIN pictures USING (sha256) "
            "WHERE path = ? AND captioner = ?"
        )
        row = self._fetch(query, (path, captioner))
        return None if row is None else row[0]

    def captions(self, captioner: str) -> dict[bytes, str]:
        """What a captioner, or a reader of texts, has said so far, by the content's SHA-256."""
        query = "SELECT sha256, text FROM captions WHERE captioner = ?"
        with self._lock:
            return dict(self._connection.execute(query, (captioner,)))

    def put_caption(self, sha256: bytes, captioner: str, text: str) -> None:
        """Write down what a captioner says of an image, or what else is made of it as a text."""
        row = (sha256, captioner, text)
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO captions VALUES (?, ?, ?)", row)

    def made(self) -> tuple[str, str, bytes] | None:
        """What :meth:`put_made` took last."""
        row = self._fetch("SELECT bundle, paths, checksums FROM made", ())
        return None if row is None else (row[0], row[1], row[2])

    def put_made(self, bundle: str, paths: str, checksums: bytes) -> None:
        """Write down what a bundle is made of (:mod:`build.source_checksums`)."""
        with self._lock:
            self._connection.execute("DELETE FROM made")
            self._connection.execute(
                "INSERT INTO made VALUES (?, ?, ?)", (bundle, paths, checksums)
            )

    def commit(self) -> None:
        """Make what was put last through the end of this process."""
        with self._lock:
            self._connection.commit()

    def others(self, paths: Iterable[str]) -> int:
        """How many images there are records of besides these."""
        listed = set(paths)
        with self._lock:
            rows = self._connection.execute("SELECT path FROM pictures")
            return sum(path not in listed for (path,) in rows)

    def keep_only(self, paths: Iterable[str]) -> None:
        """Forget all images but these, what was said of others, and other encoders' vectors."""
        with self._lock:
            self._connection.execute("CREATE TEMP TABLE listed (path TEXT PRIMARY KEY)")
            rows = ((path,) for path in paths)
            self._connection.executemany("INSERT INTO listed VALUES (?)", rows)
            self._connection.execute(
                "DELETE FROM pictures WHERE encoder != ? OR path NOT IN (SELECT path FROM listed)",
                (self._encoder,),
            )
            for table in ("captions", "said", "looks"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE NOT EXISTS "
                    f"(SELECT 1 FROM pictures WHERE pictures.sha256 = {table}.sha256)"
                )
            # "0" is what comes after "/".
            self._connection.execute(
                "DELETE FROM archives WHERE NOT EXISTS (SELECT 1 FROM pictures WHERE "
                "pictures.path > archives.path || '/' AND pictures.path < archives.path || '0')"
            )
            self._connection.execute("DROP TABLE listed")
            self._connection.commit()

    def _fetch(self, query: str, values: Sequence[object]) -> tuple[Any, ...] | None:
        with self._lock:
            row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
        return row

    def _keep_to(self, root: str) -> None:
        """Trust no size and time that was seen in another tree."""
        if self._connection.execute("SELECT path FROM root").fetchall() != [(root,)]:
            for table in ("pictures", "archives"):
                self._connection.execute(f"UPDATE {table} SET mtime_ns = ?", (_UNTRUSTED,))
            self._connection.execute("DELETE FROM root")
            self._connection.execute("INSERT INTO root VALUES (?)", (root,))
            self._connection.commit()


def _is_settled(file: ImageFile, scanned_ns: int) -> bool:
    """Whether a file's times are old enough to show any change since a scan."""
    return max(file.mtime_ns, file.ctime_ns) < scanned_ns - _STEP_NS
