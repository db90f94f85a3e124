"""Lap events of the timing feed, and the lap and sector times of the official timing."""

from __future__ import annotations

from dataclasses import replace

from producers.replay.cell_parsers import big_integer, duration_ms, in_pit, instant_us, integer, number, text
from producers.replay.formats import lap_kind_in
from producers.replay.tables import Event, Field, Parsed, Table, Value, parse_rows

LAP_FIELDS = (
    Field("vehicle_id", "vehicle_id", text),
    Field("vehicle_number", "vehicle_number", integer, required=False),
    Field("original_vehicle_id", "original_vehicle_id", text, required=False),
    Field("lap", "lap", integer),
    Field("outing", "outing", integer, required=False),
    Field("meta_event", "meta_event", text, required=False),
    Field("meta_session", "meta_session", text, required=False),
    Field("meta_source", "meta_source", text, required=False),
    Field("meta_time_us", "meta_time", instant_us),
    Field("time_us", "timestamp", instant_us),
)
LAP_TIME = Field("lap_time_ms", "value", big_integer, required=False)

SECTOR_FIELDS = (
    Field("vehicle_number", "NUMBER", integer),
    Field("driver_number", "DRIVER_NUMBER", integer),
    Field("lap_number", "LAP_NUMBER", integer),
    Field("lap_time_ms", "LAP_TIME", duration_ms),
    Field("sector_1_ms", "S1", duration_ms),
    Field("sector_2_ms", "S2", duration_ms),
    Field("sector_3_ms", "S3", duration_ms),
    Field("elapsed_ms", "ELAPSED", duration_ms),
    Field("time_of_day_ms", "HOUR", duration_ms),
    Field("top_speed_kmh", "TOP_SPEED", number, required=False),
    Field("avg_speed_kmh", "KPH", number, required=False),
    Field("in_pit", "CROSSING_FINISH_LINE_IN_PIT", in_pit, required=False, empty=False),
    Field("pit_time_ms", "PIT_TIME", duration_ms, required=False),
    Field("flag", "FLAG_AT_FL", text, required=False),
    Field("vehicle_class", "CLASS", text, required=False),
    Field("manufacturer", "MANUFACTURER", text, required=False),
)
INTERMEDIATE = "_time"  # IM1a_time, FL_time; LAP_TIME and PIT_TIME are written in capitals


def parse_laps(table: Table) -> Parsed:
    """Lap starts, lap ends or lap times, in order of arrival.

    ``timestamp`` is the crossing in UTC. ``value`` holds milliseconds in files of lap times; in the others it repeats
    ``timestamp`` and is not looked at.
    """
    is_time = table.form.name == "lap_time"
    parsed = parse_rows(table, (*LAP_FIELDS, LAP_TIME) if is_time else LAP_FIELDS)
    named = lap_kind_in(table.path.name)
    notes = (f"named {named}, but its values are lap times",) if named not in (None, table.form.name) else ()
    return replace(parsed, events=_by_arrival(parsed.events), notes=notes)


def _by_arrival(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """Sorted by arrival; one without an arrival time stays behind the one before it in the file."""
    arrival, arrivals = 0, {}
    for event in events:
        at = event.fields["meta_time_us"]
        arrival = at if isinstance(at, int) else arrival
        arrivals[event.line] = arrival
    return tuple(sorted(events, key=lambda event: arrivals[event.line]))


def parse_sectors(table: Table) -> Parsed:
    """Official laps with their sectors and, where the sheet has them, the times between its intermediate points.

    A loop that missed the car leaves a gap: the time to it and the time from it are None.
    """
    points = [name.removesuffix(INTERMEDIATE) for name in table.columns if name.endswith(INTERMEDIATE)]
    between = [Field(f"{point}{INTERMEDIATE}", f"{point}{INTERMEDIATE}", duration_ms) for point in points]
    parsed = parse_rows(table, (*SECTOR_FIELDS, *between))
    return replace(parsed, events=tuple(_folded(event, points) for event in parsed.events))


def _folded(event: Event, points: list[str]) -> Event:
    """The event with one list in place of a field for each intermediate point."""
    times: list[int | None] = []
    fields: dict[str, Value] = dict(event.fields)
    for point in points:
        time = fields.pop(f"{point}{INTERMEDIATE}")
        times.append(time if isinstance(time, int) else None)
    if points:
        fields |= {"intermediate_names": list(points), "intermediate_ms": times}
    return Event(event.line, fields)
