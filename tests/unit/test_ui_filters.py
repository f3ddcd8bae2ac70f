"""The bars beside a filter."""

from __future__ import annotations

import re

from ui.english import ENGLISH
from ui.filters import bars_html


def test_bars_say_how_many_images_lie_where() -> None:
    html = bars_html("year <i>", [("2019", 4), ("2020", 0), ("2021", 1)], ENGLISH)
    assert re.findall(r"height:(\d+)%", html) == ["100", "0", "25"]
    assert re.findall('title="(.*?)"', html) == [
        "2019: 4 pictures",
        "2020: 0 pictures",
        "2021: 1 picture",
    ]
    assert 'role="img"' in html
    assert "year &lt;i&gt;, from 2019 to 2021; most in 2019: 4 pictures" in html


def test_what_lies_outside_stands_back() -> None:
    bars = [("0 – 5", 1), ("5 – 10", 1), ("10 – 15", 1)]

    def outside(*ends: float | None) -> list[bool]:
        html = bars_html("f", bars, ENGLISH, *ends)
        return [" class=out" in one for one in re.findall("<span.*?></span>", html)]

    assert outside(None, None) == [False, False, False]
    assert outside(5, 7) == [True, False, True]
    # Where a bar is chosen in part, it is chosen.
    assert outside(7, None) == [True, False, False]


def test_where_there_is_nothing_there_are_no_heights() -> None:
    assert re.findall(r"height:(\d+)%", bars_html("f", [("1", 0), ("2", 0)], ENGLISH)) == ["0", "0"]
