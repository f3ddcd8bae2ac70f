"""The file of a journal: its tables, and how it is opened.

One that is damaged or of another format is begun anew: it costs time and nothing else.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

_FORMAT = 1
_SCHEMA = """
CREATE TABLE pictures (
    path TEXT PRIMARY KEY,
    encoder TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    sha256 BLOB,
    width INTEGER,
    height INTEGER,
    vector BLOB,
    reason TEXT,
    detail TEXT,
    thumbnail BLOB
);
CREATE INDEX by_content ON pictures (sha256);
CREATE TABLE root (path TEXT NOT NULL);
"""
# Came later, and is of no use to a build without a captioner or a reader of texts: no reason to
# begin anew.
_CAPTIONS = """
CREATE TABLE IF NOT EXISTS captions (
    sha256 BLOB, captioner TEXT, text TEXT NOT NULL, PRIMARY KEY (sha256, captioner)
)
"""
# Came later, too.
_SAID = """
CREATE TABLE IF NOT EXISTS said (sha256 BLOB PRIMARY KEY, reading INTEGER, fields TEXT NOT NULL)
"""
# What was embedded before these came gets its look from its thumbnail.
_LOOKS = """
CREATE TABLE IF NOT EXISTS looks (sha256 BLOB PRIMARY KEY, look BLOB NOT NULL)
"""
# And so did this: where the files of a tar lie.
_ARCHIVES = """
CREATE TABLE IF NOT EXISTS archives (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    members TEXT NOT NULL,
    words BLOB NOT NULL
)
"""
# What the bundle was made of, one row at most.
_MADE = """
CREATE TABLE IF NOT EXISTS made (bundle TEXT NOT NULL, paths TEXT NOT NULL, checksums BLOB NOT NULL)
"""


def open_journal(path: Path) -> sqlite3.Connection:
    """The tables of a journal, locked until the connection is closed.

    Raises:
        sqlite3.OperationalError: another process has it, or it cannot be written.
    """
    try:
        return _open_whole(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        print(f"warning: {path} is damaged ({error}): starting anew", file=sys.stderr)
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _open_whole(path)


def _open_whole(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, check_same_thread=False)
    try:
        # Held from the first access until the connection or the process ends.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN EXCLUSIVE")
        if connection.execute("PRAGMA user_version").fetchone() != (_FORMAT,):
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (name,) in tables.fetchall():
                connection.execute(f'DROP TABLE "{name}"')
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
        connection.execute(_CAPTIONS)
        connection.execute(_SAID)
        connection.execute(_LOOKS)
        connection.execute(_ARCHIVES)
        connection.execute(_MADE)
        connection.commit()
    except BaseException:
        connection.close()
        raise
    return connection
