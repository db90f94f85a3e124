"""The points of a race line as a file has them: which columns, which unit, and which row each is from."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from conf.arrays import FloatArray, IntArray
from conf.errors import InputError
from conf.text_file import read_text_file

METRES: Final = {"m": 1.0, "km": 1000.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "ft": 0.3048, "yd": 0.9144, "mi": 1609.344}
WORDS: Final = {
    **dict.fromkeys(("metre", "metres", "meter", "meters"), "m"),
    **dict.fromkeys(("kilometre", "kilometres", "kilometer", "kilometers"), "km"),
    **dict.fromkeys(("foot", "feet"), "ft"),
    **dict.fromkeys(("yard", "yards"), "yd"),
    **dict.fromkeys(("mile", "miles"), "mi"),
}
DEGREES: Final = ({"lat", "latitude"}, {"lon", "long", "lng", "longitude"})
NAME: Final = re.compile(r"([a-z]+)(?:[\s_]*[\[(]?([a-z]+)[\])]?)?")
COLUMN: Final = re.compile(r"[A-Za-z]\w*(?:\s*[\[(][^\s\])]*[\])])?")
"""A comment of which each cell looks so, one for each column, is a header."""
HEADER: Final = "name the columns in the first row, such as x_m,y_m"


@dataclass(frozen=True)
class LinePoints:
    """Points in the order of the file.

    Attributes:
        x_m: Shape (n,).
        y_m: Shape (n,).
        row: Row of the file that each is from, shape (n,).
        notes: What the user should know of how the file was read.
    """

    x_m: FloatArray
    y_m: FloatArray
    row: IntArray
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True)
class _Columns:
    x: int
    y: int
    metres: float
    notes: tuple[str, ...] = ()


def read_line_points(path: Path) -> LinePoints:
    """Read the points of a line from a CSV file; ``#`` starts a comment.

    Columns are told by the header, which may stand in a comment: ``x_m,y_m``, ``x,y``, ``x_km,y_km`` and the like,
    among others and in any order. Without a header they are the first two, or the second and third behind a first one
    that rises throughout, as distance does.

    Args:
        path: The file; values are separated by commas, semicolons, tabs or spaces.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If the header names no x and y, or a row is no pair of finite numbers; names file and row.
    """
    lines = list(enumerate(read_text_file(path).splitlines(), start=1))
    rows = [(number, text) for number, line in lines if (text := line.partition("#")[0].strip())]
    comments = [(number, line.strip().lstrip("#").strip()) for number, line in lines if line.lstrip().startswith("#")]
    if not rows:
        raise InputError(f"{path} has no points: a race line needs x,y in metres, a point a row")
    delimiter = _delimiter(rows[-1][1])
    columns, table = _columns(path, comments, [(number, _cells(text, delimiter)) for number, text in rows], delimiter)
    points = np.array([_point(path, number, cells, columns) for number, cells in table])
    numbers = np.array([number for number, _ in table])
    return LinePoints(points[:, 0] * columns.metres, points[:, 1] * columns.metres, numbers, columns.notes)


def _delimiter(row: str) -> str:
    return next((each for each in ";\t," if each in row), " ")


def _cells(row: str, delimiter: str) -> list[str]:
    """The cells of a row; where it is not the comma that separates them, it is a decimal point."""
    cells = row.split() if delimiter == " " else next(csv.reader([row], delimiter=delimiter, skipinitialspace=True))
    return [cell.strip() if delimiter == "," else cell.strip().replace(",", ".") for cell in cells]


def _columns(
    path: Path, comments: list[tuple[int, str]], rows: list[tuple[int, list[str]]], delimiter: str
) -> tuple[_Columns, list[tuple[int, list[str]]]]:
    """Which columns hold x and y, and the rows behind the header."""
    first, cells = rows[0]
    if not any(_is_number(cell) for cell in cells):
        named = _named_columns(path, first, cells)
        if named is None:
            raise InputError(f"{path}, row {first}: columns {', '.join(cells)}, none of them x and y: {HEADER}")
        if len(rows) == 1:
            raise InputError(f"{path} has no points behind its header")
        return named, rows[1:]
    split = [
        (number, _cells(text, delimiter if delimiter in text else _delimiter(text)))
        for number, text in comments
        if number < first
    ]
    before = [(number, names) for number, names in split if len(names) <= len(cells)]  # a sentence has more words
    found = [named for number, names in before if (named := _named_columns(path, number, names)) is not None]
    for number, names in [] if found else before:
        if len(names) == len(cells) > 1 and all(COLUMN.fullmatch(name) for name in names):
            raise InputError(f"{path}, row {number}: columns {', '.join(names)}, none of them x and y: {HEADER}")
    if found:
        return found[-1], rows
    unnamed = _unnamed_columns(path, rows)
    return replace(unnamed, notes=(*unnamed.notes, *_unit_notes(comments, first))), rows


def _unit_notes(comments: list[tuple[int, str]], first: int) -> list[str]:
    """What comments say of units that no column has."""
    for number, text in comments:
        words = {WORDS.get(word, word) for word in re.findall("[a-z]+", text.lower())}
        if number < first and (others := sorted(words & METRES.keys() - {"m"})):
            return [f"Row {number} speaks of {', '.join(others)}, and no column does: taken for metres; {HEADER}"]
    return []


def _named_columns(path: Path, row: int, cells: list[str]) -> _Columns | None:
    """The columns that a header names; None where it is none."""
    names = [_name(cell) for cell in cells]
    plain = [name for name, _ in names]
    if "x" not in plain or "y" not in plain:
        words = {word for cell in cells for word in re.findall("[a-z]+", cell.lower())}
        if all(words & each for each in DEGREES):
            raise InputError(
                f"{path}, row {row}: columns {', '.join(cells)}: a race line needs x and y in metres, not positions in "
                "degrees; project them to a plane first"
            )
        return None
    x, y = plain.index("x"), plain.index("y")
    units = {WORDS.get(unit, unit) for unit in (names[x][1] or "m", names[y][1] or "m")}
    if len(units) > 1 or not units <= METRES.keys():
        raise InputError(
            f"{path}, row {row}: columns {cells[x]} and {cells[y]}: a race line needs both in one of "
            f"{', '.join(METRES)}; {HEADER}"
        )
    (unit,) = units
    notes = [] if unit == "m" else [f"{cells[x]} and {cells[y]} are in {unit}: taken to metres."]
    return _Columns(x, y, METRES[unit], tuple(notes))


def _name(cell: str) -> tuple[str, str | None]:
    """Name and unit of a column: ``x_m``, ``x [m]`` and ``X(m)`` are x in m."""
    match = NAME.fullmatch(cell.lower())
    return (match[1], match[2]) if match else (cell, None)


def _unnamed_columns(path: Path, rows: list[tuple[int, list[str]]]) -> _Columns:
    """The first two columns, or the next two behind one that rises as distance does: no closed line's x does."""
    if min(len(cells) for _, cells in rows) < 3 or not all(_is_number(cell) for _, cells in rows for cell in cells[:3]):
        return _Columns(0, 1, 1.0)
    first, *xy = np.array([[float(cell) for cell in cells[:3]] for _, cells in rows]).T
    rise = np.diff(first)
    if not (rise.size and (rise > 0).all()):
        return _Columns(0, 1, 1.0)
    chord = np.hypot(np.diff(xy[0]), np.diff(xy[1]))
    if abs(chord.sum() - rise.sum()) > 0.02 * rise.sum():
        raise InputError(
            f"{path}: the first column rises from row to row, so it is not x of a closed line, and the next two are "
            f"not x and y of that distance: {HEADER}"
        )
    return _Columns(1, 2, 1.0, ("The first column is the distance, the next two are x and y.",))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _point(path: Path, number: int, cells: list[str], columns: _Columns) -> tuple[float, float]:
    shown = ",".join(cells)[:80]
    try:
        x, y = float(cells[columns.x]), float(cells[columns.y])
    except (ValueError, IndexError):
        raise InputError(f"{path}, row {number}: '{shown}' is not x,y in metres") from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InputError(f"{path}, row {number}: '{shown}' is not finite")
    return x, y
