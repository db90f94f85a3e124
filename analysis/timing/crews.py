"""Who drives a car: the names on its sheets, and which of its drivers drove a lap."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.timing.car_numbers import match_number, number_of_row
from analysis.timing.session_laps import sheet_order

OFFICIAL = "official"
"""Source of laps that have the number of the official timing."""


@dataclass(frozen=True)
class Crew:
    """The drivers of a car.

    Attributes:
        names: By the number that the timing knows each under, from 1.
        team: Who enters the car.
        vehicle_class: Class.
        vehicle_model: Model.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    team: str | None = None
    vehicle_class: str | None = None
    vehicle_model: str | None = None

    @property
    def driver_name(self) -> str | None:
        """All names in order, with a stroke between them."""
        return " / ".join(name for _, name in sorted(self.names.items())) or None


@dataclass(frozen=True)
class SessionCrews:
    """The crews of a session.

    Attributes:
        crews: By car number.
        drivers: Number of the driver of each official lap, by car number and lap.
    """

    crews: Mapping[str, Crew] = field(default_factory=dict)
    drivers: Mapping[tuple[str, int], int | None] = field(default_factory=dict)

    def crew(self, car_number: str | None) -> Crew:
        """The crew of a car; one without names where no sheet knows it."""
        return self.crews.get(match_number(car_number, self.crews) or "", Crew())

    def driver_columns(self, lap: Mapping[str, Any]) -> dict[str, Any]:
        """Columns of ``silver.laps`` that say who drove it: null where the car has several drivers and no sheet says.

        Args:
            lap: The lap's other columns.
        """
        names = self.crew(lap["car_number"]).names
        number = None
        if lap["lap_time_source"] == OFFICIAL:
            number = self.drivers.get((lap["car_number"], lap["lap_number"]))
        if number is None and len(names) == 1:
            (number,) = names
        return {"driver_number": number, "driver_name": None if number is None else names.get(number)}


def find_crews(sectors: Iterable[Any], result_lines: Iterable[Any]) -> SessionCrews:
    """The crews of a session, official result sheets before others, and result sheets before the sheet of laps.

    Args:
        sectors: Rows of ``silver.sector_times``.
        result_lines: Rows of ``silver.result_lines``.
    """
    laps: dict[str, list[Any]] = {}
    lines: dict[str, list[Any]] = {}
    for row in sectors:
        laps.setdefault(number_of_row(row) or "", []).append(row)
    for line in sorted(result_lines, key=sheet_order):
        lines.setdefault(number_of_row(line) or "", []).append(line)
    named = {number: lines.get(match_number(number, lines, laps) or "", ()) for number in lines.keys() | laps.keys()}
    crews = {number: _crew(own, laps.get(number, ())) for number, own in named.items()}
    drivers = {(number, row.lap_number): row.driver_number for number, rows in laps.items() for row in rows}
    return SessionCrews(crews, drivers)


def usual_drivers(laps: Iterable[Any]) -> dict[tuple[str, str], str]:
    """The driver of most laps, by session and vehicle; the first by id of several, none where no lap says who drove it.

    Args:
        laps: ``session_id, vehicle_id, driver_id`` of laps, such as rows of ``silver.laps``.
    """
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for lap in laps:
        if lap["driver_id"]:
            found[lap["session_id"], lap["vehicle_id"]][lap["driver_id"]] += 1
    return {car: min(drove, key=lambda driver: (-drove[driver], driver)) for car, drove in found.items()}


def _crew(lines: Sequence[Any], laps: Sequence[Any]) -> Crew:
    names: dict[int, str] = {}
    for line in lines:
        listed = line.driver_names or ([line.driver_name] if line.driver_name else [])
        for number, name in enumerate(listed, start=1):
            if name:
                names.setdefault(number, name)
    for row in sorted(laps, key=lambda row: row.lap_number):
        if row.driver_name:
            names.setdefault(row.driver_number or 1, row.driver_name)
    return Crew(
        names=names,
        team=_first(line.team for line in (*lines, *laps)),
        vehicle_class=_first(line.vehicle_class for line in (*lines, *laps)),
        vehicle_model=_first(line.vehicle_model for line in lines),
    )


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)
