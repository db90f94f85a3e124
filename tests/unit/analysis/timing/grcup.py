"""The published timing files as the timing functions take them, read with nothing of ours."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl

from analysis.timing.car_numbers import number_in_vehicle_id
from analysis.timing.crossings import FeedEvent, find_crossings
from analysis.timing.entries import Entry, fit_clock, match_entries
from analysis.timing.laps import OfficialTimingLap

FEEDS = {
    ("barber", 1): "R1_barber_lap_{kind}.csv",
    ("barber", 2): "R2_barber_lap_{kind}.csv",
    ("vir", 1): "vir_lap_{kind}_R1.csv",
    ("vir", 2): "vir_lap_{kind}_R2.csv",
    ("indianapolis", 1): "R1_indianapolis_motor_speedway_lap_{kind}.csv",
    ("indianapolis", 2): "R2_indianapolis_motor_speedway_lap_{kind}.csv",
}


def ms(text: str | None) -> int | None:
    """``1:37.428`` in milliseconds."""
    if not text:
        return None
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return round(total * 1000)


def feed(data: Path, place: str, race: int) -> dict[str, list[FeedEvent]]:
    """Events of the feed by vehicle; the copy of another race's file is left out."""
    events: defaultdict[str, list[FeedEvent]] = defaultdict(list)
    for kind in ("start", "end", "time"):
        frame = pl.read_csv(data / "grcup" / place / FEEDS[place, race].format(kind=kind), infer_schema=False)
        if frame["meta_session"][0] != f"R{race}":
            continue
        at = frame["timestamp"].str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us").dt.epoch("us")
        values = frame["value"] if kind == "time" and "value" in frame.columns else [None] * frame.height
        for vehicle, lap, t, value in zip(frame["vehicle_id"], frame["lap"], at, values, strict=True):
            event = FeedEvent(f"lap_{kind}", t, int(lap), None if value is None else int(value))
            events[vehicle].append(event)
    return dict(events)


def official(data: Path, place: str, race: int) -> dict[str, list[dict[str, str]]]:
    """Rows of the sector file by number; none where there is no such file."""
    found = list((data / "grcup" / place).glob(f"23_*Race {race}_*"))
    if not found:
        return {}
    frame = pl.read_csv(found[0], separator=";", infer_schema=False)
    frame = frame.rename({c: c.strip() for c in frame.columns})
    rows: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in frame.to_dicts():
        rows[row["NUMBER"]].append(row)
    return dict(rows)


def race(
    data: Path, place: str, number: int
) -> tuple[list[Entry], dict[str, list], dict[str, list[OfficialTimingLap]]]:
    """Entries, crossings by vehicle and official laps by vehicle of one race."""
    events, sheets = feed(data, place, number), official(data, place, number)
    crossings = {v: find_crossings(e) for v, e in events.items()}
    times = {v: np.array([c.time_us for c in cs], dtype=np.int64) for v, cs in crossings.items()}
    days = {n: np.array([ms(r["HOUR"]) or 0 for r in rows], dtype=np.int64) * 1000 for n, rows in sheets.items()}
    clock = fit_clock(np.concatenate(list(times.values())), np.concatenate([*days.values(), np.empty(0, np.int64)]))
    placed = {n: clock.to_feed_us(at) for n, at in days.items()} if clock else {}
    entries = match_entries(times, {v: number_in_vehicle_id(v) for v in times}, placed)
    laps = {
        e.vehicle_id: [official_lap(r, int(us)) for r, us in zip(sheets[e.number], placed[e.number], strict=True)]
        for e in entries
        if e.number in placed
    }
    return entries, crossings, laps


def official_lap(row: dict[str, str], end_us: int) -> OfficialTimingLap:
    """A row of the sector file."""
    sectors = tuple(None if not row[f"S{i}_SECONDS"] else round(float(row[f"S{i}_SECONDS"]) * 1000) for i in (1, 2, 3))
    return OfficialTimingLap(
        int(row["LAP_NUMBER"]),
        ms(row["LAP_TIME"]),
        sectors,
        end_us,
        row["FLAG_AT_FL"],
        row["CROSSING_FINISH_LINE_IN_PIT"] == "B",
        ms(row["PIT_TIME"]),
    )
