"""The page of an evaluation."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from build.evaluation_sheet import ROWS, Cell, Row, draw_sheet, evenly_spread


class Document(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.begun: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.begun.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.begun if name == tag]


def test_every_script_and_every_sign_stands_there_as_it_is() -> None:
    said = 'Château <b>"東京" & Пізанська ثعلب</b>'
    cells = [Cell(f"{said}.png", said, "score 0.5", hit, b"RIFF") for hit in (True, False)]
    page = Document(draw_sheet("A <title>", [Row(said, "name, found at 1", cells)]))
    assert page.open == []
    assert "A <title>" in page.text
    assert page.text.count(said) == 3
    assert page.text.count("score 0.5") == 2
    assert page.all("b") == []
    assert [image["alt"] for image in page.all("img")] == [said, said]
    assert page.all("img")[0]["src"] == "data:image/webp;base64,UklGRg=="


def test_what_was_sought_is_told_by_more_than_a_colour() -> None:
    cells = [Cell("a.png", "A", "", hit, None) for hit in (False, True)]
    page = Document(draw_sheet("", [Row("a", "", cells), Row("b", "", [])]))
    assert [figure.get("class") for figure in page.all("figure")] == [None, "hit"]
    assert page.text.count("sought") == 1
    assert "Nothing is found." in page.text


def test_an_image_that_is_not_there_is_told() -> None:
    page = Document(draw_sheet("", [Row("a", "", [Cell("a.png", 'A "fox"', "", False, None)])]))
    assert page.all("img") == []
    assert {"class": "none", "role": "img", "aria-label": 'A "fox"'} in page.all("span")


@pytest.mark.parametrize("count", [1, 2, ROWS, ROWS + 1, 1000])
def test_some_of_all_queries_are_drawn(count: int) -> None:
    rows = evenly_spread(count)
    assert len(rows) == min(count, ROWS)
    assert (rows[0], rows[-1]) == (0, count - 1)
