"""Texts that wait are cut into parts."""

from __future__ import annotations

from serving.search_queue import _cut


def test_a_text_too_many_begins_another_part() -> None:
    one, two, three = [1], [1, 2], [1, 2, 3]
    assert _cut([one, two, three, one], 3) == [[one, two], [three], [one]]
    assert _cut([three, three], 6) == [[three, three]]
    assert _cut([three, three], 5) == [[three], [three]]
    # One that is too long by itself is a part by itself.
    assert _cut([three, one, one], 2) == [[three], [one, one]]
    assert _cut([one], 0) == [[one]]
