"""Gold of the peer: windows, buckets, features, even grids, anomaly scores and summaries of what has changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa

from analysis.dptad import Thresholds, calibrate_thresholds
from analysis.dptad.calibrate import FEWEST_LAPS
from analysis.dptad.reference import reference_times_s
from analysis.drivers.summary import ExternalFigures, summarise_driver
from analysis.laps.features import LAP_CHANNELS, REACH_US
from analysis.timing.crews import usual_drivers
from analysis.timing.session_laps import datetime_to_us, us_to_datetime
from analysis.track_build.rows import load_own_circuit, spread_evenly
from analysis.tracks.circuit import Circuit
from benchmarks.lap_peer.silver import LapKey, SessionUpdate
from benchmarks.lap_peer.store import RUN_ID, DeltaStore, instant, quoted
from conf.contract import load_contract
from conf.tables import (
    GOLD_DPTAD_SCORES,
    GOLD_DPTAD_THRESHOLDS,
    GOLD_DRIVER_COMPARISON,
    GOLD_DRIVER_SUMMARY,
    GOLD_FLEET_SUMMARY,
    GOLD_LAP_FEATURES,
    GOLD_SIWTL,
    GOLD_STINTS,
    GOLD_TELEMETRY_BUCKETS,
    GOLD_TELEMETRY_WINDOWS,
    SILVER_ENTRIES,
    SILVER_ENVIRONMENT,
    SILVER_RESULTS,
    SILVER_SESSIONS,
    SILVER_TELEMETRY,
    SILVER_TELEMETRY_100HZ,
)
from medallion import keys
from medallion.arrow_rows import arrow_frame, nan_to_null, stamp_rows
from medallion.gold import driver_comparison, driver_summary, fleet_summary, siwtl, stints
from medallion.gold.dptad import ScoringContext
from medallion.gold.dptad_thresholds import UNCALIBRATED, TrackCalibration
from medallion.gold.lap_analyses import analyse_lap_frame, analysis_tables
from medallion.gold.lap_features import vehicle_features
from medallion.gold.refresh.changed_samples import WINDOW_REACH_US
from medallion.gold.session_drivers import SessionDrivers, laps_by_vehicle, mean_scores, session_conditions
from medallion.gold.telemetry_buckets import vehicle_buckets
from medallion.gold.telemetry_windows import vehicle_windows
from medallion.gold.timed_laps import TimedLap
from medallion.per_vehicle import EXTRAS, OfVehicle, compute_by_vehicle, order_by_time
from medallion.silver.environment import SessionWeather, weather_from_rows
from medallion.silver.lap_traces import CHANNELS, build_traces
from medallion.silver.telemetry_100hz import PURPOSES, resample_lap_frame

_UNFIT = ("wear", "style")
_KEY = ["session_id", "vehicle_id", "lap_number"]
_DOUBLES = tuple(dict.fromkeys((*LAP_CHANNELS, *CHANNELS)))
_READ = tuple(dict.fromkeys((*_KEY, "event_ts", "ecu_seq", "clock_source", *EXTRAS, *_DOUBLES)))
_MOST_LAPS = 120
_THRESHOLDS = ("track_id", "version", "name", "value", "unit", "n_laps", "sessions")


def update_gold(store: DeltaStore, update: SessionUpdate) -> None:
    """Bring gold up to date with what has changed of a session in silver."""
    session, mine = update.session_id, pl.col("session_id") == update.session_id
    laps = {(lap["vehicle_id"], lap["lap_number"]): lap for lap in update.laps}
    near = _laps_near(update)
    finished = {
        key for key, lap in laps.items() if "incomplete" not in lap["invalid_reasons"] or key not in _last(laps)
    }
    judged = sorted(update.changed_laps | (near & finished))
    affected = sorted(update.changed_laps | near)
    if not affected and not update.spans_us:
        return
    columns = ("event_ts", "air_temp_c", "track_temp_c", "rain")
    weather = weather_from_rows(
        (datetime_to_us(r.event_ts), r.air_temp_c, r.track_temp_c, r.rain)
        for r in store.rows(SILVER_ENVIRONMENT, mine, columns)
    )
    samples = _read_samples(store, update, affected)
    _write_windows(store, update, samples)
    _write_lap_features(store, session, [laps[key] for key in affected], weather, samples)
    frames = [*_lap_frames(samples, [laps[key] for key in judged])]
    context = _scoring_context(store, session, update.laps)
    _write_even_laps(store, session, judged, frames, context.circuit)
    _write_analyses(store, session, judged, frames, context)
    _write_drivers(store, update, weather, sorted({vehicle for vehicle, _ in judged}))


def _laps_near(update: SessionUpdate) -> set[LapKey]:
    """Laps with samples that came or moved, or that lie within reach of their features."""
    found = set()
    for lap in update.laps:
        span, timed = update.spans_us.get(lap["vehicle_id"]), _interval(lap)
        if span and timed and timed[0] - REACH_US <= span[1] and span[0] <= timed[1] + REACH_US:
            found.add((lap["vehicle_id"], lap["lap_number"]))
    return found


def _interval(lap: Mapping[str, Any]) -> tuple[int, int] | None:
    start, end = datetime_to_us(lap["lap_start_ts"]), datetime_to_us(lap["lap_end_ts"])
    return None if start is None or end is None else (start, end)


def _last(laps: Mapping[LapKey, Any]) -> set[LapKey]:
    return set({vehicle: (vehicle, number) for vehicle, number in sorted(laps)}.values())


def _read_samples(store: DeltaStore, update: SessionUpdate, affected: Sequence[LapKey]) -> pd.DataFrame:
    """All samples that windows and laps are computed from, in one read."""
    laps = {(lap["vehicle_id"], lap["lap_number"]): lap for lap in update.laps}
    spans: defaultdict[str, list[int]] = defaultdict(list)
    for vehicle, (first, last) in update.spans_us.items():
        spans[vehicle] += [first - 2 * WINDOW_REACH_US, last + WINDOW_REACH_US]
    for key in affected:
        timed = _interval(laps[key])
        if timed:
            spans[key[0]] += [timed[0] - REACH_US, timed[1] + REACH_US]
    near = [
        (pl.col("vehicle_id") == vehicle)
        & pl.col("event_ts").is_between(us_to_datetime(min(ends)), us_to_datetime(max(ends)))
        for vehicle, ends in sorted(spans.items())
    ]
    rows = store.read(
        SILVER_TELEMETRY,
        (pl.col("session_id") == update.session_id) & pl.any_horizontal(near or [pl.lit(value=False)]),
        _READ,
    )
    doubles = [pl.col(name).cast(pl.Float64) for name in _DOUBLES]
    at = pl.col("event_ts").dt.epoch("us").alias("t_us")
    return rows.with_columns(*doubles, at).drop("event_ts").to_pandas()


def of_vehicles(table: str, samples: pd.DataFrame, function: OfVehicle) -> pa.Table:
    """What a function finds in each vehicle's samples, as rows of a table."""
    return stamp_rows(compute_by_vehicle(samples, function, load_contract(table)), RUN_ID)


