"""Images that somebody sends, in a form or within JSON."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

from serving.errors import RequestError


@dataclass(frozen=True, slots=True)
class Upload:
    """An image that was sent.

    ``read`` gives its bytes, once it is its turn: those that wait for theirs together might not
    fit into memory.  ``field`` is where it stood in the request, for what is said of it.
    """

    read: Callable[[], bytes]
    field: str = "image"


def within_json(image: str, field: str, limit: int) -> Upload:
    """An image that was sent as base64.

    Args:
        image: a :data:`serving.wire.fields.SentImage`.
        field: where it stood.
        limit: the most bytes that it may have.

    Raises:
        RequestError: 413, it has more.  What is no base64 is refused when it is read.
    """
    if len(image) // 4 * 3 > limit:
        raise RequestError(413, f"{field}: the image is longer than {limit >> 10} KB", field)

    def read() -> bytes:
        try:
            return base64.b64decode(image)
        except ValueError as error:
            raise RequestError(400, f"{field}: it is no base64: {error}", field) from None

    return Upload(read, field)
