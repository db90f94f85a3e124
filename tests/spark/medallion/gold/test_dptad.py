"""DPTAD in the lake: the same rows in whatever order laps come, thresholds by version, and laps that are not judged."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyspark.sql import functions as F

from analysis.dptad import CATEGORIES
from analysis.track_build.rows import TrackError
from conf.settings import AppConfig
from conf.tables import GOLD_CORNER_PASSES, GOLD_DPTAD_EVENTS, GOLD_DPTAD_SCORES, GOLD_DPTAD_THRESHOLDS
from jobs.calibrate_track import calibrate_track
from medallion.gold import dptad_thresholds, lap_analyses
from medallion.io import Lake
from medallion.keys import LapKey
from medallion.silver import tracks
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from serving.lake.reader import LakeReader
from serving.queries.comparison import compare_named_laps
from serving.queries.laps import LapName
from tests.spark.races import close, ingest, simulated

SESSION, SHORT = "sim-R1", "short-R1"
TRACK = "alder-ridge"
KEY = ["session_id", "vehicle_id", "lap_number"]


@pytest.fixture(scope="module")
def silver(new_lake, to_bronze) -> Lake:
    """A race of three cars, and one on another track that is too short to calibrate on."""
    lake = new_lake("dptad")
    for batch, (session, track, cars, laps) in enumerate(((SESSION, TRACK, 3, 4), (SHORT, "harbour-mile", 1, 3))):
        config = SimulatorConfig(
            session_id=session,
            track=track,
            n_cars=cars,
            n_laps=laps,
            seed=11,
            rate_hz=20,
            data_faults=DataFaults.none(),
        )
        race = simulated(VehicleSimulator(config))
        placed = {topic: [r._replace(kafka_partition=batch) for r in found] for topic, found in race.items()}
        ingest(lake, to_bronze, placed, batch)
    close(lake)
    return lake


@pytest.fixture
def lake(silver: Lake, home: AppConfig) -> Lake:
    """The races in a lake that a test may change."""
    shutil.copytree(Path(silver.settings.lake_root), Path(home.lake_root))
    return Lake(silver.spark, home)


def test_rows_do_not_depend_on_the_order_of_laps(lake: Lake, rows, tmp_path: Path) -> None:
    other = Lake(lake.spark, lake.settings.model_copy(update={"slipstream_home": tmp_path / "other"}))
    shutil.copytree(Path(lake.settings.lake_root), Path(other.settings.lake_root))
    laps = tracks.laps_with_telemetry(lake, [SESSION])
    assert lap_analyses.update_lap_analyses(lake, laps, "whole") == len(laps)
    # The first batches are judged uncalibrated no more once the track is calibrated, on the laps that silver has.
    for part in (laps[8:], laps[:9][::-1]):
        lap_analyses.update_lap_analyses(other, part, "parts")
    # A run that was killed between calibrating and judging: the next one, over any lap, judges what it left behind.
    other.table(GOLD_DPTAD_SCORES).update(
        "lap_number > 2 and thresholds_version is not null", {"thresholds_version": F.lit("uncalibrated")}
    )
    lap_analyses.update_lap_analyses(other, laps[:1], "after")
    for table in lap_analyses.TABLES:
        assert rows(lake, table, "compute_ms").equals(rows(other, table, "compute_ms")), table
    scores, events = rows(lake, GOLD_DPTAD_SCORES), rows(lake, GOLD_DPTAD_EVENTS)
    assert set(scores["thresholds_version"].drop_nulls()) == {f"{TRACK}-1"}
    assert scores["is_synthetic"].all()
    judged = scores.filter(pl.col("overall_score").is_not_null())
    assert judged.height >= 9
    assert judged["compute_ms"].max() < 1000.0  # B49
    counted = judged.join(events.group_by(KEY).len(), KEY, how="left")
    assert (counted["event_count"] == counted["len"].fill_null(0)).all()
    instants = events.join(rows(lake, "silver.laps"), KEY)
    since = (instants["event_ts"] - instants["lap_start_ts"]).dt.total_microseconds() / 1e6
    assert (since - instants["t_lap_s"]).abs().max() < 1e-6
    assert events["corner"].is_not_null().any()
    assert any("a good lap here" in text for texts in judged["insights"] for text in texts)
    # Again: no row is touched, and laps that are no more lose theirs.
    before = rows(lake, GOLD_DPTAD_SCORES)
    lap_analyses.update_lap_analyses(lake, laps, "again")
    assert rows(lake, GOLD_DPTAD_SCORES).equals(before)
    gone = LapKey(SESSION, laps[0].vehicle_id, laps[0].lap_number)
    lake.table("silver.laps").delete(f"vehicle_id = '{gone.vehicle_id}' and lap_number = {gone.lap_number}")
    lap_analyses.update_lap_analyses(lake, [gone], "later")
    assert rows(lake, GOLD_DPTAD_SCORES).height == before.height - 1
    assert rows(lake, GOLD_DPTAD_EVENTS).join(pl.DataFrame([vars(gone)]), KEY, how="semi").is_empty()


def test_corners_are_passed_as_comparisons_say_whoever_computes(lake: Lake, rows, tmp_path: Path) -> None:
    home = {"slipstream_home": tmp_path / "other", "driver_max_samples": 0}
    by_spark = Lake(lake.spark, lake.settings.model_copy(update=home))
    shutil.copytree(Path(lake.settings.lake_root), Path(by_spark.settings.lake_root))
    laps = tracks.laps_with_telemetry(lake, [SESSION])
    for each in (lake, by_spark):
        lap_analyses.update_lap_analyses(each, laps, "run")
    passed = rows(lake, GOLD_CORNER_PASSES)
    assert_frame_equal(passed, rows(by_spark, GOLD_CORNER_PASSES), check_exact=True)
    corners = tracks.circuits_by_session(lake, [SESSION])[SESSION].corners
    assert passed.height == len(laps) * len(corners)
    assert passed["is_synthetic"].all()
    measured = passed.filter(pl.col("reason").is_null())
    assert set(measured["distance_source"]) == {"gps"}
    assert measured["min_speed_kmh"].null_count() == 0
    assert (measured["brake_before_apex_m"].drop_nulls() > 0).all()
    # Two laps side by side have the very figures.
    reader, known = (
        LakeReader(lake.settings),
        {(row["vehicle_id"], row["lap_number"], row["corner"]): row for row in passed.to_dicts()},
    )
    one, two, *_ = [lap for lap in laps if lap.lap_number in (2, 3)]
    found = compare_named_laps(reader, *(LapName(SESSION, lap.vehicle_id, lap.lap_number) for lap in (one, two))).answer
    figures = ("entry_speed", "min_speed", "exit_speed", "brake", "throttle")
    compared = 0
    for piece in found.pieces:
        for lap, side in ((one, ""), (two, "ref_")) if piece.corner is not None else ():
            row = known[lap.vehicle_id, lap.lap_number, piece.corner]
            for figure in figures:
                unit = "kmh" if figure.endswith("speed") else "m"
                value = getattr(piece, f"{figure}_{side}{unit}")
                assert row[f"{figure}_{unit}"] == (None if value is None else pytest.approx(value, abs=1e-9)), figure
                compared += value is not None
    assert compared > 6 * len(corners)


def test_thresholds_are_frozen_until_somebody_calibrates(lake: Lake, rows) -> None:
    laps = tracks.laps_with_telemetry(lake, [SESSION])
    lap_analyses.update_lap_analyses(lake, laps, "run")
    first = dptad_thresholds.latest_calibrations(lake, [TRACK])[TRACK]
    assert (first.thresholds.version, first.thresholds.sessions) == (1, (SESSION,))
    assert set(first.stretch_s) == {
        corner.number for corner in tracks.circuits_by_session(lake, [SESSION])[SESSION].corners
    }
    frozen = rows(lake, GOLD_DPTAD_THRESHOLDS)
    # The same laps give the same thresholds: no new version.
    same = calibrate_track(lake, TRACK, [SESSION])
    assert (same.is_new, same.thresholds) == (False, 1)
    # Without one car's laps they differ: a new version, the old one stays, and all laps are judged by the new one.
    car = laps[0].vehicle_id
    unfit = lake.read("silver.laps").where(f"vehicle_id = '{car}'").withColumn("fit_for", F.array(F.lit("style")))
    lake.upsert(unfit, "silver.laps")
    done = calibrate_track(lake, TRACK, [SESSION])
    assert (done.is_new, done.thresholds) == (True, 2)
    table = rows(lake, GOLD_DPTAD_THRESHOLDS)
    assert set(table["version"]) == {1, 2}
    assert table.filter(pl.col("version") == 1).equals(frozen)
    assert set(rows(lake, GOLD_DPTAD_SCORES)["thresholds_version"].drop_nulls()) == {f"{TRACK}-2"}
    with pytest.raises(TrackError, match=rf"session {SHORT} was not driven on {TRACK}"):
        calibrate_track(lake, TRACK, [SHORT])
    with pytest.raises(TrackError, match="no track 'mars'"):
        calibrate_track(lake, "mars", [SHORT])
    with pytest.raises(ValueError, match="quantiles need at least 5"):
        calibrate_track(lake, "harbour-mile", [SHORT])


def test_too_few_laps_leave_a_track_uncalibrated_and_say_so(lake: Lake, rows) -> None:
    laps = tracks.laps_with_telemetry(lake, [SHORT])
    lap_analyses.update_lap_analyses(lake, laps, "run")
    scores = rows(lake, GOLD_DPTAD_SCORES)
    judged = scores.filter(pl.col("overall_score").is_not_null())
    assert judged.height >= 2
    assert set(judged["thresholds_version"]) == {"uncalibrated"}
    assert not judged["is_calibrated"].any()
    assert rows(lake, GOLD_DPTAD_THRESHOLDS).is_empty()
    assert "calibrate" in dict(judged["reasons"][0])["poor_corner_exit"]


def test_what_cannot_be_judged_has_a_reason_and_no_score(lake: Lake, rows) -> None:
    laps = tracks.laps_with_telemetry(lake, [SESSION])
    still, silent, neutral = [lap for lap in laps if lap.lap_number == 3][:3]

    def of(lap: LapKey) -> str:
        return f"vehicle_id = '{lap.vehicle_id}' and lap_number = {lap.lap_number}"

    telemetry = lake.table("silver.telemetry")
    telemetry.update(of(still), {"clock_source": F.lit("arrival")})
    halfway = lake.read("silver.laps").where(of(silent)).selectExpr("unix_micros(lap_start_ts) + 20000000").first()[0]
    telemetry.update(f"{of(silent)} and event_ts > timestamp_micros({halfway})", {"speed_kmh": F.lit(None)})
    lake.table("silver.laps").update(
        of(neutral), {"unfit_for": F.create_map(F.lit("style"), F.array(F.lit("yellow_flag")))}
    )
    lap_analyses.update_lap_analyses(lake, laps, "run")
    scores = {tuple(row[name] for name in KEY): row for row in rows(lake, GOLD_DPTAD_SCORES).to_dicts()}
    words = {still: "clock stood still", silent: "speed is missing for", neutral: "under full course yellow"}
    for lap, text in words.items():
        row = scores[SESSION, lap.vehicle_id, lap.lap_number]
        assert text in row["insights"][0]
        assert {category: text in why for category, why in dict(row["reasons"]).items()} == dict.fromkeys(
            CATEGORIES, True
        )
        assert row["event_count"] is row["overall_score"] is row["brake_score"] is row["thresholds_version"] is None
    assert len(scores) == len(laps)
    passed = rows(lake, GOLD_CORNER_PASSES)
    for lap in (still, silent, neutral):
        own = passed.filter(vehicle_id=lap.vehicle_id, lap_number=lap.lap_number)
        assert own.height > 0
        assert own["reason"].is_null().all() == own["min_speed_kmh"].is_not_null().all() == (lap == neutral)
        assert own["reason"].is_null().all() or own["reason"].str.contains(words[lap]).all()
