"""Pictures inside of JSON: base64 (RFC 4648), or a ``data:`` URL (RFC 2397) of it."""

from __future__ import annotations

import base64

_BASE64 = ";base64,"


def size_of(text: str) -> int:
    """How many bytes a text stands for, or a few more: known before it is decoded."""
    return len(text) * 3 // 4


def picture_bytes(text: str) -> bytes:
    """The bytes that a text stands for; it may be broken into lines.

    Raises:
        ValueError: it stands for none; says why.
    """
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma or not (head + comma).lower().endswith(_BASE64):
            raise ValueError("a data: URL has to be one of base64, 'data:image/png;base64,…'")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise ValueError(f"is no base64: {error}") from None
