"""Silver of the peer: samples with their event time and lap, clocks, entries, laps, results, sessions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from analysis.timing.car_numbers import match_number, number_of_row
from analysis.timing.laps import JudgedLap
from analysis.timing.session_laps import (
    LapTelemetry,
    build_session_laps,
    collect_timing,
    entry_row,
    evaluate_session_laps,
    lap_row,
    us_to_datetime,
)
from benchmarks.lap_peer.store import DeltaStore, instant, quoted
from conf.channel import load_channels
from conf.contract import load_contract
from conf.laps import load_lap_rules
from conf.tables import (
    SILVER_CLOCK_OFFSETS,
    SILVER_ENTRIES,
    SILVER_LAPS,
    SILVER_RESULT_LINES,
    SILVER_RESULTS,
    SILVER_SECTOR_TIMES,
    SILVER_SESSIONS,
    SILVER_TELEMETRY,
    SILVER_TIMING_EVENTS,
)
from medallion.per_vehicle import order_by_time
from medallion.silver.clock_offsets import in_order_of_arrival, restate_vehicle
from medallion.silver.driven_laps import drive_laps, lap_numbers, lap_sources, laps_of_samples
from medallion.silver.event_time import segment_rows, session_row
from medallion.silver.laps import lap_intervals, vehicles_with_moved_laps
from medallion.silver.results import result_row
from medallion.silver.telemetry_outcomes import derived_columns

_CLOCK = (
    *("session_id", "vehicle_id", "ecu_ts", "ecu_seq", "arrival_ts", "event_ts", "clock_source", "n_readings"),
    *("lap_number", "lap_source", "lap_number_raw", "speed_kmh", "lap_distance_m", "driver_id", "is_synthetic"),
)
_IN_US = {"ecu_us": "ecu_ts", "arrival_us": "arrival_ts", "event_us": "event_ts"}
_COMPARED = (
    *("lap_start_ts", "lap_end_ts", "lap_time_ms", "sector_1_time", "sector_2_time", "sector_3_time", "is_valid"),
    *("invalid_reasons", "fit_for", "flag_at_finish", "pit_in", "sample_count", "top_speed_kmh", "lap_distance_m"),
)
_FOUND = (
    *("sample_count", "telemetry_gap_s", "lap_number_counter", "top_speed_kmh", "avg_speed_kmh", "lap_distance_m"),
    "driver_id",
)
LapKey = tuple[str, int]
"""Vehicle and lap number."""


@dataclass(frozen=True)
class SessionUpdate:
    """What a batch has changed of one session.

    Attributes:
        laps: All rows of ``silver.laps``, as they are now.
        changed_laps: Of these, the ones that are new or different.
        spans_us: First and last instant of the samples that came or moved, by vehicle.
    """

    session_id: str
    laps: Sequence[Mapping[str, Any]]
    changed_laps: frozenset[LapKey]
    spans_us: Mapping[str, tuple[int, int]]


def sample_rows(samples: pl.DataFrame) -> pl.DataFrame:
    """Gated samples of frames as rows of ``silver.telemetry``, their event time and lap still those of the car."""
    registry = load_channels()
    sent = {
        mapping.channel: (name, mapping.factor) for name, mapping in registry.sources["slipstream"].channels.items()
    }

    def channel(name: str, kind: Any) -> pl.Expr:
        field, factor = sent.get(name, ("", 1.0))
        if field not in samples.columns:
            return pl.lit(None, kind).alias(name)
        return (pl.col(field) if factor == 1.0 else pl.col(field) * factor).cast(kind).alias(name)

    kinds = {c.name: pl.Int32() if c.type == "INT" else pl.Float64() for c in registry.channels}
    wide = samples.with_columns(lap_number_raw=pl.col("lap_number").cast(pl.Int32))
    wide = wide.with_columns(channel(name, kind) for name, kind in kinds.items())
    wide = wide.with_columns(
        ecu_seq=pl.lit(0, pl.Int32),
        event_ts=pl.col("ecu_ts"),
        arrival_ts=pl.from_epoch("arrival_us", time_unit="us").dt.replace_time_zone("UTC"),
        **derived_columns(wide),
        bronze_offset_min=pl.col("bronze_offset"),
        bronze_offset_max=pl.col("bronze_offset"),
        n_readings=pl.lit(1, pl.Int32),
        event_date=pl.col("ecu_ts").dt.date(),
    )
    columns = load_contract(SILVER_TELEMETRY).columns
    nothing = {"STRING": pl.String(), "INT": pl.Int32(), "ARRAY<STRING>": pl.List(pl.String())}
    return wide.select(
        pl.col(c.name) if c.name in wide.columns else pl.lit(None, nothing[c.physical_type]).alias(c.name)
        for c in columns
    )


def update_session(store: DeltaStore, session_id: str, new: pl.DataFrame) -> SessionUpdate:
    """Write a session's new samples and bring all of its silver up to date; its events are written already."""
    mine, rules = pl.col("session_id") == session_id, load_lap_rules()
    before = {(r.vehicle_id, r.lap_number): r for r in store.rows(SILVER_LAPS, mine, _laps_columns())}
    known = store.read(SILVER_CLOCK_OFFSETS, mine, ["vehicle_id"])["vehicle_id"].to_list()
    fresh = new["vehicle_id"].unique().to_list()
    timing = collect_timing(
        store.rows(SILVER_TIMING_EVENTS, mine),
        store.rows(SILVER_SECTOR_TIMES, mine),
        dict.fromkeys(sorted({*known, *fresh}), None),
        store.rows(SILVER_RESULT_LINES, mine),
    )
    session = build_session_laps(timing, rules)
    stale = ({*fresh} | vehicles_with_moved_laps(session, before)) & {*timing.numbers}
    samples = _read_clocks(store, session_id, stale, new)
    restated = {vehicle: _restate(frame) for vehicle, frame in samples.items()}
    driven = {key: LapTelemetry(*(row[c] for c in _FOUND)) for key, row in before.items() if key[0] not in stale}
    counted: dict[str, list[JudgedLap]] = {}
    for vehicle, frame in restated.items():
        timed = lap_intervals(session.laps[vehicle]) if vehicle in session.laps else None
        found = drive_laps(frame, timed)
        driven |= {(vehicle, lap[0]): LapTelemetry(*lap[5:]) for lap in found}
        if timed is None:
            counted[vehicle] = [_lap_by_counter(lap) for lap in found]
        else:
            numbers = lap_numbers(frame["event_us"].to_numpy(np.int64), laps_of_samples(frame, timed))
            frame["lap_number"] = numbers
            frame["lap_source"] = lap_sources(numbers, frame)
    _write_samples(store, session_id, restated, new)
    _write_clocks(store, session_id, restated)
    whole = replace(session, laps=dict(session.laps) | counted)
    synthetic = {v for v, frame in restated.items() if frame["is_synthetic"].eq(True).any()}
    synthetic |= {v for (v, _), row in before.items() if row.is_synthetic}
    numbers_of = {e.vehicle_id: e.number for e in session.entries}
    laps = [
        lap_row(vehicle, numbers_of.get(vehicle), lap, drive, rules)
        | {"session_id": session_id, "is_synthetic": vehicle in synthetic}
        for vehicle, found in evaluate_session_laps(whole, driven, rules).items()
        for lap, drive in found
    ]
    only = f"session_id = {quoted([session_id])}"
    entries = [entry_row(e) | {"session_id": session_id} for e in session.entries]
    store.replace_rows(SILVER_ENTRIES, entries, only)
    store.replace_rows(SILVER_LAPS, laps, only)
    _write_results(store, session_id, entries)
    _write_session(store, session_id)
    changed = frozenset(_key(lap) for lap in laps if _differs(lap, before.get(_key(lap))))
    return SessionUpdate(session_id, laps, changed, _spans(restated))


