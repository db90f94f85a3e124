"""Gold is what the pure functions give for silver as it stands, whatever came first and whatever was restated."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from delta.tables import DeltaTable
from polars.testing import assert_frame_equal

from analysis.laps.features import LAP_CHANNELS, compute_lap_features
from analysis.signals.buckets import bucket_features
from analysis.signals.windows import window_ends, window_features
from conf.contract import load_contract
from conf.tables import OPS_STEP_FAILURES, SILVER_TELEMETRY
from medallion.changes import TableChanges
from medallion.gold.refresh import processor
from medallion.gold.refresh.changed_rows import SOURCES, ChangedRows, read_changed_rows
from medallion.gold.refresh.processor import TABLES, GoldProcessor
from medallion.gold.telemetry_windows import vehicle_windows
from medallion.io import Lake
from medallion.isolation import record_failures
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from tests.spark.messages import T0

WINDOWS, BUCKETS, LAPS = TABLES
DROPS = DataFaults.none().model_copy(update={"noise": 1.0, "dropout_share": 0.05})
KEY = ["session_id", "vehicle_id"]
NOT_FEATURES = {"run_id", "updated_ts"}


@pytest.fixture(scope="module")
def silver_rows() -> pl.DataFrame:
    """Silver of two cars over 70 s with drop-outs, three laps, a pause of 15 s and a lost lap counter."""
    settings = SimulatorConfig(session_id="test", n_cars=2, duration_s=70, rate_hz=10, data_faults=DROPS, seed=3)
    samples = VehicleSimulator(settings).to_polars().fill_nan(None)
    second = (pl.col("t_us") - pl.col("t_us").min().over("vehicle_id")) / 1e6
    rows = samples.with_columns(second=second).filter((pl.col("second") < 25) | (pl.col("second") >= 40))
    lap = pl.when(pl.col("second") < 60).then((pl.col("second") // 20).cast(pl.Int32) + 1)
    return rows.select(
        "vehicle_id",
        "driver_profile",
        *[c for c in LAP_CHANNELS if c in rows.columns],
        "ambient_temp_c",
        "track_temp_c",
        "second",
        session_id=pl.lit("test"),
        ecu_ts=pl.from_epoch("t_us", time_unit="us"),
        event_ts=pl.from_epoch(pl.col("t_us") + 250_000, time_unit="us"),
        ecu_seq=pl.lit(0, dtype=pl.Int32),
        lap_number=lap,
        is_synthetic=pl.lit(value=True),
        n_readings=pl.lit(1, dtype=pl.Int32),
    )


def append(lake: Lake, rows: pl.DataFrame) -> list[ChangedRows]:
    """Add rows to silver; returns them as the change feed tells them."""
    at = (lake.version(SILVER_TELEMETRY) or 0) + 1
    lake.append(lake.spark.createDataFrame(rows.drop("second").to_pandas()), SILVER_TELEMETRY)
    return changes(lake, at)


def changes(lake: Lake, since: int) -> list[ChangedRows]:
    """What changed of silver from a version on."""
    until = {name: lake.version(name) or 0 for name in SOURCES}
    return read_changed_rows(TableChanges(lake, until | {SILVER_TELEMETRY: since - 1}, until))


def as_table(name: str, parts: list[dict[str, Any]]) -> pl.DataFrame:
    """Results of the pure functions in the columns and types of the table."""
    types = {"DOUBLE": pl.Float64, "INT": pl.Int32, "BIGINT": pl.Int64, "BOOLEAN": pl.Boolean, "STRING": pl.String}
    frame = pl.concat([pl.DataFrame(p, strict=False) for p in parts], how="diagonal_relaxed")
    kinds = {c.name: types[c.physical_type] for c in load_contract(name).columns if c.physical_type in types}
    return frame.fill_nan(None).with_columns(pl.col(c).cast(kinds[c]) for c in frame.columns if c in kinds)


def expected(silver: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The pure functions, applied to each car's rows."""
    parts: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for (session, vehicle), car in silver.sort("event_ts", "ecu_seq").group_by(KEY, maintain_order=True):
        keys = {"session_id": session, "vehicle_id": vehicle}
        t_s, channels = inputs(car)
        ends = window_ends(t_s)
        stamps = pl.Series((ends * 1e6).astype(np.int64)).cast(pl.Datetime("us", "UTC"))
        parts[WINDOWS].append(keys | {"window_end_ts": stamps} | window_features(t_s, channels, ends))
        for (lap,), rows in car.drop_nulls("lap_number").group_by(["lap_number"], maintain_order=True):
            t_s, channels = inputs(rows)
            parts[LAPS].append(keys | {"lap_number": lap} | compute_lap_features(t_s, channels))
            parts[BUCKETS].append(keys | bucket_features(t_s, channels, rows["lap_number"].to_numpy().astype(float)))
    return {name: as_table(name, found) for name, found in parts.items()}


