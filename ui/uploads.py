"""The image that the reader brings, and the place where it is put."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

import streamlit as st

# What the service takes: models/images.py.
IMAGE_KINDS = [
    "jpg",
    "jpeg",
    "jfif",
    "png",
    "webp",
    "gif",
    "bmp",
    "tif",
    "tiff",
    "avif",
    "heic",
    "heif",
]
_SHOWN_KINDS = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
_SHOWN_BYTES = 512 << 10


@dataclass(frozen=True)
class Upload:
    """An image that the reader brought."""

    name: str
    content: bytes
    kind: str

    @property
    def digest(self) -> str:
        """Tells two images apart."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def address(self) -> str:
        """The image within an address, where it is small and every browser shows it."""
        if self.kind not in _SHOWN_KINDS or len(self.content) > _SHOWN_BYTES:
            return ""
        return f"data:{self.kind};base64,{base64.b64encode(self.content).decode()}"


def brought() -> Upload | None:
    """What lies there now."""
    file = st.session_state.get(upload_key())
    return Upload(file.name, file.getvalue(), file.type) if file else None


def upload_key() -> str:
    """The place's name in the session."""
    return f"upload_{st.session_state.upload_number}"


def drop_upload() -> None:
    """A file can be taken out of its field only by making the field anew."""
    if brought():
        st.session_state.upload_number += 1
