"""What is said of a file that cannot be read."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from models.damage import cannot_be_read


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            FileNotFoundError(errno.ENOENT, "No such file"),
            "/b/x does not exist: /b is no bundle or package, or it was not written to the end. "
            "Build it again.",
        ),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory"),
            "/b/x does not exist: /b is no bundle or package, or it was not written to the end. "
            "Build it again.",
        ),
        (
            OSError(errno.ELOOP, "Too many links"),
            "/b/x is a link: a bundle holds its own files. Copy them there.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied"),
            "/b/x cannot be read (Permission denied): give the process's user the right to.",
        ),
        (
            OSError(errno.EIO, "Input/output error"),
            "/b/x cannot be read (Input/output error). Build it again.",
        ),
    ],
)
def test_what_the_system_does_not_give_is_told_in_words(error: OSError, said: str) -> None:
    assert str(cannot_be_read(Path("/b/x"), error)) == said
