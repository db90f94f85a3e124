"""The weather station's readings, about one a minute."""

from __future__ import annotations

from dataclasses import replace

from producers.replay.cell_parsers import epoch_s_to_us, more_than_none, number
from producers.replay.tables import Event, Field, Parsed, Table, parse_rows

# Wind speeds are whole multiples of 0.36: tenths of a metre per second, written in km/h.
FIELDS = (
    Field("time_us", "TIME_UTC_SECONDS", epoch_s_to_us),
    Field("air_temp_c", "AIR_TEMP", number),
    Field("track_temp_c", "TRACK_TEMP", number),
    Field("humidity_pct", "HUMIDITY", number),
    Field("pressure_mbar", "PRESSURE", number),
    Field("wind_speed_kmh", "WIND_SPEED", number),
    Field("wind_dir_deg", "WIND_DIRECTION", number),
    Field("rain", "RAIN", more_than_none),
)


def parse_weather(table: Table) -> Parsed:
    """The readings. A track temperature of 0 throughout comes from a station without that sensor: it becomes None."""
    parsed = parse_rows(table, FIELDS)
    if {event.fields["track_temp_c"] for event in parsed.events} != {0.0}:
        return parsed
    events = tuple(Event(event.line, {**event.fields, "track_temp_c": None}) for event in parsed.events)
    return replace(parsed, events=events, notes=("TRACK_TEMP is 0 throughout: no such sensor, sent as null",))
