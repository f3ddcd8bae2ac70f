"""Tables of captions as spreadsheets write them; and careless hands."""

from __future__ import annotations

from pathlib import Path

from build.caption import Caption
from build.captions import read_captions
from tests.sidecars import put


def test_csv_gives_captions_and_metadata(tmp_path: Path) -> None:
    put(
        tmp_path,
        captions__csv="image_path,caption,author,year\r\n"
        'b/a.jpg,"A fox, red",Ann,1999\r\n'
        "c.jpg,,Bob,\r\n",
    )
    captions, warnings = read_captions(tmp_path, ["b/a.jpg", "c.jpg"])
    assert captions == {
        "b/a.jpg": Caption("A fox, red", {"author": "Ann", "year": 1999}),
        "c.jpg": Caption(None, {"author": "Bob"}),
    }
    assert warnings == []


def test_csv_of_a_windows_spreadsheet(tmp_path: Path) -> None:
    put(tmp_path, CAPTIONS__CSV="\ufeff\r\nPath;Caption\r\n.\\b\\a.jpg;A fox\r\n")
    captions, warnings = read_captions(tmp_path, ["b/a.jpg"])
    assert captions == {"b/a.jpg": Caption("A fox")}
    assert warnings == []


def test_of_a_column_of_numbers_each_cell_is_one_and_the_odd_one_is_told(tmp_path: Path) -> None:
    put(
        tmp_path,
        captions__csv="path,year,price,title\na.jpg,1999,1.50,1984\nb.jpg,c. 1990,2,Dune\n"
        'c.jpg,2003,"3,5",Ubik\nd.jpg,,4,\n',
    )
    captions, warnings = read_captions(tmp_path, ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    assert [captions[f"{name}.jpg"].metadata for name in "abcd"] == [
        {"year": 1999, "price": 1.5, "title": "1984"},
        {"year": "c. 1990", "price": 2, "title": "Dune"},
        {"year": 2003, "price": "3,5", "title": "Ubik"},
        {"price": 4},
    ]
    assert warnings == [
        "captions.csv: line 4: price is no number, as most are: '3,5'",
        "captions.csv: line 3: year is no number, as most are: 'c. 1990'",
    ]


def test_a_quote_that_is_not_closed_takes_its_own_line_only(tmp_path: Path) -> None:
    put(
        tmp_path,
        captions__csv='path,caption\na.jpg,"Untitled, 1999\nb.jpg,B\nc.jpg,"C, closed"\n'
        'd.jpg,"two\nlines"\ne.jpg,A "quoted" word\nf.jpg,"half "quoted" word\ng.jpg,"end',
    )
    captions, warnings = read_captions(tmp_path, [f"{name}.jpg" for name in "abcdefg"])
    assert [captions[f"{name}.jpg"].text for name in "abcde"] == [
        "Untitled, 1999",
        "B",
        "C, closed",
        "two lines",
        'A "quoted" word',
    ]
    assert captions["g.jpg"].text == "end"
    assert "captions.csv: line 2: a quote is not closed" in warnings
    assert len(captions) == 7


def test_ten_thousand_careless_quotes_take_no_time(tmp_path: Path) -> None:
    rows = "".join(f'{number}.jpg,"A "quoted" word, {number}\n' for number in range(10_000))
    put(tmp_path, captions__csv=f"path,caption\n{rows}")
    captions, _ = read_captions(tmp_path, [f"{number}.jpg" for number in range(10_000)])
    assert len(captions) == 10_000


def test_a_column_of_mostly_texts_stays_texts(tmp_path: Path) -> None:
    put(
        tmp_path,
        captions__csv="path,caption,n,x,code,mixed,id\n"
        "a.jpg,7,-3,0.5,007,1999,12345678901234567\nb.jpg,8,4,2,008,c. 1950,1\n",
    )
    captions, _ = read_captions(tmp_path, ["a.jpg", "b.jpg"])
    assert captions["a.jpg"] == Caption(
        "7", {"n": -3, "x": 0.5, "code": "007", "mixed": "1999", "id": "12345678901234567"}
    )


def test_csv_line_numbers_count_lines_not_rows(tmp_path: Path) -> None:
    put(tmp_path, captions__csv='\npath,caption\na.jpg,"two\nlines"\n,x\n')
    captions, warnings = read_captions(tmp_path, ["a.jpg"])
    assert captions["a.jpg"].text == "two lines"
    assert warnings == ["captions.csv: line 5: no path"]


def test_csv_without_a_path_column_says_which_it_wants(tmp_path: Path) -> None:
    put(tmp_path, captions__csv="file,caption\na.jpg,A fox\n")
    captions, warnings = read_captions(tmp_path, ["a.jpg"])
    assert captions == {}
    assert "no column image_path or file_name or path" in warnings[0]
