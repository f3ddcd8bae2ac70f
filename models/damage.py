"""What is said of a file that is missing, altered or cannot be read."""

from __future__ import annotations

import errno
from pathlib import Path


class DamagedError(Exception):
    """A package or a bundle is missing, incomplete, altered or of another format.

    The message names the file and says what to do.
    """


def cannot_be_read(path: Path, error: OSError) -> DamagedError:
    """What to say of a file that the system does not give."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DamagedError(
            f"{path} does not exist: {path.parent} is no bundle or package, or it was not "
            "written to the end. Build it again."
        )
    if error.errno == errno.ELOOP:
        return DamagedError(f"{path} is a link: a bundle holds its own files. Copy them there.")
    if isinstance(error, PermissionError):
        return DamagedError(
            f"{path} cannot be read ({error.strerror}): give the process's user the right to."
        )
    return DamagedError(f"{path} cannot be read ({error.strerror}). Build it again.")