def _read_clocks(
    store: DeltaStore, session_id: str, vehicles: Collection[str], new: pl.DataFrame
) -> dict[str, pd.DataFrame]:
    """All samples of vehicles, stored and new, with what clocks and laps need; ``is_new`` tells them apart."""
    mine = (pl.col("session_id") == session_id) & pl.col("vehicle_id").is_in(sorted(vehicles))
    stored = store.read(SILVER_TELEMETRY, mine, _CLOCK).with_columns(is_new=pl.lit(value=False))
    come = new.filter(mine).select(_CLOCK).with_columns(is_new=pl.lit(value=True))
    in_us = {name: pl.col(column).dt.epoch("us") for name, column in _IN_US.items()}
    both = pl.concat([stored, come]).with_columns(**in_us).drop(_IN_US.values())
    return {str(key[0]): rows.to_pandas() for key, rows in both.partition_by("vehicle_id", as_dict=True).items()}


def _restate(frame: pd.DataFrame) -> pd.DataFrame:
    """Samples of one vehicle in order of time, by the clock's envelope; ``old_*`` is what they said before."""
    frame = in_order_of_arrival(frame)
    found = restate_vehicle(frame)
    frame = frame.rename(columns={c: f"old_{c}" for c in ("event_us", "clock_source", "lap_number", "lap_source")})
    frame["event_us"] = found["event_ts"].astype("datetime64[us]").astype(np.int64)
    frame["t_us"] = frame["event_us"]
    frame["lap_number"], frame["lap_source"] = frame["old_lap_number"], frame["old_lap_source"]
    for name in ("clock_source", "segment", "offset_us", "drift_ppm", "spread_us"):
        frame[name] = found[name]
    return order_by_time(frame)


