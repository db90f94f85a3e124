"""A lake with one simulated race, written without Spark: silver as the jobs have it, gold from the pure functions."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import write_deltalake

from analysis.comparison.corner_passes import corner_pass_rows
from analysis.dptad.analysis import analyse_lap
from analysis.drivers.fleet import SessionConditions, summarise_fleet
from analysis.drivers.summary import ExternalFigures, summarise_driver
from analysis.pace.driver_laps import build_driver_laps
from analysis.timing.session_laps import (
    LapTelemetry,
    build_session_laps,
    collect_timing,
    entry_row,
    evaluate_session_laps,
    lap_row,
    us_to_datetime,
)
from analysis.tracks.circuit import circuit_from_track
from conf.contract import load_contract
from conf.lake import table_uri
from conf.laps import load_lap_rules
from conf.settings import AppConfig
from medallion.arrow_rows import arrow_rows
from producers.simulator.config import DataFaults, RaceIncidents, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.events import race_events
from serving.lake.reader import LakeReader
from serving.queries.lap_traces import load_lap_trace
from serving.queries.laps import PACE, LapRow, find_best_lap, read_laps

Rows = Iterable[Mapping[str, Any]]
SESSION = "sim-oaks-R1"
_KEPT: list[TemporaryDirectory[str]] = []


@cache
def race_home() -> AppConfig:
    """The settings of a lake with the race, silver and gold; made once, for reading only."""
    home = TemporaryDirectory(prefix="race-")
    _KEPT.append(home)
    settings = AppConfig(slipstream_home=Path(home.name), _env_file=None)
    write_silver(settings, race())
    write_gold(settings, race())
    return settings


@cache
def race_lake() -> LakeReader:
    """A reader of that lake."""
    return LakeReader(race_home())


def copy_race(home: Path) -> AppConfig:
    """A lake of one's own with the race, to add to."""
    shutil.copytree(race_home().lake_root, home / "lake")
    return AppConfig(slipstream_home=home, _env_file=None)


@cache
def race(n_cars: int = 3, n_laps: int = 6, seed: int = 3, rate_hz: float = 10.0) -> VehicleSimulator:
    """A race with a yellow flag; sensors and clocks without fault."""
    return VehicleSimulator(
        SimulatorConfig(
            session_id=SESSION,
            n_cars=n_cars,
            n_laps=n_laps,
            seed=seed,
            rate_hz=rate_hz,
            data_faults=DataFaults.none(),
            race_incidents=RaceIncidents.with_incidents(),
        )
    )


def write_rows(settings: AppConfig, table: str, rows: Rows | pa.Table) -> None:
    """Append rows to a contracted table; columns left out are null."""
    contract = load_contract(table)
    data = _whole(rows, arrow_rows(table, []).schema) if isinstance(rows, pa.Table) else arrow_rows(table, rows)
    write_deltalake(
        table_uri(table, settings), data, mode="append", partition_by=list(contract.partition_columns) or None
    )


