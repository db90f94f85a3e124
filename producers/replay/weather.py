"""The weather station's readings, about one a minute."""

from __future__ import annotations

from dataclasses import replace

from producers.replay.cell_parsers import is_above_zero, parse_epoch_us, parse_number
from producers.replay.tables import ParsedSheet, SheetEvent, SheetField, SheetTable, parse_sheet_rows

# Wind speeds are whole multiples of 0.36: tenths of a metre per second, written in km/h.
FIELDS = (
    SheetField("time_us", "TIME_UTC_SECONDS", parse_epoch_us, required=True),
    SheetField("air_temp_c", "AIR_TEMP", parse_number),
    SheetField("track_temp_c", "TRACK_TEMP", parse_number),
    SheetField("humidity_pct", "HUMIDITY", parse_number),
    SheetField("pressure_mbar", "PRESSURE", parse_number),
    SheetField("wind_speed_kmh", "WIND_SPEED", parse_number),
    SheetField("wind_dir_deg", "WIND_DIRECTION", parse_number),
    SheetField("rain", "RAIN", is_above_zero),
)


def parse_weather(table: SheetTable) -> ParsedSheet:
    """The readings. A track temperature of 0 throughout comes from a station without that sensor: it becomes None."""
    parsed = parse_sheet_rows(table, FIELDS)
    if {event.fields["track_temp_c"] for event in parsed.events} != {0.0}:
        return parsed
    events = tuple(SheetEvent(event.line, {**event.fields, "track_temp_c": None}) for event in parsed.events)
    return replace(
        parsed, events=events, notes=(*parsed.notes, "TRACK_TEMP is 0 throughout: no such sensor, sent as null")
    )
