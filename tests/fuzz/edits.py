"""Bytes that were something once."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

# What lengths, counts and offsets are overflown with.
_EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80", b"\xff\xff\0\0")


def edited(corpus: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """One of a corpus: cut, altered, with extremes in it, or with parts of another."""

    @st.composite
    def edit(draw: st.DrawFn) -> bytes:
        content = bytearray(draw(st.sampled_from(corpus)))
        for kind in draw(st.lists(st.sampled_from("xecisp"), min_size=1, max_size=6)):
            # Most of what matters lies at the beginning.
            most = len(content) if draw(st.booleans()) else min(len(content), 64)
            at = draw(st.integers(0, most))
            if kind == "x":
                content[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            elif kind == "e":
                content[at : at + 4] = draw(st.sampled_from(_EXTREMES))
            elif kind == "c":
                del content[at:]
            elif kind == "i":
                content[at:at] = draw(st.binary(max_size=32))
            elif kind == "s":
                other = draw(st.sampled_from(corpus))
                content[at:] = other[draw(st.integers(0, len(other))) :]
            else:
                content[:0] = draw(st.sampled_from(corpus))
        return bytes(content)

    return edit()
