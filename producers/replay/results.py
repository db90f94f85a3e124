"""Result sheets: overall, by class, and by the best lap of a qualifying or practice; provisional and official."""

from __future__ import annotations

import re
from dataclasses import replace

from producers.replay.car_numbers import car_number_fields
from producers.replay.cell_parsers import (
    parse_duration_ms,
    parse_gap_laps,
    parse_gap_ms,
    parse_integer,
    parse_number,
    parse_positive,
    parse_text,
)
from producers.replay.driver_names import driver_fields, name_drivers
from producers.replay.tables import ParsedSheet, SheetEvent, SheetField, SheetTable, parse_sheet_rows

GAPS = (
    SheetField("gap_first_ms", "GAP_FIRST", parse_gap_ms),
    SheetField("gap_first_laps", "GAP_FIRST", parse_gap_laps),
    SheetField("gap_previous_ms", "GAP_PREVIOUS", parse_gap_ms),
    SheetField("gap_previous_laps", "GAP_PREVIOUS", parse_gap_laps),
)
OVERALL_FIELDS = (
    *car_number_fields("NUMBER", required=True),
    SheetField("position", "POSITION", parse_integer),
    SheetField("status", "STATUS", parse_text),
    SheetField("laps", "LAPS", parse_integer),
    SheetField("total_time_ms", "TOTAL_TIME", parse_duration_ms),
    *GAPS,
    SheetField("fl_lap", "FL_LAPNUM", parse_positive),
    SheetField("fl_time_ms", "FL_TIME", parse_duration_ms),
    SheetField("fl_kmh", "FL_KPH", parse_number),
    SheetField("vehicle_class", "CLASS", parse_text),
    SheetField("vehicle_model", "VEHICLE", parse_text),
    SheetField("team", "TEAM", parse_text),
)
BY_CLASS_FIELDS = (
    *car_number_fields("NUMBER", required=True),
    SheetField("position", "POS", parse_integer),
    SheetField("position_in_class", "PIC", parse_integer),
    SheetField("laps", "LAPS", parse_integer),
    SheetField("total_time_ms", "ELAPSED", parse_duration_ms),
    *GAPS,
    SheetField("fl_lap", "BEST_LAP_NUM", parse_positive),
    SheetField("fl_time_ms", "BEST_LAP_TIME", parse_duration_ms),
    SheetField("fl_kmh", "BEST_LAP_KPH", parse_number),
    SheetField("vehicle_class", "CLASS_TYPE", parse_text),
    SheetField("vehicle_model", "VEHICLE", parse_text),
    SheetField("team", "TEAM", parse_text),
)
QUALIFYING_FIELDS = (
    *car_number_fields("NUMBER", required=True),
    SheetField("position", "POS", parse_integer),
    SheetField("position_in_class", "PIC", parse_integer),
    SheetField("laps", "LAPS", parse_integer),
    *GAPS,
    SheetField("fl_lap", "LAP", parse_positive),
    SheetField("fl_time_ms", "TIME", parse_duration_ms),
    SheetField("fl_kmh", "KPH", parse_number),
    SheetField("vehicle_class", "CLASS", parse_text),
    SheetField("vehicle_model", "VEHICLE", parse_text),
    SheetField("team", "TEAM", parse_text),
)
FIELDS: dict[str, tuple[SheetField, ...]] = {
    "results": OVERALL_FIELDS,
    "results_by_class": BY_CLASS_FIELDS,
    "qualifying": QUALIFYING_FIELDS,
}


def parse_results(table: SheetTable) -> ParsedSheet:
    """The lines of a result sheet. Whether it is official its name says and nothing else does."""
    parsed = parse_sheet_rows(table, (*FIELDS[table.form.name], *driver_fields(table.columns)))
    official, notes = _is_official(table.path.name)
    events = tuple(_line(event, table.form.name, official) for event in parsed.events)
    return replace(
        parsed, events=events, notes=(*parsed.notes, *notes), variant="official" if official else "provisional"
    )


def _line(event: SheetEvent, sheet: str, official: bool) -> SheetEvent:
    return SheetEvent(event.line, {"sheet": sheet, "is_official": official, **name_drivers(event.fields)})


def _is_official(name: str) -> tuple[bool, tuple[str, ...]]:
    said = {word.lower() for word in re.findall(r"(?<![a-z])(?:un)?official|provisional", name, re.IGNORECASE)}
    if said:
        return said == {"official"}, ()
    return False, ("its name says neither provisional nor official: sent as provisional",)
