"""Tables of captions as spreadsheets write them: CSV, whatever stands between the cells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from build.caption import CAPTION_COLUMNS, PATH_COLUMNS

_DELIMITERS = (",", ";", "\t")
_LARGEST_CELL = 1 << 20
# Longer runs of digits are identifiers: a float would round them.
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table, each with the line that it begins in; empty cells are left out.

    ``path_column`` is the column that names the images.
    """

    path_column: str
    rows: list[tuple[int, dict[str, Any]]]


def read_table(text: str, warn: Callable[[str], None]) -> Table | None:
    """Read a table; None where no column of it names images.

    Args:
        text: the whole file.
        warn: is told what is wrong, "line 3: ...".
    """
    csv.field_size_limit(_LARGEST_CELL)
    lines = io.StringIO(text, newline="")
    header_line = next((line for line in lines if line.strip()), "")
    header, delimiter = _header(header_line)
    path_column = next((name for name in PATH_COLUMNS if name in header), None)
    if path_column is None:
        return None
    first_line = text[: lines.tell()].count("\n") + 1
    rows: list[tuple[int, dict[str, Any]]] = []
    for line, cells in _rows_of_cells(list(lines), first_line, delimiter, warn):
        if len(cells) > len(header):
            warn(f"line {line}: more cells than the first line has columns")
        row = {
            name: cell
            for name, cell in zip(header, map(str.strip, cells), strict=False)
            if name and cell
        }
        if row:
            rows.append((line, row))
    for line, told in _convert_numbers(rows, {path_column, *CAPTION_COLUMNS}):
        warn(f"line {line}: {told}")
    return Table(path_column, rows)


def _rows_of_cells(
    lines: Sequence[str], first_line: int, delimiter: str, warn: Callable[[str], None]
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a table, with the line that each begins in.

    A cell in quotes may go over several lines.  A quote that nobody has closed would take
    all that follows for one cell: its row then ends with its line.
    """
    at = 0
    while at < len(lines):
        rest = (lines[number] for number in range(at, len(lines)))
        reader = csv.reader(rest, delimiter=delimiter, strict=True)
        begin = at
        try:
            for cells in reader:
                yield first_line + begin, cells
                begin = at + reader.line_num
            return
        except csv.Error as error:
            # Read leniently, as most programs do, and by itself.
            try:
                cells = next(csv.reader([lines[begin]], delimiter=delimiter))
            except csv.Error:
                warn(f"line {first_line + begin}: {error}")
            else:
                if at + reader.line_num > begin + 1:
                    warn(f"line {first_line + begin}: a quote is not closed")
                yield first_line + begin, cells
            at = begin + 1


def _header(line: str) -> tuple[list[str], str]:
    """The column names of a table and its delimiter (spreadsheets write ``;`` too)."""
    for delimiter in _DELIMITERS:
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
        known = [name.lower() for name in names]
        if any(column in known for column in PATH_COLUMNS):
            special = {*PATH_COLUMNS, *CAPTION_COLUMNS}
            return [n.lower() if n.lower() in special else n for n in names], delimiter
    return [], ","


def _convert_numbers(
    rows: Sequence[tuple[int, dict[str, Any]]], texts: set[str]
) -> Iterator[tuple[int, str]]:
    """Make numbers of the cells that are some, so that ranges can be asked for.

    A column is one of numbers where most of its cells are.

    Yields:
        the line of each cell of such a column that is none, and what to say of it.
    """
    columns = {name for _, row in rows for name in row} - texts
    for column in sorted(columns):
        cells = [(line, row) for line, row in rows if column in row]
        numbers = [bool(_NUMBER.fullmatch(row[column])) for _, row in cells]
        if 2 * sum(numbers) <= len(cells):
            continue
        for (line, row), is_number in zip(cells, numbers, strict=True):
            cell = row[column]
            if is_number:
                row[column] = float(cell) if "." in cell else int(cell)
            else:
                yield line, f"{column} is no number, as most are: {cell[:40]!r}"
