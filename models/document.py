"""Documents that a package and a bundle say something of themselves in: JSON with a checksum."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from models.damage import DamagedError, cannot_be_read

_NO_CHECKSUM = "0" * 64
_OWN_CHECKSUM = re.compile(rb'"seal": "([0-9a-f]{64})"\n}\n\Z')


class Document(BaseModel):
    """A frozen JSON document in a folder, whose unknown fields are refused.

    On disk its last field, ``seal``, is the SHA-256 of the file's own bytes with
    the checksum's digits set to zero: a document cannot list its own hash otherwise,
    and one altered byte of it has to show like that of any other file.

    A field with an alias has that name on disk, as bundles have it that were built before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True)
    filename: ClassVar[str]
    # What to do about a document of another release.
    made_anew_by: ClassVar[str]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the document from ``folder``.

        Raises:
            DamagedError: the file is not there, is no JSON, or lacks a field.
        """
        path = folder / cls.filename
        try:
            written = path.read_bytes()
        except OSError as error:
            raise cannot_be_read(path, error) from None
        return cls.parse(written, path)

    @classmethod
    def parse(cls, written: bytes, path: Path) -> Self:
        """The document that a file holds; ``path`` is only named in messages.

        Raises:
            DamagedError: it is no JSON, altered, of another format, or lacks a field.
        """
        body, found, checksum = _split_checksum(written)
        if found and hashlib.sha256(body).hexdigest() != checksum:
            raise DamagedError(
                f"{path} is damaged: it does not match its own checksum. Build it again."
            )
        try:
            document = json.loads(body)
            if not found or not isinstance(document, dict):
                raise DamagedError(
                    f"{path} has no checksum of its own: it was altered. Build it again."
                )
            del document["seal"]
            expected = cls.model_fields["format"].default
            if document.get("format") != expected:
                raise DamagedError(
                    f"{path} is of the format {document.get('format')!r}, and this release reads "
                    f"{expected!r}. Build it again."
                )
            return cls.model_validate(document, by_alias=True, by_name=False)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise DamagedError(f"{path} is no JSON: {error}. Build it again.") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the document"
            if first["type"] == "missing":
                raise DamagedError(
                    f"{path} has no {where}: another release of Sightline wrote it. "
                    f"{cls.made_anew_by}"
                ) from None
            raise DamagedError(
                f"{path} is damaged: {where}: {first['msg']}. Build it again."
            ) from None

    def write(self, folder: Path) -> None:
        """Write the document into ``folder`` as indented JSON, with its own checksum."""
        fields = self.model_dump(mode="json", by_alias=True) | {"seal": _NO_CHECKSUM}
        body = (json.dumps(fields, indent=2, ensure_ascii=False) + "\n").encode()
        checksum = hashlib.sha256(body).hexdigest()
        head, _, tail = body.rpartition(_NO_CHECKSUM.encode())
        (folder / self.filename).write_bytes(head + checksum.encode() + tail)


def _split_checksum(written: bytes) -> tuple[bytes, bool, str]:
    """The bytes with zeros for their checksum, whether they have one, and the checksum."""
    match = _OWN_CHECKSUM.search(written)
    if match is None:
        return written, False, _NO_CHECKSUM
    body = written[: match.start(1)] + _NO_CHECKSUM.encode() + written[match.end(1) :]
    return body, True, match[1].decode()