def inputs(car: pl.DataFrame) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    channels = {c: car[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in LAP_CHANNELS}
    return car["event_ts"].dt.epoch("us").to_numpy() / 1e6, channels


def assert_gold_is_expected(lake: Lake, rows) -> dict[str, int]:
    """Compare every table with the pure functions on silver as it stands; returns the row counts."""
    wanted = expected(rows(lake, SILVER_TELEMETRY))
    for name in TABLES:
        found = rows(lake, name)
        columns = [c for c in wanted[name].columns if c in found.columns]
        assert set(load_contract(name).key) <= set(columns)
        key = list(load_contract(name).key)
        assert_frame_equal(
            found.select(columns).sort(key), wanted[name].select(columns).sort(key), rel_tol=1e-9, abs_tol=1e-9
        )
    return {name: wanted[name].height for name in TABLES}


@pytest.fixture(scope="module", params=[600_000, 0], ids=["driver", "spark"])
def filled(new_lake, silver_rows, rows, request: pytest.FixtureRequest) -> Lake:
    """Gold filled in two steps, by the driver and by Spark: the middle of the session comes last."""
    lake = new_lake("gold", driver_max_samples=request.param)
    middle = pl.col("second").is_between(12, 39)
    gold = GoldProcessor(lake, "first")
    gold.process(append(lake, silver_rows.filter(~middle)))
    assert len(gold.vehicles) == 2
    gold.process(append(lake, silver_rows.filter(middle)))
    return lake


def test_step_by_step_gives_what_the_pure_functions_give(filled, rows) -> None:
    counts = assert_gold_is_expected(filled, rows)
    assert counts[LAPS] == 6
    assert counts[WINDOWS] > 100
    seconds = rows(filled, BUCKETS).filter(pl.col("bucket_kind") == "speed").group_by("lap_number").agg(pl.sum("share"))
    assert seconds["share"].is_between(1.9, 2.0 + 1e-9).all()  # two cars, less their drop-outs


def test_labels_and_marks_come_from_silver(filled, silver_rows, rows) -> None:
    windows = rows(filled, WINDOWS).select("vehicle_id", "style_label", "label_source", "is_synthetic").unique()
    profiles = silver_rows.select("vehicle_id", "driver_profile").unique()
    label = {v: "AGGRESSIVE" if p == "aggressive" else "NORMAL" for v, p in profiles.iter_rows()}
    assert {r[0]: r[1:] for r in windows.iter_rows()} == {v: (x, "simulator", True) for v, x in label.items()}


def test_the_same_changes_again_change_nothing(filled, rows) -> None:
    before = {name: rows(filled, name) for name in TABLES}
    GoldProcessor(filled, "again").process(changes(filled, 1))
    for name in TABLES:
        assert_frame_equal(rows(filled, name), before[name])
        assert {r.run_id for r in filled.read(name).select("run_id").distinct().collect()} == {"first"}


def test_restated_and_deleted_rows_take_their_windows_along(filled, rows) -> None:
    table = DeltaTable.forPath(filled.spark, filled.uri(SILVER_TELEMETRY))
    before, since = rows(filled, WINDOWS).height, (filled.version(SILVER_TELEMETRY) or 0) + 1
    first, second = sorted(rows(filled, SILVER_TELEMETRY)["vehicle_id"].unique())
    end = f"timestamp_micros({T0 + 35_000_000})"
    table.update(
        f"vehicle_id = '{first}' AND ecu_ts < {end}", {"event_ts": "event_ts + interval '7 seconds 300 milliseconds'"}
    )
    table.delete(f"vehicle_id = '{second}' AND ecu_ts > timestamp_micros({T0 + 45_000_000})")
    second = GoldProcessor(filled, "second")
    second.process(changes(filled, since))
    assert len(second.vehicles) == 2
    counts = assert_gold_is_expected(filled, rows)
    assert counts[WINDOWS] < before


def test_a_car_that_fails_leaves_the_others_their_windows(lake, silver_rows, rows, monkeypatch) -> None:
    bad = silver_rows["vehicle_id"].min()

    def fail_for_one(frame: Any) -> dict[str, Any]:
        if frame["vehicle_id"].iloc[0] == bad:
            raise ValueError(f"nothing is known of {bad}")
        return vehicle_windows(frame)

    with monkeypatch.context() as patched:
        patched.setattr(processor, "vehicle_windows", fail_for_one)
        GoldProcessor(lake, "first").process(append(lake, silver_rows))
    assert set(rows(lake, WINDOWS)["vehicle_id"]) == set(silver_rows["vehicle_id"]) - {bad}
    (failure,) = rows(lake, OPS_STEP_FAILURES).to_dicts()
    assert (failure["step"], failure["session_id"], failure["vehicle_id"]) == (WINDOWS, "test", bad)
    assert failure["reason"] == f"ValueError: nothing is known of {bad}"
    GoldProcessor(lake, "again").process(changes(lake, 1))
    assert_gold_is_expected(lake, rows)
    assert rows(lake, OPS_STEP_FAILURES).is_empty()


def test_a_failure_goes_with_its_own_success_and_no_others(lake, rows) -> None:
    one, other = ("s", "x"), ("t", "y")
    record_failures(
        lake, WINDOWS, [("s", "y"), ("t", "x")], {("s", "y"): ValueError("a"), ("t", "x"): ValueError("b")}, "r"
    )
    record_failures(lake, WINDOWS, [one, other], {}, "r")
    assert rows(lake, OPS_STEP_FAILURES).height == 2, "neither of them was tried"
    record_failures(lake, LAPS, [("s", "y")], {}, "r")
    record_failures(lake, WINDOWS, [("s", "y"), one], {}, "r")
    assert rows(lake, OPS_STEP_FAILURES)["vehicle_id"].to_list() == ["x"]
