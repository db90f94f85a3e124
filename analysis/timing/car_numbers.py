"""Car numbers, which are text: 3 and 03 are two cars, and 12A is one."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,11}")
"""Of a car number, as the contracts of sheets have it."""
_IN_ID = re.compile(r".+-([0-9]+[A-Za-z]?)")


def number_of_row(row: Any) -> str | None:
    """Car number of a row; of one from before there was the column, the digits it has."""
    if row.car_number:
        return str(row.car_number)
    return None if row.vehicle_number is None else str(row.vehicle_number)


def digits_of_number(car_number: str | None) -> int | None:
    """What a car number is without letters and leading zeros: ``vehicle_number``; 0 for one without digits."""
    return None if car_number is None else int(re.sub(r"[^0-9]", "", car_number)[:9] or "0")


def number_in_vehicle_id(vehicle_id: str) -> str | None:
    """Number in a vehicle id (``GR86-004-78`` says 78), ``None`` where it says none or 000."""
    found = _IN_ID.fullmatch(vehicle_id)
    return found[1] if found and found[1].strip("0") else None


def reported_number(vehicle_id: str, said: str | None) -> str | None:
    """Number that a car's own messages say, ``None`` where they say none.

    An integer loses the zeros before a number and the letter behind it; those in the vehicle's id are not lost.
    What has not the form of a car number says none: messages of a feed may hold anything there.

    Args:
        vehicle_id: Vehicle.
        said: Number beside it.
    """
    in_id = number_in_vehicle_id(vehicle_id)
    said = (said or "").strip()
    if not FORM.fullmatch(said) or not said.strip("0") or said == str(digits_of_number(in_id)):
        return in_id
    return said


def match_number(said: str | None, numbers: Collection[str], taken: Collection[str | None] = ()) -> str | None:
    """The number of a sheet that is meant by one that a source without leading zeros says.

    Args:
        said: The number.
        numbers: Those there are.
        taken: Numbers that are cars' own: none of these is meant by another text.

    Returns:
        The same text, else the only one with the same digits, else ``None``.
    """
    if said is None or said in numbers:
        return said
    digits = said.lstrip("0")
    alike = [n for n in numbers if n not in taken and said.isdecimal() and n.isdecimal() and n.lstrip("0") == digits]
    return alike[0] if len(alike) == 1 else None


def number_order(car_number: str) -> tuple[int, str]:
    """Order of car numbers: by their digits, then as text."""
    return digits_of_number(car_number) or 0, car_number