def _write_windows(store: DeltaStore, update: SessionUpdate, samples: pd.DataFrame) -> None:
    inside = {vehicle: (first, last + WINDOW_REACH_US) for vehicle, (first, last) in update.spans_us.items()}
    rows = pl.from_arrow(of_vehicles(GOLD_TELEMETRY_WINDOWS, samples, vehicle_windows))
    assert isinstance(rows, pl.DataFrame)
    ends = [
        (pl.col("vehicle_id") == vehicle)
        & pl.col("window_end_ts").is_between(us_to_datetime(first), us_to_datetime(last))
        for vehicle, (first, last) in inside.items()
    ]
    if ends:
        spans = " OR ".join(
            f"(vehicle_id = {quoted([vehicle])} AND window_end_ts BETWEEN {instant(first)} AND {instant(last)})"
            for vehicle, (first, last) in inside.items()
        )
        where = f"session_id = {quoted([update.session_id])} AND ({spans})"
        store.replace(GOLD_TELEMETRY_WINDOWS, rows.filter(pl.any_horizontal(ends)), where)


def _write_lap_features(
    store: DeltaStore,
    session: str,
    laps: Sequence[Mapping[str, Any]],
    weather: SessionWeather,
    samples: pd.DataFrame,
) -> None:
    if not laps:
        return
    where = _laps_sql(session, [(lap["vehicle_id"], lap["lap_number"]) for lap in laps])
    wanted: defaultdict[keys.Vehicle, list[TimedLap]] = defaultdict(list)
    for lap in laps:
        wanted[session, lap["vehicle_id"]].append(timed_lap(lap))
    here = samples[samples["vehicle_id"].isin({vehicle for _, vehicle in wanted})]
    rows = of_vehicles(GOLD_LAP_FEATURES, here, vehicle_features(dict(wanted), {session: weather}))
    store.replace(GOLD_LAP_FEATURES, rows, where)
    numbers = pd.MultiIndex.from_tuples([(lap["vehicle_id"], lap["lap_number"]) for lap in laps])
    own = here[pd.MultiIndex.from_frame(here[["vehicle_id", "lap_number"]]).isin(numbers)]
    store.replace(GOLD_TELEMETRY_BUCKETS, of_vehicles(GOLD_TELEMETRY_BUCKETS, own, vehicle_buckets), where)


