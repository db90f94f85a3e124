"""Result sheets: overall and by class, provisional and official."""

from __future__ import annotations

import re
from dataclasses import replace

from producers.replay.cell_parsers import duration_ms, gap_laps, gap_ms, integer, number, positive, text
from producers.replay.tables import Event, Field, Parsed, Table, parse_rows

NAMES = ("FIRSTNAME", "SECONDNAME")

GAPS = (
    Field("gap_first_ms", "GAP_FIRST", gap_ms),
    Field("gap_first_laps", "GAP_FIRST", gap_laps),
    Field("gap_previous_ms", "GAP_PREVIOUS", gap_ms),
    Field("gap_previous_laps", "GAP_PREVIOUS", gap_laps),
)
OVERALL_FIELDS = (
    Field("vehicle_number", "NUMBER", integer),
    Field("position", "POSITION", integer),
    Field("status", "STATUS", text),
    Field("laps", "LAPS", integer),
    Field("total_time_ms", "TOTAL_TIME", duration_ms),
    *GAPS,
    Field("fl_lap", "FL_LAPNUM", positive),
    Field("fl_time_ms", "FL_TIME", duration_ms),
    Field("fl_kmh", "FL_KPH", number),
    Field("vehicle_class", "CLASS", text, required=False),
    Field("vehicle_model", "VEHICLE", text, required=False),
    Field("team", "TEAM", text, required=False),
    *(Field(name, f"DRIVER_{name}", text, required=False) for name in NAMES),
)
BY_CLASS_FIELDS = (
    Field("vehicle_number", "NUMBER", integer),
    Field("position", "POS", integer),
    Field("position_in_class", "PIC", integer),
    Field("laps", "LAPS", integer),
    Field("total_time_ms", "ELAPSED", duration_ms),
    *GAPS,
    Field("fl_lap", "BEST_LAP_NUM", positive),
    Field("fl_time_ms", "BEST_LAP_TIME", duration_ms),
    Field("fl_kmh", "BEST_LAP_KPH", number),
    Field("vehicle_class", "CLASS_TYPE", text),
    Field("vehicle_model", "VEHICLE", text, required=False),
    Field("team", "TEAM", text, required=False),
)


def parse_results(table: Table) -> Parsed:
    """The lines of a result sheet. Whether it is official its name says and nothing else does."""
    fields = OVERALL_FIELDS if table.form.name == "results" else BY_CLASS_FIELDS
    parsed = parse_rows(table, fields)
    official, notes = _is_official(table.path.name)
    events = tuple(_line(event, table.form.name, official) for event in parsed.events)
    return replace(parsed, events=events, notes=notes, variant="official" if official else "provisional")


def _line(event: Event, sheet: str, official: bool) -> Event:
    fields = {name: value for name, value in event.fields.items() if name not in NAMES}
    driver = " ".join(str(event.fields[name]) for name in NAMES if event.fields.get(name))
    return Event(event.line, {"sheet": sheet, "is_official": official, **fields, "driver_name": driver or None})


def _is_official(name: str) -> tuple[bool, tuple[str, ...]]:
    said = {word.lower() for word in re.findall(r"(?<![a-z])(?:un)?official|provisional", name, re.IGNORECASE)}
    if said:
        return said == {"official"}, ()
    return False, ("its name says neither provisional nor official: sent as provisional",)
