"""What a query says, whatever dress it comes in.

A model reads every mark that it is given: asked for ``"a dog"``, in quotes, the embedded one finds
an elephant.  Quotation marks and the marks at the end of a sentence say how something is said, and
nothing of how an image looks; so they are taken off before a query is encoded.  (Case is the
tokenizer's affair: CLIP's makes all letters small.)
"""

from __future__ import annotations

import re

_DOUBLE = '"«»\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\
\N{DOUBLE LOW-9 QUOTATION MARK}\N{DOUBLE HIGH-REVERSED-9 QUOTATION MARK}「」『』'
_SINGLE = "'`´‹›\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\
\N{SINGLE LOW-9 QUOTATION MARK}"
# Wherever they are; single ones only where they stand at the edge of a word: "Cupid's".
_QUOTES = re.compile(rf"[{_DOUBLE}]+|(?<!\w)[{_SINGLE}]+|[{_SINGLE}]+(?!\w)")
_QUOTED = re.compile(rf"\s*[{_DOUBLE}]+[^{_DOUBLE}]*[{_DOUBLE}]+[^\w{_DOUBLE}]*")
_AROUND = ".,;:!?…¿¡。、！？，；： \t\r\n"


def undressed(query: str) -> str:
    """The query without quotation marks, and without stops at either end.

    What has nothing else in it stays as it is.
    """
    if query.isascii() and query.replace(" ", "").isalnum():
        return query
    bare = " ".join(_QUOTES.sub(" ", query).split()).strip(_AROUND)
    return bare or query


def is_quoted(query: str) -> bool:
    """Whether a query is in quotation marks from end to end."""
    return _QUOTED.fullmatch(query) is not None
