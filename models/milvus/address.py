"""Where a collection is: ``milvus+http://HOST:19530/NAME``, or a file of Milvus Lite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_SCHEMES = {"milvus+http": "http", "milvus+https": "https", "milvus+file": "file"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
# A file holds one collection.
_IN_A_FILE = "sightline"
_FORMS = "milvus+http://HOST:19530/NAME, milvus+https://… or milvus+file:///PATH.db"


@dataclass(frozen=True)
class Address:
    """A collection of a server, or of a file.

    ``uri`` is what pymilvus takes; ``database`` is empty for the server's default.
    """

    uri: str
    name: str
    database: str = ""

    @classmethod
    def parse(cls, given: str) -> Address:
        """Read an address.

        A server's may have two parts in its path, ``/DATABASE/NAME``.

        Raises:
            ValueError: it is none; the message says what one looks like, and repeats no password.
        """
        parts = urlsplit(given)
        scheme = _SCHEMES.get(parts.scheme)
        if scheme is None or parts.query or parts.fragment:
            raise ValueError(f"it is no address of a collection: {_FORMS}")
        if "@" in parts.netloc:
            raise ValueError(
                "it holds a password, which logs would show: SIGHTLINE_COLLECTION_TOKEN is for that"
            )
        path = unquote(parts.path)
        if scheme == "file":
            if parts.netloc or not path.endswith(".db"):
                raise ValueError(f"a file of Milvus Lite ends in .db: {_FORMS}")
            return cls(path, _IN_A_FILE)
        names = path.strip("/").split("/")
        if not parts.netloc or len(names) > 2 or not all(map(_NAME.fullmatch, names)):
            raise ValueError(f"it does not name a server and a collection: {_FORMS}")
        return cls(f"{scheme}://{parts.netloc}", names[-1], names[0] if len(names) == 2 else "")

    @property
    def is_file(self) -> bool:
        """Whether it is a file of Milvus Lite, which one process has to itself."""
        return "://" not in self.uri

    def __str__(self) -> str:
        where = f"{self.uri}/{self.database}" if self.database else self.uri
        return self.uri if self.is_file else f"{where}/{self.name}"
