"""The drivers that a sheet names, in whichever columns: one driver a car, several, or all in one cell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from producers.replay.cell_parsers import parse_text
from producers.replay.tables import SheetField, Value

COLUMN = re.compile(r"DRIVER_?(?P<number>[0-9]?)_?(?P<part>FIRST_?NAME|SECOND_?NAME|LAST_?NAME|SURNAME|NAME)?")
ALL_IN_ONE = "DRIVERS"
BETWEEN = " / "


def driver_fields(columns: Iterable[str]) -> list[SheetField]:
    """Fields of the columns that name drivers, each under its column's name, for :func:`name_drivers`.

    Known are ``DRIVER_FIRSTNAME`` and ``DRIVER_SECONDNAME``, ``DRIVER1_FIRSTNAME`` and so on for more drivers,
    ``DRIVER_1``, ``DRIVER_NAME``, and ``DRIVERS``, which has all of them with strokes between.
    """
    return [
        SheetField(column, column, parse_text) for column in columns if column == ALL_IN_ONE or COLUMN.fullmatch(column)
    ]


def name_drivers(fields: Mapping[str, Value]) -> dict[str, Value]:
    """The fields of a line with its drivers in place of the columns that name them.

    Args:
        fields: Those of the line, of :func:`driver_fields` among them.

    Returns:
        The others, with ``driver_name`` and, where there are several drivers, ``driver_names`` by their number.
    """
    others = {name: value for name, value in fields.items() if name != ALL_IN_ONE and not COLUMN.fullmatch(name)}
    names = _names({name: str(value) for name, value in fields.items() if name not in others and value})
    found = [name for name in names if name]
    several: list[str | None] | None = names if len(names) > 1 else None
    return others | {"driver_name": BETWEEN.join(found) or None} | ({"driver_names": several} if several else {})


def _names(cells: Mapping[str, str]) -> list[str | None]:
    """Names by number, from 1; None for a number without."""
    parts: dict[int, dict[str, str]] = {}
    for column, cell in cells.items():
        if column != ALL_IN_ONE and (match := COLUMN.fullmatch(column)):
            parts.setdefault(int(match["number"] or 1), {})[match["part"] or "NAME"] = cell
    named = {number: _full_name(found) for number, found in parts.items()}
    if not any(named.values()) and ALL_IN_ONE in cells:
        named = {k: name.strip() for k, name in enumerate(cells[ALL_IN_ONE].split("/"), start=1)}
    named = {number: name for number, name in named.items() if name}
    return [named.get(number) for number in range(1, max(named, default=0) + 1)]


def _full_name(parts: Mapping[str, str]) -> str:
    if "NAME" in parts:
        return parts["NAME"]
    first = [cell for part, cell in parts.items() if part.startswith("FIRST")]
    return " ".join([*first, *(cell for part, cell in parts.items() if not part.startswith("FIRST"))])
