"""Car numbers, which are text: 3 and 03 are two cars, and 12A is one."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

_IN_ID = re.compile(r"-([0-9]+)$")


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
    found = _IN_ID.search(vehicle_id)
    return found[1] if found and int(found[1]) else None


def reported_number(vehicle_id: str, said: str | None) -> str | None:
    """Number that a car's own messages say, ``None`` where they say none.

    An integer loses the zeros that a number begins with; those in the vehicle's id are not lost.

    Args:
        vehicle_id: Vehicle.
        said: Number beside it.
    """
    in_id = number_in_vehicle_id(vehicle_id)
    if not digits_of_number(said) and (said is None or set(said) <= {"0"}):
        return in_id
    if said is not None and in_id is not None and said == str(int(in_id)):
        return in_id
    return said


def match_number(said: str | None, numbers: Collection[str]) -> str | None:
    """The number of a sheet that is meant by one that a source without leading zeros says.

    Args:
        said: The number.
        numbers: Those there are.

    Returns:
        The same text, else the only one with the same digits, else ``None``.
    """
    if said is None or said in numbers:
        return said
    alike = [n for n in numbers if said.isdecimal() and n.isdecimal() and int(n) == int(said)]
    return alike[0] if len(alike) == 1 else None


def number_order(car_number: str) -> tuple[int, str]:
    """Order of car numbers: by their digits, then as text."""
    return digits_of_number(car_number) or 0, car_number