def _whole(data: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with columns of nulls for those that it lacks."""
    for field in schema:
        if field.name not in data.column_names:
            data = data.append_column(field, pa.nulls(data.num_rows, field.type))
    return data.select(schema.names).cast(schema)


def write_silver(settings: AppConfig, simulator: VehicleSimulator, track: str | None = "own") -> None:
    """Laps, entries, results, session and telemetry of a race."""
    session = simulator.settings.session_id
    laps = _write_laps(settings, simulator)
    results = [e for e in _events(simulator, "result") if e.is_official]
    taken = ("vehicle_number", "vehicle_id", "position", "position_in_class", "status", "laps", "fl_lap")
    numbers = {car.entered_number: car.vehicle_id for car in simulator.cars}
    write_rows(
        settings,
        "silver.results",
        [
            {name: getattr(e, name) for name in taken}
            | {
                "session_id": session,
                "vehicle_id": numbers[e.vehicle_number],
                "car_number": str(e.vehicle_number),
                "fl_time_s": None if e.fl_time_ms is None else e.fl_time_ms / 1000,
                "total_time_s": e.total_time_ms / 1000,
                "gap_first_s": None if e.gap_first_ms is None else e.gap_first_ms / 1000,
                "vehicle_class": e.vehicle_class,
                "is_official": True,
                "conflicts": [],
            }
            for e in results
        ],
    )
    name = simulator.track.name if track == "own" else track
    write_rows(
        settings,
        "silver.sessions",
        [{"session_id": session, "track_id": name, "start_ts": simulator.start_us, "source": "simulator"}],
    )
    write_rows(settings, "silver.telemetry", _samples(simulator, laps))


def write_gold(settings: AppConfig, simulator: VehicleSimulator) -> None:
    """What the gold jobs make of the race."""
    session = simulator.settings.session_id
    results = {e.vehicle_number: e for e in _events(simulator, "result") if e.is_official}
    by_car: defaultdict[str, list[LapRow]] = defaultdict(list)
    for lap in read_laps(LakeReader(settings), session):
        by_car[lap.vehicle_id].append(lap)
    drivers = []
    for car in simulator.cars:
        result = results.get(car.entered_number)
        known = ExternalFigures(
            driver_id=car.driver_id,
            vehicle_number=car.entered_number,
            vehicle_class="gr86-cup",
            position=result.position if result else None,
            gap_first_s=result.gap_first_ms / 1000 if result and result.gap_first_ms else None,
        )
        drivers.append(
            summarise_driver(build_driver_laps(session, car.vehicle_id, lap_columns(by_car[car.vehicle_id])), known)
        )
    write_rows(settings, "gold.driver_summary", [d.row() for d in drivers])
    write_rows(settings, "gold.siwtl", [d.target.row() for d in drivers])
    write_rows(settings, "gold.stints", [s.row() for d in drivers for s in d.segments])
    write_rows(
        settings, "gold.fleet_summary", [summarise_fleet(session, drivers, SessionConditions(24.0, 33.0, "dry")).row()]
    )
    every = [lap for laps in by_car.values() for lap in laps]
    _write_dptad(settings, simulator, every)
    _write_corner_passes(settings, simulator, every)


def lap_columns(laps: Sequence[LapRow]) -> dict[str, list[Any]]:
    """Columns of ``silver.laps`` as the pace analyses take them."""
    columns = {name: [getattr(lap, name) for lap in laps] for name in ("lap_number", "lap_time_ms", "pit_in")}
    columns |= {name: [getattr(lap, name) for lap in laps] for name in ("fit_for", "flag_at_finish", "top_speed_kmh")}
    return columns | {f"sector_{i + 1}_time": [lap.sectors_s[i] for lap in laps] for i in range(3)}


def _write_laps(settings: AppConfig, simulator: VehicleSimulator) -> list[dict[str, Any]]:
    session, rules = simulator.settings.session_id, load_lap_rules()
    feed = [
        SimpleNamespace(
            **(vars(e) | {"kind": kind, "event_ts": us_to_datetime(e.time_us)}), **_none(e, "lap_time_ms", "car_number")
        )
        for kind in ("lap_start", "lap_end", "lap_time")
        for e in _events(simulator, kind)
    ]
    official = [
        SimpleNamespace(**vars(e), **_none(e, "car_number"), event_ts=us_to_datetime(e.time_us))
        for e in _events(simulator, "sector_times")
    ]
    timing = collect_timing(feed, official, {car.vehicle_id: str(car.number) for car in simulator.cars})
    found = build_session_laps(timing, rules)
    samples = {car.vehicle_id: simulator.samples(car.vehicle_id)["t_us"].to_numpy() for car in simulator.cars}
    driven = {
        (vehicle, lap.number): LapTelemetry(
            int(np.diff(np.searchsorted(samples[vehicle], [lap.start_us, lap.end_us]))[0])
        )
        for vehicle, laps in found.laps.items()
        for lap in laps
        if lap.start_us is not None
    }
    numbers = {e.vehicle_id: e.number for e in found.entries}
    rows = [
        lap_row(vehicle, numbers[vehicle], lap, drive, rules) | {"session_id": session, "is_synthetic": True}
        for vehicle, laps in evaluate_session_laps(found, driven, rules).items()
        for lap, drive in laps
    ]
    write_rows(settings, "silver.laps", rows)
    write_rows(settings, "silver.entries", [entry_row(e) | {"session_id": session} for e in found.entries])
    return rows


def _samples(simulator: VehicleSimulator, laps: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Samples with the number of the lap in whose time they are."""
    frames = []
    for car in simulator.cars:
        own = [(row["lap_start_ts"], row["lap_number"]) for row in laps if row["vehicle_id"] == car.vehicle_id]
        starts = pl.DataFrame(own, schema=["event_ts", "number"], orient="row").sort("event_ts")
        event = pl.from_epoch("t_us", time_unit="us").dt.replace_time_zone("UTC")
        frame = simulator.samples(car.vehicle_id).drop("lap_number").with_columns(event_ts=event, ecu_ts=event)
        starts = starts.with_columns(pl.col("event_ts").dt.cast_time_unit("us"))
        frames.append(frame.sort("event_ts").join_asof(starts, on="event_ts").rename({"number": "lap_number"}))
    known = set(load_contract("silver.telemetry").column_names)
    every = pl.concat(frames).with_columns(
        session_id=pl.lit(simulator.settings.session_id),
        ecu_seq=0,
        clock_source=pl.lit("car"),
        throttle_source=pl.lit("pedal"),
        is_synthetic=True,
    )
    return every.select(c for c in every.columns if c in known).to_arrow()


def _write_dptad(settings: AppConfig, simulator: VehicleSimulator, laps: Sequence[LapRow]) -> None:
    circuit = circuit_from_track(simulator.track)
    scores, events = [], []
    for vehicle in dict.fromkeys(lap.vehicle_id for lap in laps):
        own = [lap for lap in laps if lap.vehicle_id == vehicle and PACE in lap.fit_for]
        best = find_best_lap(own)
        if best is None:
            continue
        reference = load_lap_trace(LakeReader(settings), best, circuit).trace
        for lap in own:
            found = analyse_lap(
                load_lap_trace(LakeReader(settings), lap, circuit).trace, circuit, references=[reference]
            )
            key = {"session_id": lap.session_id, "vehicle_id": vehicle, "lap_number": lap.lap_number}
            scores.append(key | found.columns() | {"is_synthetic": True})
            for event in found.events:
                at = (lap.start_us or 0) + round(event.t_lap_s * 1e6)
                events.append(key | asdict(event) | {"event_ts": at, "thresholds_version": found.thresholds_label})
    write_rows(settings, "gold.dptad_scores", scores)
    names = set(load_contract("gold.dptad_events").column_names)
    write_rows(settings, "gold.dptad_events", [{k: v for k, v in e.items() if k in names} for e in events])


def _write_corner_passes(settings: AppConfig, simulator: VehicleSimulator, laps: Sequence[LapRow]) -> None:
    circuit, reader = circuit_from_track(simulator.track), LakeReader(settings)
    rows = [
        {"session_id": lap.session_id, "vehicle_id": lap.vehicle_id, "lap_number": lap.lap_number} | passed
        for lap in laps
        if lap.is_covered
        for passed in corner_pass_rows(load_lap_trace(reader, lap, circuit).trace, circuit)
    ]
    write_rows(settings, "gold.corner_passes", [row | {"is_synthetic": True} for row in rows])


@cache
def _events(simulator: VehicleSimulator, kind: str) -> tuple[SimpleNamespace, ...]:
    wanted = f"slipstream.{kind}.v1"
    found = [json.loads(e.payload) for e in race_events(simulator) if e.event_type == wanted]
    return tuple(SimpleNamespace(**payload) for payload in found)


def _none(event: SimpleNamespace, *names: str) -> dict[str, None]:
    return {name: None for name in names if not hasattr(event, name)}