def timed_lap(lap: Mapping[str, Any]) -> TimedLap:
    """A row of ``silver.laps`` as the features take it."""
    start_us, end_us = _interval(lap) or (None, None)
    return TimedLap(
        keys.LapKey(lap["session_id"], lap["vehicle_id"], lap["lap_number"]),
        start_us,
        end_us,
        is_complete="incomplete" not in lap["invalid_reasons"],
        lap_time_ms=lap["lap_time_ms"],
        sectors_s=tuple(lap[f"sector_{i}_time"] for i in (1, 2, 3)),
        is_valid=lap["is_valid"],
        samples=lap["sample_count"] or 0,
    )


def _lap_frames(samples: pd.DataFrame, laps: Sequence[Mapping[str, Any]]) -> Iterator[pd.DataFrame]:
    """Samples of each lap that has a start, an end and samples, in order of time, with what its row says."""
    by_lap = dict(iter(samples.groupby(["vehicle_id", "lap_number"], sort=False)))
    for lap in laps:
        timed, found = _interval(lap), by_lap.get((lap["vehicle_id"], lap["lap_number"]))
        if timed is None or timed[0] >= timed[1] or found is None:
            continue
        frame = order_by_time(found)
        unfit = (reason for purpose in _UNFIT for reason in lap["unfit_for"].get(purpose) or ())
        frame["start_us"], frame["end_us"] = timed
        for name, value in (("fit_for", lap["fit_for"]), ("against", list(dict.fromkeys(unfit)))):
            frame[name] = pd.Series([value] * len(frame), dtype=object)
        yield frame


def _write_even_laps(
    store: DeltaStore, session: str, laps: Sequence[LapKey], frames: Sequence[pd.DataFrame], circuit: Circuit | None
) -> None:
    if not laps:
        return
    fit = (frame for frame in frames if not {*PURPOSES}.isdisjoint(frame["fit_for"].iloc[0]))
    found = [even for frame in fit if (even := resample_lap_frame(frame, circuit)) is not None]
    rows = arrow_frame(SILVER_TELEMETRY_100HZ, pd.concat(found) if found else pd.DataFrame())
    store.replace(SILVER_TELEMETRY_100HZ, stamp_rows(rows, RUN_ID), _laps_sql(session, laps))


def _scoring_context(store: DeltaStore, session: str, laps: Sequence[Mapping[str, Any]]) -> ScoringContext:
    tracks = store.read(SILVER_SESSIONS, pl.col("session_id") == session, ["track_id"])["track_id"].to_list()
    circuit = load_own_circuit(tracks[0]) if tracks and tracks[0] else None
    if circuit is None:
        return ScoringContext(None, UNCALIBRATED)
    rows = store.rows(GOLD_DPTAD_THRESHOLDS, pl.col("track_id") == circuit.track_id)
    if not rows:
        return ScoringContext(circuit, _first_calibration(store, session, circuit, laps))
    version = max(r.version for r in rows)
    values = {r["name"]: r.value for r in rows if r.version == version}
    stretches = {int(name.split(".")[1]): values.pop(name) for name in [*values] if name.startswith("stretch.")}
    of = next(r for r in rows if r.version == version)
    thresholds = Thresholds.from_rows(circuit.track_id, version, values.items(), of.n_laps, of.sessions)
    return ScoringContext(circuit, TrackCalibration(thresholds, dict(sorted(stretches.items()))))


