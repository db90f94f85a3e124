"""A track built from the laps of a race of which nobody said where it was; laps on the even grid; published races."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pyspark.sql import functions as F

from analysis.track_build.rows import TrackError
from analysis.tracks.circuit import circuit_from_track
from conf.corners import OfficialCorner, OfficialCorners
from conf.settings import AppConfig
from conf.tables import SILVER_SESSIONS, SILVER_TELEMETRY_100HZ
from conf.track import load_track
from jobs.assign_track import assign_sessions
from jobs.build_track import build_track, describe_build
from medallion.io import Lake
from medallion.keys import LapKey
from medallion.silver import telemetry_100hz, tracks
from medallion.silver.event_time import update_event_times
from medallion.silver.promote_telemetry import SilverProcessor
from medallion.silver.tracks import TrackPlan
from producers.replay.encode import encode_readings
from producers.replay.reader import read_telemetry
from producers.replay.sessions import Placement
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator
from tests.spark.messages import READING, Message, Stored, stored
from tests.spark.races import close, ingest, published, simulated

NOWHERE, OWN = "nowhere-R1", "own-R1"
NAME = "somewhere"


def without_track(race: dict[str, list[Stored]]) -> dict[str, list[Stored]]:
    """A race whose messages do not say where it is."""

    def strip(row: Stored) -> Stored:
        body = json.loads(row.payload or b"{}")
        body.pop("track_id", None)
        return row._replace(payload=json.dumps(body).encode())

    return race | {"telemetry.raw": [strip(row) for row in race["telemetry.raw"]]}


def passed_corners(lake: Lake, rows) -> set[str]:
    """Corners that the laps of the race of no known place pass."""
    return set(rows(lake, "gold.corner_passes").filter(pl.col("session_id") == NOWHERE)["label"])


def race(session: str, track: str, n_cars: int, n_laps: int) -> dict[str, list[Stored]]:
    config = SimulatorConfig(
        session_id=session, track=track, n_cars=n_cars, n_laps=n_laps, seed=7, rate_hz=20, data_faults=DataFaults.none()
    )
    return simulated(VehicleSimulator(config))


@pytest.fixture(scope="module")
def races(new_lake, to_bronze) -> Lake:
    """Two races: one of three cars that does not say where, one of one car on a track of our own."""
    lake = new_lake("races")
    ingest(lake, to_bronze, without_track(race(NOWHERE, "three-oaks", 3, 4)), 0)
    second = {
        topic: [row._replace(kafka_partition=1) for row in rows]
        for topic, rows in race(OWN, "harbour-mile", 1, 2).items()
    }
    ingest(lake, to_bronze, second, 1)
    close(lake)
    return lake


@pytest.fixture
def copied(races: Lake, home: AppConfig) -> Lake:
    """The races in a lake that a test may change."""
    shutil.copytree(Path(races.settings.lake_root), Path(home.lake_root))
    return Lake(races.spark, home)


def test_a_track_of_our_own_is_known_without_building_it(races: Lake) -> None:
    circuits = tracks.circuits_by_session(races, [OWN, NOWHERE, "none"])
    assert set(circuits) == {OWN}
    assert circuits[OWN].track_id == "harbour-mile"
    assert circuits[OWN].corners == circuit_from_track(load_track("harbour-mile")).corners
    with pytest.raises(TrackError, match=r"was driven on harbour-mile, whose file is .*: there is nothing to build"):
        tracks.make_track(races, TrackPlan("mine", (OWN,)))
    with pytest.raises(TrackError, match=r"'three-oaks' is a track of our own"):
        tracks.make_track(races, TrackPlan("three-oaks", (NOWHERE,)))
    with pytest.raises(TrackError, match=rf"no session other: the lake has {NOWHERE}, {OWN}"):
        tracks.make_track(races, TrackPlan("mine", ("other",)))
    with pytest.raises(ValueError, match="has no corner 44"):
        tracks.make_track(races, TrackPlan("mine", (NOWHERE,), None, ((44, "Nook"),)))


def test_a_built_track_is_the_one_that_was_driven(copied: Lake, rows) -> None:
    truth = circuit_from_track(load_track("three-oaks"))
    done = build_track(copied, TrackPlan(NAME, (NOWHERE,), "Somewhere", ((2, "Nook"),)))
    assert done.track is not None
    assert done.is_new
    circuit, row = done.track.circuit, done.track.row
    assert circuit.length_m == pytest.approx(truth.length_m, rel=0.01)
    assert len(circuit.corners) == len(truth.corners)
    for found, true in zip(circuit.corners, truth.corners, strict=True):
        assert true.entry_m < found.apex_m < true.exit_m
        assert found.direction == true.direction
    assert circuit.corners[1].label == "T2 Nook"
    assert circuit.sector_ends_m == pytest.approx(truth.sector_ends_m, abs=10.0)
    assert row["sector_residual_p95_s"] < 0.1
    assert row["is_synthetic"]
    assert (row["version"], row["sessions"]) == (1, [NOWHERE])
    # The session knows its track now, and the circuit comes back whole, as executors get it.
    again = tracks.circuits_by_session(copied, [NOWHERE])[NOWHERE]
    assert pickle.loads(pickle.dumps(again)).corners == circuit.corners
    for name in ("s_m", "x_m", "y_m", "curvature_per_m"):
        assert np.array_equal(getattr(again.line, name), getattr(circuit.line, name))
    assert (again.sector_ends_m, again.origin_deg, again.source) == (circuit.sector_ends_m, None, "gps")
    # What follows: laps judged by thresholds of this track, and the even grid with its sectors.
    assert set(rows(copied, "gold.dptad_scores")["thresholds_version"].drop_nulls()) == {f"{NAME}-1"}
    even = rows(copied, "silver.telemetry_100hz")
    assert set(even.filter(pl.col("session_id") == NOWHERE)["sector_id"]) == {1, 2, 3}
    assert passed_corners(copied, rows) == {corner.label for corner in circuit.corners}
    # Built again from the same laps, nothing is new and no row is touched.
    before = {name: rows(copied, name) for name in ("silver.tracks", SILVER_SESSIONS, "gold.dptad_scores")}
    second = build_track(copied, TrackPlan(NAME, (NOWHERE,), "Somewhere", ((2, "Nook"),)))
    assert second.track is not None
    assert (second.is_new, second.track.row["version"], second.thresholds) == (False, 1, 1)
    assert all(rows(copied, name).equals(table) for name, table in before.items())
    # The circuit's own corners are another version, with thresholds that know them.
    own = [OfficialCorner(number=k + 3, apex_m=c.apex_m, name="Oak") for k, c in enumerate(truth.corners[1:])]
    third = build_track(copied, TrackPlan(NAME, (NOWHERE,), "Somewhere", (), OfficialCorners(corners=tuple(own))))
    assert third.track is not None
    assert (third.is_new, third.track.row["version"], third.track.circuit.corners[1].label) == (True, 2, "T4 Oak")
    labels = {corner.label for corner in third.track.circuit.corners}
    assert set(rows(copied, "gold.dptad_events")["corner"].drop_nulls()) <= labels
    assert passed_corners(copied, rows) == labels
    assert f"bends without a number: {circuit.corners[0].apex_m:,.0f} m" in describe_build(NAME, third)
    runs = rows(copied, "ops.job_runs")
    assert runs["status"].to_list() == ["ok", "ok", "ok"]


def test_a_restating_does_not_forget_where_a_session_was(copied: Lake, rows) -> None:
    made = tracks.make_track(copied, TrackPlan(NAME, (NOWHERE,)))
    tracks.write_track(copied, made, "build")
    cars = copied.read("silver.telemetry").select("session_id", "vehicle_id").distinct().collect()
    update_event_times(copied, "later", [tuple(car) for car in cars])
    assert dict(rows(copied, SILVER_SESSIONS).select("session_id", "track_id").iter_rows()) == {
        NOWHERE: NAME,
        OWN: "harbour-mile",
    }


def test_sessions_are_assigned_to_known_tracks_only(copied: Lake) -> None:
    with pytest.raises(TrackError, match="no track 'mars'"):
        assign_sessions(copied, "mars", [NOWHERE])
    with pytest.raises(TrackError, match="was driven on harbour-mile, as its messages say"):
        assign_sessions(copied, "three-oaks", [OWN])
    done = assign_sessions(copied, "three-oaks", [NOWHERE])
    assert done.laps > 0
    assert tracks.circuits_by_session(copied, [NOWHERE])[NOWHERE].track_id == "three-oaks"


def test_the_even_grid_holds_the_laps_that_are_fit_and_no_others(copied: Lake, rows) -> None:
    laps = tracks.laps_with_telemetry(copied, [OWN, NOWHERE])
    assert telemetry_100hz.update_100hz(copied, laps, "run") > 0
    table = rows(copied, SILVER_TELEMETRY_100HZ)
    known = rows(copied, "silver.laps").filter(pl.col("sample_count") > 0)
    fit = known.filter(pl.col("fit_for").list.set_intersection(["ghost", "pace"]).list.len() > 0)
    keys = ["session_id", "vehicle_id", "lap_number"]
    assert set(table.select(keys).unique().iter_rows()) == set(fit.select(keys).iter_rows())
    # Whole laps: a step of 10 ms from start to end, distance from 0 to the lap's length, instants of the telemetry.
    one = table.filter(pl.col("session_id") == OWN)
    assert one.height
    (lap,) = fit.filter(pl.col("session_id") == OWN).head(1).to_dicts()
    own = one.filter(pl.col("lap_number") == lap["lap_number"])
    assert own["sample_idx"].to_list() == list(range(own.height))
    assert own.height == lap["lap_time_ms"] // 10 + 1
    assert own["event_ts"][0] == lap["lap_start_ts"]
    assert own["lap_distance_m"].is_sorted()
    length = circuit_from_track(load_track("harbour-mile")).length_m
    assert own["lap_distance_m"].min() == 0.0
    assert length - 1.0 < own["lap_distance_m"].max() <= length
    assert own["is_interpolated"].mean() == pytest.approx(0.8, abs=0.02)  # 20 of 100 are samples
    assert set(own["sector_id"]) == {1, 2, 3}
    assert own["gear"].dtype == pl.Int32
    # Again: nothing is written. A lap that is no longer fit loses its rows, and gets them back.
    version = copied.version(SILVER_TELEMETRY_100HZ)
    assert telemetry_100hz.update_100hz(copied, laps, "again") == 0
    assert copied.version(SILVER_TELEMETRY_100HZ) == version
    key = LapKey(*(lap[name] for name in keys))
    where = f"session_id = '{OWN}' and lap_number = {key.lap_number}"
    changed = copied.read("silver.laps").where(where).withColumn("fit_for", F.array(F.lit("style")))
    copied.upsert(changed, "silver.laps")
    assert telemetry_100hz.update_100hz(copied, [key], "later") == 1
    assert rows(copied, SILVER_TELEMETRY_100HZ).filter(pl.col("session_id") == OWN).height == one.height - own.height
    copied.upsert(changed.withColumn("fit_for", F.array(F.lit("pace"))), "silver.laps")
    assert telemetry_100hz.update_100hz(copied, [key], "later") == 1
    assert rows(copied, SILVER_TELEMETRY_100HZ).equals(table)


def replayed(lake: Lake, to_bronze, place: Path, file: str, session: str | None = None) -> None:
    """Sheets and telemetry of a published race."""
    ingest(lake, to_bronze, published(place))
    readings = read_telemetry(place / file, Placement(session))
    frame = readings.frame.with_columns(dialect=pl.lit(readings.form.dialect))
    messages = [Message(k.decode(), READING, v) for k, v, _ in encode_readings(frame, "test")]
    SilverProcessor(lake, "run").process_raw_to_silver(to_bronze(stored(messages)), 0, "silver:a")
    close(lake)


def test_barber_from_one_lap_of_each_car(lake: Lake, to_bronze, rows, data_dir: Path) -> None:
    session = "I_R06_2025-09-07-R1"
    place = data_dir / "grcup" / "barber"
    replayed(lake, to_bronze, place, "barber_r1_fastest_lap_17cars.parquet", session)
    done = build_track(lake, TrackPlan("barber", (session,)))
    assert done.track is not None
    row, circuit = done.track.row, done.track.circuit
    assert (row["n_laps"], row["source"]) == (15, "gps")  # one car's clock stood still, one lap was behind a safety car
    assert circuit.length_m == pytest.approx(3_642.0, abs=10.0)
    assert 10 <= len(circuit.corners) <= 12
    assert row["n_sector_laps"] == 15
    assert row["sector_residual_p95_s"] < 0.15
    assert row["spread_m"] < 1.5
    judged = rows(lake, "gold.dptad_scores")
    scored = judged.filter(pl.col("overall_score").is_not_null())
    assert scored.height == 15
    assert set(scored["thresholds_version"]) == {"barber-1"}
    (still,) = judged.filter((pl.col("vehicle_id") == "GR86-013-80") & (pl.col("lap_number") == 4)).to_dicts()
    assert still["overall_score"] is None
    assert still["insights"][0].startswith("Not judged: the car's clock stood still")
    # Corner by corner: all cars brake for much the same corners at much the same place, before the apex.
    passed = rows(lake, "gold.corner_passes").filter(pl.col("reason").is_null())
    assert passed.filter(pl.col("vehicle_id") == "GR86-013-80").is_empty()
    quick = passed.join(scored, ["vehicle_id", "lap_number"], how="semi")
    braked = (
        quick.drop_nulls("brake_before_apex_m")
        .group_by("corner")
        .agg(
            pl.len(),
            pl.median("brake_before_apex_m"),
            apart=pl.col("brake_before_apex_m").quantile(0.8) - pl.col("brake_before_apex_m").quantile(0.2),
        )
    )
    often = braked.filter(pl.col("len") >= 10)
    assert often.height >= 7
    assert often["brake_before_apex_m"].is_between(40, 150).all()
    assert often["apart"].max() < 30.0
    assert quick["min_speed_kmh"].drop_nulls().is_between(60, 190).all()
    # Brake incidents happen where the track brakes: on the way into a corner, or in it.
    events = rows(lake, "gold.dptad_events")
    braked = events.filter(pl.col("category") == "brake")
    assert braked.height > 5
    assert braked["corner"].is_not_null().all()
    assert set(braked["lap_phase"]) <= {"braking", "entry", "apex"}
    assert braked["lap_phase"].is_in(["braking", "entry"]).mean() > 0.7
