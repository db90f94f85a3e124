"""The car that a sheet's line names by its number, as it stands and by its digits."""

from __future__ import annotations

from producers.replay.cell_parsers import parse_car_digits, parse_car_number
from producers.replay.tables import SheetField


def car_number_fields(column: str, *, required: bool = False) -> tuple[SheetField, SheetField]:
    """Fields of the column that has car numbers: ``vehicle_number``, its digits, and ``car_number``, the whole.

    Args:
        column: Column of the sheet.
        required: Whether an event needs it.
    """
    return (
        SheetField("vehicle_number", column, parse_car_digits, required=required),
        SheetField("car_number", column, parse_car_number),
    )