def _first_calibration(
    store: DeltaStore, session: str, circuit: Circuit, laps: Sequence[Mapping[str, Any]]
) -> TrackCalibration:
    """Thresholds of a track that has none, from the session's laps that are fit for pace."""
    ready = [lap for lap in laps if "pace" in lap["fit_for"] and lap["sample_count"] and _interval(lap)]
    if len(ready) < FEWEST_LAPS:
        return UNCALIBRATED
    chosen = spread_evenly(sorted(ready, key=lambda lap: (lap["vehicle_id"], lap["lap_number"])), _MOST_LAPS)
    at = pl.col("event_ts").dt.epoch("us").alias("t_us")
    rows = store.read(SILVER_TELEMETRY, pl.col("session_id") == session, _READ)
    samples = rows.with_columns(*(pl.col(c).cast(pl.Float64) for c in _DOUBLES), at).to_pandas()
    traces = [trace for _, trace in build_traces(_lap_frames(samples, chosen), {session: circuit})]
    thresholds = calibrate_thresholds(traces, circuit.track_id, 1, circuit, [session])
    made = TrackCalibration(thresholds, reference_times_s(traces, circuit))
    rows_of = [dict(zip(_THRESHOLDS, row, strict=True)) for row in made.rows()]
    store.replace_rows(GOLD_DPTAD_THRESHOLDS, rows_of, f"track_id = {quoted([circuit.track_id])}")
    return made


def _write_analyses(
    store: DeltaStore, session: str, laps: Sequence[LapKey], frames: Sequence[pd.DataFrame], context: ScoringContext
) -> None:
    if not laps:
        return
    found = analysis_tables([analyse_lap_frame(frame, context) for frame in frames])
    for table, rows in found.items():
        store.replace(table, stamp_rows(nan_to_null(rows), RUN_ID), _laps_sql(session, laps))


def _write_drivers(
    store: DeltaStore, update: SessionUpdate, weather: SessionWeather, vehicles: Collection[str]
) -> None:
    if not vehicles:
        return
    session, mine = update.session_id, pl.col("session_id") == update.session_id
    of_laps = [
        {**lap, **{f"{end}_us": datetime_to_us(lap[f"lap_{end}_ts"]) for end in ("start", "end")}}
        for lap in update.laps
    ]
    categories = [f"{name}_score" for name in ("brake", "throttle", "steering", "speed", "overall")]
    scores = mean_scores(store.rows(GOLD_DPTAD_SCORES, mine, [*_KEY, *categories]))
    entries = {r.vehicle_id: r for r in store.rows(SILVER_ENTRIES, mine)}
    results = {r.vehicle_id: r for r in store.rows(SILVER_RESULTS, mine)}
    drivers, drove = [], usual_drivers(lap | {"session_id": session} for lap in of_laps)
    for vehicle, driven in laps_by_vehicle(session, sorted(of_laps, key=lambda lap: lap["lap_number"])).items():
        result = results.get(vehicle)
        elsewhere = ExternalFigures(
            driver_id=drove.get((session, vehicle)),
            vehicle_number=entries[vehicle].vehicle_number if vehicle in entries else None,
            car_number=entries[vehicle].car_number if vehicle in entries else None,
            vehicle_class=result.vehicle_class if result else None,
            position=result.position if result else None,
            gap_first_s=result.gap_first_s if result else None,
            dptad_overall_avg=scores.get((session, vehicle), {}).get("overall"),
        )
        drivers.append(summarise_driver(driven, elsewhere))
    means = {vehicle: mean for (_, vehicle), mean in scores.items()}
    field = SessionDrivers(session, tuple(drivers), means, session_conditions(weather, of_laps))
    own, some = f"session_id = {quoted([session])}", f"({quoted(vehicles)})"
    for table, rows in (
        (GOLD_SIWTL, siwtl.siwtl_rows(field, vehicles)),
        (GOLD_STINTS, stints.stint_rows(field, vehicles)),
        (GOLD_DRIVER_SUMMARY, driver_summary.driver_summary_rows(field, vehicles)),
    ):
        store.replace_rows(table, rows, f"{own} AND vehicle_id IN {some}")
    pairs = driver_comparison.driver_comparison_rows(field, vehicles)
    store.replace_rows(GOLD_DRIVER_COMPARISON, pairs, f"{own} AND (vehicle_id_1 IN {some} OR vehicle_id_2 IN {some})")
    store.replace_rows(GOLD_FLEET_SUMMARY, fleet_summary.fleet_summary_rows(field), own)


def _laps_sql(session: str, laps: Sequence[LapKey]) -> str:
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for vehicle, number in laps:
        numbers[vehicle].add(number)
    each = (f"(vehicle_id = {quoted([v])} AND lap_number IN ({quoted(n)}))" for v, n in sorted(numbers.items()))
    return f"session_id = {quoted([session])} AND ({' OR '.join(each)})"
