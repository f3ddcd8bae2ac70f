"""What the fields of the metadata are called, for people to read."""

from __future__ import annotations

import re

from ui.texts import Texts

# As tables and standards write names; others mean what they say.
_PLAIN = re.compile(r"[a-z][a-z0-9]+(_[a-z0-9]+)*")


def field_name(name: str, texts: Texts) -> str:
    """A field's name in words: that of the page's language, or its own without underscores.

    >>> from ui.english import ENGLISH
    >>> field_name("taken_at", ENGLISH), field_name("photo_credit", ENGLISH)
    ('Taken', 'Photo credit')
    """
    if name in texts.fields:
        return texts.fields[name]
    return name.replace("_", " ").capitalize() if _PLAIN.fullmatch(name) else name
