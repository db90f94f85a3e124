"""Tables over laps: what the pure functions give for silver as it stands, in whatever steps it came to be so."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from delta.tables import DeltaTable
from polars.testing import assert_frame_equal

from analysis.drivers.comparison import driver_figures
from analysis.drivers.fleet import SessionConditions, summarise_fleet
from analysis.drivers.head_to_head import DPTAD, build_head_to_head
from analysis.drivers.summary import ExternalFigures, summarise_driver
from analysis.laps.features import LAP_CHANNELS, compute_lap_features
from analysis.pace.driver_laps import build_driver_laps
from conf.contract import load_contract
from jobs.maintenance import maintain_tables
from medallion.changes import TableChanges
from medallion.gold import drivers
from medallion.gold.refresh.changed_rows import SOURCES, group_rows, read_changed_rows
from medallion.gold.refresh.processor import GoldProcessor
from medallion.io import Lake
from medallion.provenance import JobRun
from producers.simulator.config import RaceIncidents, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from serving.lake.reader import LakeReader
from serving.lake.table_files import count_table_files
from streaming import gold
from streaming.query import Trigger
from tests.spark.races import close, ingest, simulated

DRIVERS = ("gold.siwtl", "gold.stints", "gold.driver_summary", "gold.driver_comparison", "gold.fleet_summary")
LAPS = "gold.lap_features"
MAINTAINED = (LAPS, "silver.telemetry", "silver.laps")
ALL = (LAPS, "gold.telemetry_windows", "gold.telemetry_buckets", "gold.corner_passes", *DRIVERS)
# Limits of what is usual are frozen by whichever laps a track is first calibrated on.
CALIBRATED = ("dptad_overall_avg", *(f"dptad_delta_{category}" for category in DPTAD))
pytestmark = pytest.mark.timeout(1800)
RACE = RaceIncidents(full_course_yellows=1, pit_stop_share=0.4, track_limits_share=0.05)


def run_gold(lake: Lake, run_id: str, *, puts_off: bool = False) -> JobRun:
    """The job over what has changed since it last ran."""
    run = JobRun("gold", run_id)
    gold.follow_sources(lake, run, Trigger(once=True), puts_off=puts_off).start().awaitTermination()
    return run


def runs(lake: Lake, table: str) -> dict[tuple[Any, ...], str]:
    """Key of each row and the run that wrote it."""
    key = load_contract(table).key
    return {tuple(r[k] for k in key): r.run_id for r in lake.read(table).select(*key, "run_id").collect()}


def columns(frame: pl.DataFrame) -> dict[str, list[Any]]:
    return {name: frame[name].to_list() for name in frame.columns}


@pytest.fixture(scope="module")
def race() -> dict[str, list[Any]]:
    """Messages of a race of four cars, with a yellow and pit stops, by topic."""
    config = SimulatorConfig(session_id="sim-R1", n_cars=4, n_laps=6, seed=3, rate_hz=10, race_incidents=RACE)
    return simulated(VehicleSimulator(config))


@pytest.fixture(scope="module")
def raced(new_lake, race, to_bronze) -> Lake:
    """Gold of the whole race in one go."""
    lake = new_lake("whole")
    ingest(lake, to_bronze, race)
    close(lake)
    run = run_gold(lake, "first")
    assert run.rows_out == 4
    return lake


def elsewhere(lake: Lake, rows, session: str, vehicle: str) -> ExternalFigures:
    """What silver and the scores say of a driver, found by polars."""
    own = (pl.col("session_id") == session) & (pl.col("vehicle_id") == vehicle)
    entry = rows(lake, "silver.entries").filter(own).to_dicts()
    result = rows(lake, "silver.results").filter(own).to_dicts()
    scores = rows(lake, "gold.dptad_scores").filter(own)["overall_score"].drop_nulls()
    first = result[0] if result else {}
    (driver,) = set(rows(lake, "silver.telemetry").filter(own)["driver_id"]) or {None}
    return ExternalFigures(
        driver_id=driver,
        vehicle_number=entry[0]["vehicle_number"],
        car_number=entry[0]["car_number"],
        vehicle_class=first.get("vehicle_class"),
        position=first.get("position"),
        gap_first_s=first.get("gap_first_s"),
        dptad_overall_avg=scores.mean(),
    )


def expected(lake: Lake, rows, session: str, conditions: SessionConditions) -> dict[str, list[dict[str, Any]]]:
    """The pure functions on the laps of one session."""
    laps = rows(lake, "silver.laps").filter(pl.col("session_id") == session)
    summaries = [
        summarise_driver(build_driver_laps(session, v, columns(own)), elsewhere(lake, rows, session, v))
        for (v,), own in laps.sort("vehicle_id").group_by(["vehicle_id"], maintain_order=True)
    ]
    scores = rows(lake, "gold.dptad_scores").filter(pl.col("session_id") == session)
    field = []
    for summary in summaries:
        own = scores.filter(pl.col("vehicle_id") == summary.vehicle_id)
        means = {c: own[f"{c}_score"].mean() for c in DPTAD}
        field.append(driver_figures(summary, {c: mean for c, mean in means.items() if mean is not None}))
    return {
        "gold.siwtl": [s.target.row() for s in summaries],
        "gold.stints": [part.row() for s in summaries for part in s.segments],
        "gold.driver_summary": [s.row() for s in summaries],
        "gold.driver_comparison": [
            build_head_to_head(a, b).row() for a in field for b in field if a.vehicle_id < b.vehicle_id
        ],
        "gold.fleet_summary": [summarise_fleet(session, summaries, conditions).row()],
    }


def assert_rows(found: pl.DataFrame, wanted: list[dict[str, Any]], table: str) -> None:
    key = list(load_contract(table).key)
    by_key = {tuple(row[k] for k in key): row for row in wanted}
    assert found.height == len(wanted) == len(by_key)
    for row in found.to_dicts():
        for name, value in by_key[tuple(row[k] for k in key)].items():
            same = pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
            assert row[name] == same, (table, row["session_id"], name)


def measured(lake: Lake, rows, session: str) -> SessionConditions:
    """Mean weather from the first start to the last end."""
    laps = rows(lake, "silver.laps").filter(pl.col("session_id") == session)
    when = pl.col("event_ts").is_between(laps["lap_start_ts"].min(), laps["lap_end_ts"].max())
    weather = rows(lake, "silver.environment").filter((pl.col("session_id") == session) & when)
    assert weather.height > 3
    assert not weather["rain"].any()
    return SessionConditions(weather["air_temp_c"].mean(), weather["track_temp_c"].mean(), "dry")


def test_summaries_are_what_the_pure_functions_give(raced, rows) -> None:
    for table, wanted in expected(raced, rows, "sim-R1", measured(raced, rows, "sim-R1")).items():
        assert_rows(rows(raced, table), wanted, table)
    assert rows(raced, "gold.driver_comparison").height == 4 * 3 // 2
    summary = rows(raced, "gold.driver_summary")
    assert sorted(summary["position"]) == [1, 2, 3, 4]
    assert summary["dptad_overall_avg"].is_not_null().all()
    assert summary["driver_id"].is_not_null().all()
    assert summary["karma_overall_last"].is_null().all()
    assert summary["style_aggressive_share"].is_null().all()
    assert summary["total_laps"].sum() == rows(raced, "silver.laps").height
    assert set(rows(raced, "gold.stints")["ended_by"]) >= {"pit", "flag", "end"}


def test_features_are_those_of_the_timed_interval(raced, rows) -> None:
    samples = rows(raced, "silver.telemetry").sort("event_ts", "ecu_seq")
    found = rows(raced, LAPS)
    laps = rows(raced, "silver.laps").filter(pl.col("sample_count") > 0)
    assert found.height == laps.height
    both = found.join(laps, ["session_id", "vehicle_id", "lap_number"], suffix="_timed")
    for name in ("lap_start_ts", "lap_end_ts", "lap_time_ms", "sector_1_time", "sector_3_time", "is_valid"):
        assert (both[name].eq_missing(both[f"{name}_timed"])).all(), name
    assert (both["telemetry_duration_s"] - both["lap_time_ms"] / 1000).abs().max() < 0.3
    for lap in found.sample(6, seed=1).to_dicts():
        car = samples.filter(pl.col("vehicle_id") == lap["vehicle_id"])
        t_s = car["event_ts"].dt.epoch("us").to_numpy() / 1e6
        channels = {c: car[c].cast(pl.Float64).fill_null(np.nan).to_numpy() for c in LAP_CHANNELS}
        start, end = (lap[f"lap_{side}_ts"].timestamp() for side in ("start", "end"))
        for name, value in compute_lap_features(t_s, channels, start, end).items():
            wanted = None if value is None or np.isnan(value) else pytest.approx(value, rel=1e-9, abs=1e-9)
            assert lap[name] == wanted, name
        inside = car.filter((pl.col("event_ts") >= lap["lap_start_ts"]) & (pl.col("event_ts") < lap["lap_end_ts"]))
        assert lap["air_temp_c"] == pytest.approx(inside["ambient_temp_c"].mean())


def test_step_by_step_gives_the_same(raced, new_lake, race, to_bronze, rows) -> None:
    """Half the telemetry without timing, then everything else, while laps are there already under other numbers.

    The first step is done by Spark, the second by the driver. Laps that are being driven after the first are put off,
    and whatever still is after the second comes at the end.
    """
    by_spark = new_lake("steps", driver_max_samples=0)
    by_driver = Lake(by_spark.spark, by_spark.settings.model_copy(update={"driver_max_samples": 600_000}))
    frames = race["telemetry.raw"]
    half = len(frames) // 2
    steps = ((by_spark, {"telemetry.raw": frames[:half]}), (by_driver, {**race, "telemetry.raw": frames[half:]}))
    for i, (lake, stored) in enumerate(steps):
        ingest(lake, to_bronze, stored, i)
        close(lake)
        run_gold(lake, f"step-{i}", puts_off=True)
        if i == 0:
            put_off = rows(lake, "silver.laps").join(rows(lake, LAPS), on=["vehicle_id", "lap_number"], how="anti")
            assert put_off["vehicle_id"].n_unique() == put_off.height == 4
    gold.finish_gold(by_driver, JobRun("gold", "end"))
    for table in ALL:
        without = [c for c in CALIBRATED if c in load_contract(table).column_names]
        assert_frame_equal(rows(lake, table, *without), rows(raced, table, *without), check_exact=True)


def test_the_same_again_changes_nothing(raced, rows) -> None:
    again = GoldProcessor(raced, "again")
    again.process(read_changed_rows(TableChanges(raced, {}, {name: raced.version(name) or 0 for name in SOURCES})))
    assert len(again.vehicles) == 4
    assert run_gold(raced, "again").rows_out == 0
    for table in ALL:
        assert set(runs(raced, table).values()) == {"first"}, table


def test_a_changed_lap_changes_its_own_rows_only(raced, new_lake, rows) -> None:
    lake = new_lake("changed", raced)
    laps = rows(lake, "silver.laps")
    lap = laps.filter(pl.col("fit_for").list.contains("pace") & (pl.col("sample_count") > 0)).to_dicts()[1]
    vehicle, number = lap["vehicle_id"], lap["lap_number"]
    where = f"vehicle_id = '{vehicle}' AND lap_number = {number}"
    deleted = {"invalid_reasons": "array('track_limits')", "is_valid": "false", "fit_for": "array('wear', 'style')"}
    before = {table: rows(lake, table) for table in (*ALL, "gold.dptad_scores")}
    DeltaTable.forPath(lake.spark, lake.uri("silver.laps")).update(where, deleted)
    run = run_gold(lake, "second")
    assert (run.rows_in, run.rows_out) == (2, 1)  # the lap before and after

    def written(table: str) -> set[tuple[Any, ...]]:
        return {key for key, run_id in runs(lake, table).items() if run_id == "second"}

    assert written(LAPS) == {("sim-R1", vehicle, number)}
    assert (
        written("gold.telemetry_windows") | written("gold.telemetry_buckets") | written("gold.corner_passes") == set()
    )
    assert written("gold.siwtl") == written("gold.driver_summary") == {("sim-R1", vehicle)}
    assert {key[1] for key in written("gold.stints")} == {vehicle}
    pairs = written("gold.driver_comparison")
    assert pairs == {key for key in runs(lake, "gold.driver_comparison") if vehicle in key}
    assert len(pairs) == 3
    assert written("gold.fleet_summary") == {("sim-R1",)}
    assert written("gold.dptad_scores") <= {("sim-R1", vehicle, number)}
    own = (pl.col("vehicle_id") == vehicle) & (pl.col("lap_number") == number)
    assert_frame_equal(rows(lake, LAPS).filter(~own), before[LAPS].filter(~own))
    assert rows(lake, LAPS).filter(own)["is_valid"].to_list() == [False]
    counts = [
        table.filter(vehicle_id=vehicle)["valid_laps"].item()
        for table in (before["gold.driver_summary"], rows(lake, "gold.driver_summary"))
    ]
    assert counts[1] == counts[0] - 1


def test_maintenance_changes_no_row_and_no_stream_sees_it(raced, new_lake, rows) -> None:
    lake = new_lake("maintained", raced)
    for table in MAINTAINED:  # as many batches leave them: in many files
        scattered = lake.read(table).repartition(5).write.format("delta").mode("overwrite")
        scattered.option("dataChange", "false").save(lake.uri(table))
    before = {table: rows(lake, table) for table in MAINTAINED}
    files = {table: count_table_files(LakeReader(lake.settings), table, 128) for table in MAINTAINED}
    assert files["silver.telemetry"].mergeable > 0
    mergeable = [table for table in MAINTAINED if files[table].mergeable]
    maintain_tables(lake, MAINTAINED, merge=mergeable, target_mb=128, retain_hours=168.0)
    for table in MAINTAINED:
        assert count_table_files(LakeReader(lake.settings), table, 128).mergeable == 0
        assert_frame_equal(rows(lake, table), before[table])
    assert run_gold(lake, "second").rows_in == 0


def test_laps_that_are_no_more_take_their_rows_along(raced, new_lake, rows) -> None:
    lake = new_lake("gone", raced)
    vehicle = rows(lake, "silver.laps")["vehicle_id"].min()
    for name in ("silver.laps", "silver.telemetry"):
        DeltaTable.forPath(lake.spark, lake.uri(name)).delete(f"vehicle_id = '{vehicle}'")
    run_gold(lake, "second")
    for table in (*ALL, "gold.dptad_scores", "silver.telemetry_100hz"):
        assert vehicle not in {part for key in runs(lake, table) for part in key}, table
    assert rows(lake, "gold.driver_comparison").height == 3
    assert rows(lake, "gold.fleet_summary")["n_drivers"].to_list() == [3]


def test_a_late_sample_and_late_weather_reach_their_laps(raced, new_lake, rows) -> None:
    """A value that is filled in leaves the row in silver.laps as it is; weather counts for cars without a sensor."""
    lake = new_lake("late", raced)
    lap = rows(lake, "silver.laps").filter(pl.col("sample_count") > 0).to_dicts()[2]
    vehicle, number, start, end = (lap[c] for c in ("vehicle_id", "lap_number", "lap_start_ts", "lap_end_ts"))
    own = f"vehicle_id = '{vehicle}'"
    samples = DeltaTable.forPath(lake.spark, lake.uri("silver.telemetry"))
    samples.update(own, {"ambient_temp_c": "null"})
    samples.update(f"{own} AND lap_number = {number}", {"brake_front_bar": "brake_front_bar * 1.5"})
    scores = rows(lake, "gold.dptad_scores")
    run_gold(lake, "second")
    weather = rows(lake, "silver.environment").filter(pl.col("event_ts").is_between(start, end))
    found = rows(lake, LAPS).filter(vehicle_id=vehicle, lap_number=number)
    assert found["air_temp_c"].item() == pytest.approx(weather["air_temp_c"].mean())
    mine = (pl.col("vehicle_id") == vehicle) & (pl.col("lap_number") == number)
    assert_frame_equal(
        rows(lake, "gold.dptad_scores", "compute_ms").filter(~mine), scores.drop("compute_ms").filter(~mine)
    )
    judged = rows(lake, "gold.dptad_scores").filter(mine)["brake_score"].item()
    assert judged != scores.filter(mine)["brake_score"].item()
    DeltaTable.forPath(lake.spark, lake.uri("silver.environment")).update(
        f"event_ts BETWEEN '{start}' AND '{end}'", {"air_temp_c": "air_temp_c + 10", "rain": "true"}
    )
    run_gold(lake, "third")
    warmer = rows(lake, LAPS).filter(vehicle_id=vehicle, lap_number=number)["air_temp_c"].item()
    assert warmer == pytest.approx(found["air_temp_c"].item() + 10)
    assert rows(lake, "gold.fleet_summary")["track_condition"].to_list() == ["wet"]
    assert "third" not in set(runs(lake, "gold.driver_summary").values())


def test_results_styles_and_scores_reach_the_summary(raced, new_lake, rows) -> None:
    """None of them changes a lap."""
    lake = new_lake("styles", raced)
    one, two, *_ = sorted(set(rows(lake, "silver.laps")["vehicle_id"]))
    DeltaTable.forPath(lake.spark, lake.uri("silver.results")).update(f"vehicle_id = '{two}'", {"position": "9"})
    windows = lake.read("gold.telemetry_windows").where(f"vehicle_id = '{one}'")
    keys = windows.selectExpr("session_id", "vehicle_id", "window_end_ts").limit(4)
    label = "if(row_number() over (order by window_end_ts) = 1, 'AGGRESSIVE', 'NORMAL') as label"
    lake.append(keys.selectExpr("*", label), "gold.style_predictions")
    wear = [("sim-R1", one, lap, "overall", karma) for lap, karma in ((1, 40.0), (2, 30.0), (3, None))]
    columns = "session_id string, vehicle_id string, lap_number int, component string, karma_score double"
    lake.append(lake.spark.createDataFrame([*wear, ("sim-R1", one, 2, "tyres", 99.0)], columns), "gold.karma_scores")
    drivers.sum_up_scored(lake, "scored")  # as whoever scores does, after gold
    filled = rows(lake, "gold.driver_summary").filter(vehicle_id=one)
    assert filled.select("karma_overall_last", "style_aggressive_share").rows() == [(30.0, 0.25)]
    assert {v for (_, v), run in runs(lake, "gold.driver_summary").items() if run == "scored"} == {one}
    run_gold(lake, "second")
    karma = dict(rows(lake, "gold.driver_summary").select("vehicle_id", "karma_overall_last").iter_rows())
    assert (karma[one], karma[two]) == (30.0, None)
    shares = dict(rows(lake, "gold.driver_summary").select("vehicle_id", "style_aggressive_share").iter_rows())
    assert shares[one] == 0.25
    assert shares[two] is None
    assert rows(lake, "gold.driver_summary").filter(vehicle_id=two)["position"].to_list() == [9]
    # Judged again by a recalibration: the next change of any lap takes it along.
    DeltaTable.forPath(lake.spark, lake.uri("gold.dptad_scores")).update(
        f"vehicle_id = '{two}'", {"overall_score": "overall_score + 1"}
    )
    before = dict(rows(lake, "gold.driver_summary").select("vehicle_id", "dptad_overall_avg").iter_rows())
    lap = lake.read("silver.laps").where(f"vehicle_id = '{one}'").limit(1)
    GoldProcessor(lake, "third").process(group_rows("silver.laps", [lap.toArrow()]))
    after = dict(rows(lake, "gold.driver_summary").select("vehicle_id", "dptad_overall_avg").iter_rows())
    assert after[two] == pytest.approx(before[two] + 1)
    assert {v for (_, v), run in runs(lake, "gold.driver_summary").items() if run == "third"} == {two}


def test_vir_best_laps_are_those_of_the_result_sheets(vir, new_lake, rows) -> None:
    lake = new_lake("vir-gold", vir)
    run_gold(lake, "first")
    summary, results = rows(lake, "gold.driver_summary"), rows(lake, "silver.results")
    timed = summary.filter(pl.col("best_lap_ms").is_not_null())
    both = timed.join(results, ["session_id", "vehicle_id"], suffix="_sheet")
    assert both.height == timed.height > 40
    unknown = both.filter(pl.col("fl_time_s").is_null())
    assert unknown["vehicle_number_sheet"].to_list() == [21]  # its sheet of race 2 says no lap, the timing three
    assert ((both["best_lap_ms"] - both["fl_time_s"] * 1000).abs() < 1e-3).sum() == both.height - 1
    assert (both["position"] == both["position_sheet"]).all()
    laps = rows(lake, "silver.laps")
    for (session,), own in laps.group_by("session_id"):
        n = own["vehicle_id"].n_unique()
        assert rows(lake, "gold.driver_comparison").filter(session_id=session).height == n * (n - 1) // 2
        fleet = rows(lake, "gold.fleet_summary").filter(session_id=session).to_dicts()[0]
        assert (fleet["n_drivers"], fleet["n_laps"]) == (n, own.height)
        conditions = measured(lake, rows, session)
        wanted = expected(lake, rows, session, conditions)
        for table in DRIVERS:
            assert_rows(rows(lake, table).filter(session_id=session), wanted[table], table)
    assert rows(lake, LAPS).is_empty()