def _touched(frame: pd.DataFrame) -> pd.Series:
    """Samples that are new, or have another time or lap than before."""
    same = frame["event_us"] == frame["old_event_us"]
    for name in ("clock_source", "lap_number", "lap_source"):
        before, now = frame[f"old_{name}"], frame[name]
        same &= (before == now) | (before.isna() & now.isna())
    return frame["is_new"] | ~same


def _spans(restated: Mapping[str, pd.DataFrame]) -> dict[str, tuple[int, int]]:
    found = {}
    for vehicle, frame in restated.items():
        rows = frame[_touched(frame)]
        if len(rows):
            ends = pd.concat([rows["event_us"], rows.loc[~rows["is_new"], "old_event_us"]])
            found[vehicle] = (int(ends.min()), int(ends.max()))
    return found


def _write_samples(store: DeltaStore, session_id: str, restated: Mapping[str, pd.DataFrame], new: pl.DataFrame) -> None:
    """Append the new samples; where stored ones have moved, put all from the first of these in place of them."""
    touched = {vehicle: frame[_touched(frame)] for vehicle, frame in restated.items()}
    touched = {vehicle: rows for vehicle, rows in touched.items() if len(rows)}
    moved, parts, conditions = any(not rows["is_new"].all() for rows in touched.values()), [], []
    for vehicle, changed in touched.items():
        mine, since = pl.col("vehicle_id") == vehicle, int(changed["ecu_us"].min())
        rows = new.filter(mine)
        if moved:
            later = (pl.col("session_id") == session_id) & mine & (pl.col("ecu_ts") >= us_to_datetime(since))
            rows = pl.concat([store.read(SILVER_TELEMETRY, later, new.columns), rows])
            conditions.append(f"(vehicle_id = {quoted([vehicle])} AND ecu_ts >= {instant(since)})")
        parts.append(_with_findings(rows, restated[vehicle]))
    if moved:
        where = f"session_id = {quoted([session_id])} AND ({' OR '.join(conditions)})"
        store.replace(SILVER_TELEMETRY, pl.concat(parts), where)
    elif parts:
        store.append(SILVER_TELEMETRY, pl.concat(parts))


