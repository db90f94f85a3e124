"""Lap events of the timing feed, and the lap and sector times of the official timing."""

from __future__ import annotations

from dataclasses import replace

from producers.replay.car_numbers import car_number_fields
from producers.replay.cell_parsers import (
    parse_big_integer,
    parse_duration_ms,
    parse_in_pit,
    parse_instant_us,
    parse_integer,
    parse_number,
    parse_text,
)
from producers.replay.formats import lap_kind_from_name
from producers.replay.tables import ParsedSheet, SheetEvent, SheetField, SheetTable, Value, parse_sheet_rows

LAP_FIELDS = (
    SheetField("vehicle_id", "vehicle_id", parse_text, required=True),
    *car_number_fields("vehicle_number"),
    SheetField("original_vehicle_id", "original_vehicle_id", parse_text),
    SheetField("lap", "lap", parse_integer, required=True),
    SheetField("outing", "outing", parse_integer),
    SheetField("meta_event", "meta_event", parse_text),
    SheetField("meta_session", "meta_session", parse_text),
    SheetField("meta_source", "meta_source", parse_text),
    SheetField("meta_time_us", "meta_time", parse_instant_us),
    SheetField("time_us", "timestamp", parse_instant_us, required=True),
)
LAP_TIME = SheetField("lap_time_ms", "value", parse_big_integer)

SECTOR_FIELDS = (
    *car_number_fields("NUMBER", required=True),
    SheetField("driver_number", "DRIVER_NUMBER", parse_integer),
    SheetField("lap_number", "LAP_NUMBER", parse_integer, required=True),
    SheetField("lap_time_ms", "LAP_TIME", parse_duration_ms),
    SheetField("sector_1_ms", "S1", parse_duration_ms),
    SheetField("sector_2_ms", "S2", parse_duration_ms),
    SheetField("sector_3_ms", "S3", parse_duration_ms),
    SheetField("elapsed_ms", "ELAPSED", parse_duration_ms),
    SheetField("time_of_day_ms", "HOUR", parse_duration_ms),
    SheetField("top_speed_kmh", "TOP_SPEED", parse_number),
    SheetField("avg_speed_kmh", "KPH", parse_number),
    SheetField("in_pit", "CROSSING_FINISH_LINE_IN_PIT", parse_in_pit, empty=False),
    SheetField("pit_time_ms", "PIT_TIME", parse_duration_ms),
    SheetField("flag", "FLAG_AT_FL", parse_text),
    SheetField("vehicle_class", "CLASS", parse_text),
    SheetField("manufacturer", "MANUFACTURER", parse_text),
    SheetField("driver_name", "DRIVER_NAME", parse_text),
    SheetField("team", "TEAM", parse_text),
)
INTERMEDIATE = "_time"  # IM1a_time, FL_time; LAP_TIME and PIT_TIME are written in capitals


def parse_laps(table: SheetTable) -> ParsedSheet:
    """Lap starts, lap ends or lap times, in order of arrival.

    ``timestamp`` is the crossing in UTC. ``value`` holds milliseconds in files of lap times; in the others it repeats
    ``timestamp`` and is not looked at.
    """
    is_time = table.form.name == "lap_time"
    parsed = parse_sheet_rows(table, (*LAP_FIELDS, LAP_TIME) if is_time else LAP_FIELDS)
    named = lap_kind_from_name(table.path.name)
    notes = (f"named {named}, but its values are lap times",) if named not in (None, table.form.name) else ()
    return replace(parsed, events=_by_arrival(parsed.events), notes=(*parsed.notes, *notes))


def _by_arrival(events: tuple[SheetEvent, ...]) -> tuple[SheetEvent, ...]:
    """Sorted by arrival; one without an arrival time stays behind the one before it in the file."""
    arrival, arrivals = 0, {}
    for event in events:
        at = event.fields["meta_time_us"]
        arrival = at if isinstance(at, int) else arrival
        arrivals[event.line] = arrival
    return tuple(sorted(events, key=lambda event: arrivals[event.line]))


def parse_sectors(table: SheetTable) -> ParsedSheet:
    """Official laps with their sectors and, where the sheet has them, the times between its intermediate points.

    A loop that missed the car leaves a gap: the time to it and the time from it are None.
    """
    points = [name.removesuffix(INTERMEDIATE) for name in table.columns if name.endswith(INTERMEDIATE)]
    between = [SheetField(f"{point}{INTERMEDIATE}", f"{point}{INTERMEDIATE}", parse_duration_ms) for point in points]
    parsed = parse_sheet_rows(table, (*SECTOR_FIELDS, *between))
    return replace(parsed, events=tuple(_fold_points(event, points) for event in parsed.events))


def _fold_points(event: SheetEvent, points: list[str]) -> SheetEvent:
    """The event with one list in place of a field for each intermediate point."""
    times: list[int | None] = []
    fields: dict[str, Value] = dict(event.fields)
    for point in points:
        time = fields.pop(f"{point}{INTERMEDIATE}")
        times.append(time if isinstance(time, int) else None)
    if points:
        fields |= {"intermediate_names": list(points), "intermediate_ms": times}
    return SheetEvent(event.line, fields)