def _with_findings(rows: pl.DataFrame, frame: pd.DataFrame) -> pl.DataFrame:
    """Rows with the event time and lap that were found."""
    found = pl.DataFrame(
        {
            "ecu_ts": frame["ecu_us"].to_numpy(),
            "ecu_seq": frame["ecu_seq"].to_numpy(np.int32),
            "event_ts": frame["event_us"].to_numpy(),
            "clock_source": frame["clock_source"].astype(str).to_list(),
            "lap_number": pl.from_pandas(frame["lap_number"]),
            "lap_source": frame["lap_source"].astype(object).where(frame["lap_source"].notna(), None).to_list(),
        },
        schema_overrides={"lap_source": pl.String},
    ).with_columns(
        *(pl.from_epoch(name, time_unit="us").dt.replace_time_zone("UTC") for name in ("ecu_ts", "event_ts")),
        pl.col("lap_number").cast(pl.Float64).fill_nan(None).cast(pl.Int32),
    )
    columns = rows.columns
    kept = rows.drop("event_ts", "clock_source", "lap_number", "lap_source")
    joined = kept.join(found, on=["ecu_ts", "ecu_seq"], how="left", maintain_order="left")
    return joined.with_columns(event_date=pl.col("event_ts").dt.date()).select(columns)


def _write_clocks(store: DeltaStore, session_id: str, restated: Mapping[str, pd.DataFrame]) -> None:
    rows = [row for frame in restated.values() for row in segment_rows(frame)]
    if rows:
        mine = f"session_id = {quoted([session_id])} AND vehicle_id IN ({quoted(restated)})"
        store.replace_rows(SILVER_CLOCK_OFFSETS, rows, mine)


def _write_results(store: DeltaStore, session_id: str, entries: Sequence[Mapping[str, Any]]) -> None:
    by_number: defaultdict[str, list[Any]] = defaultdict(list)
    for line in store.rows(SILVER_RESULT_LINES, pl.col("session_id") == session_id):
        by_number[number_of_row(line) or ""].append(line)
    vehicles = {match_number(e["car_number"], by_number): e["vehicle_id"] for e in entries}
    rows = [result_row(n, lines, vehicles.get(n)) | {"session_id": session_id} for n, lines in by_number.items()]
    if rows:
        store.replace_rows(SILVER_RESULTS, rows, f"session_id = {quoted([session_id])}")


def _write_session(store: DeltaStore, session_id: str) -> None:
    columns = ["vehicle_id", "track_id", "event_ts", "source", "is_synthetic"]
    rows = store.read(SILVER_TELEMETRY, pl.col("session_id") == session_id, columns)
    part = {
        "track_id_max": rows["track_id"].max(),
        "event_ts_min": rows["event_ts"].min(),
        "event_ts_max": rows["event_ts"].max(),
        "vehicle_id_distinct": rows["vehicle_id"].unique().to_list(),
        "vehicle_id_count": rows.height,
        "source_max": rows["source"].max(),
        "is_synthetic_max": rows["is_synthetic"].max(),
    }
    if rows.height:
        where = f"session_id = {quoted([session_id])}"
        store.replace_rows(SILVER_SESSIONS, [session_row(session_id, [part], None)], where)


def _laps_columns() -> list[str]:
    return ["session_id", "vehicle_id", "lap_number", *dict.fromkeys((*_COMPARED, *_FOUND)), "is_synthetic"]


def _key(lap: Mapping[str, Any]) -> LapKey:
    return lap["vehicle_id"], lap["lap_number"]


def _differs(lap: Mapping[str, Any], before: Any) -> bool:
    return before is None or any(lap[name] != before[name] for name in _COMPARED)


def _lap_by_counter(lap: tuple[Any, ...]) -> JudgedLap:
    number, start, end, reasons, conflicts = lap[:5]
    time_ms = round((end - start) / 1000)
    return JudgedLap(number, "telemetry", start, end, time_ms, reasons=tuple(reasons), conflicts=tuple(conflicts))
