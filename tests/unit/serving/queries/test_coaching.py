"""Coaching by name on a lake with a simulated race, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deltalake import DeltaTable

from analysis.segmentation.zones import Microsector, Zone, cut_microsectors
from analysis.tracks.circuit import circuit_from_track
from conf.lake import table_uri
from conf.settings import AppConfig
from conf.track import load_track
from serving.lake.reader import LakeReader
from serving.queries.circuits import CircuitError
from serving.queries.coaching import coach_against_target
from serving.queries.comparison import compare_named_laps
from serving.queries.ghosts import find_ghost, find_newest_ghost, list_ghosts
from serving.queries.lap_traces import load_lap_trace
from serving.queries.laps import LapError, LapName, find_best_lap, rank_by_time, read_laps
from tests.unit.serving.race_lake import SESSION, copy_race, race_home, race_lake, write_rows

TRACK = "three-oaks"
CIRCUIT = circuit_from_track(load_track(TRACK))


@pytest.fixture
def lake(tmp_path: Path) -> LakeReader:
    return LakeReader(copy_race(tmp_path))


def slow_lap() -> LapName:
    slowest = rank_by_time(read_laps(race_lake(), SESSION))[-1]
    return LapName.parse(slowest.uid)


def add_ghost(lake: LakeReader, number: int, *, feasible: bool, created: int, notes: tuple[str, ...] = ()) -> None:
    """A ghost that is the session's best lap, two percent faster."""
    best = find_best_lap(read_laps(lake, SESSION))
    assert best is not None
    trace = load_lap_trace(lake, best, CIRCUIT).trace
    uid = f"{SESSION}/ghost/{number}"
    columns = {name: trace.channels[name] for name in ("speed_kmh", "throttle_pct", "brake_front_bar", "x_m", "y_m")}
    write_rows(
        lake.settings,
        "gold.ghost_laps",
        [
            {
                "lap_uid": uid,
                "sample_idx": k,
                "session_id": SESSION,
                "track_id": TRACK,
                "t_s": trace.t_s[k] * 0.98,
                "lap_distance_m": trace.distance_m[k],
            }
            | {name: float(v[k]) for name, v in columns.items()}
            for k in range(len(trace.t_s))
        ],
    )
    write_rows(
        lake.settings,
        "gold.ghost_summary",
        [
            {
                "lap_uid": uid,
                "session_id": SESSION,
                "track_id": TRACK,
                "ghost_lap_time_s": trace.lap_time_s * 0.98,
                "feasible": feasible,
                "feasibility_notes": list(notes),
                "created_ts": created,
            }
        ],
    )


def test_the_best_lap_of_the_session_is_the_target() -> None:
    found = coach_against_target(race_lake(), slow_lap())
    best = find_best_lap(read_laps(race_lake(), SESSION))
    assert best is not None
    assert (found.target.uid, found.target.kind) == (best.uid, "best_lap")
    assert found.delta_s[0] == 0.0
    assert found.delta_s[-1] == pytest.approx(found.lap_delta_s, abs=1e-9)
    assert found.distance_m[-1] == pytest.approx(CIRCUIT.length_m)
    assert len(found.insights) > 3
    assert found.worth_s + found.elsewhere_s == pytest.approx(found.lap_delta_s)
    elsewhere = "nothing" if abs(found.elsewhere_s) < 0.0005 else f"{abs(found.elsewhere_s):.3f} s"
    assert f"{elsewhere} {'gained' if found.elsewhere_s < 0 else 'lost'} elsewhere" in found.headline
    assert f"{abs(found.lap_delta_s):.3f} s slower than {best.uid}" in found.headline
    assert any("micro-sectors were found on" in note for note in found.notes)


def test_any_lap_is_a_target_by_its_name() -> None:
    best = rank_by_time(read_laps(race_lake(), SESSION))[0]
    other = next(lap for lap in rank_by_time(read_laps(race_lake(), SESSION)) if lap.vehicle_id != best.vehicle_id)
    found = coach_against_target(
        race_lake(), LapName.parse(best.uid), f"{SESSION}/{other.vehicle_number}/{other.lap_number}"
    )
    assert (found.target.uid, found.target.kind) == (other.uid, "other_lap")
    assert "faster than" in found.headline
    again = coach_against_target(race_lake(), LapName.parse(other.uid), best.uid)
    assert again.target.kind == "best_lap"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("x", "names no lap"),
        (f"{SESSION}/54/77", "no lap 77"),
        ("ghost", "has no ghost lap yet"),
        (f"{SESSION}/ghost/1", "there are none yet"),
    ],
)
def test_targets_that_are_not_there(target: str, says: str) -> None:
    with pytest.raises(LapError, match=says):
        coach_against_target(race_lake(), slow_lap(), target)


def test_it_says_what_the_comparison_of_both_laps_says() -> None:
    lake, lap = race_lake(), slow_lap()
    found = coach_against_target(lake, lap)
    compared = compare_named_laps(lake, lap, LapName.parse(found.target.uid))
    assert compared.report is not None
    losses = {piece.label: piece.time_lost_s for piece in compared.report.pieces}
    assert {i.place.label: i.time_loss_s for i in found.insights}.items() <= losses.items()
    assert sum(losses.values()) == pytest.approx(found.lap_delta_s, abs=1e-9)
    assert found.answer.delta_s == compared.answer.delta_s


def test_a_lap_is_not_held_against_itself() -> None:
    best, second = rank_by_time(read_laps(race_lake(), SESSION))[:2]
    with pytest.raises(LapError, match="--target"):
        coach_against_target(race_lake(), LapName.parse(best.uid), best.uid)
    found = coach_against_target(race_lake(), LapName.parse(best.uid))
    assert (found.target.uid, found.target.kind) == (second.uid, "other_lap")
    assert any(f"will do: {second.uid}; quicker: {best.uid} is the lap compared" in note for note in found.notes)


def test_the_newest_ghost_that_a_car_could_drive(lake: LakeReader) -> None:
    add_ghost(lake, 1, feasible=True, created=1_000)
    add_ghost(lake, 2, feasible=True, created=3_000)
    add_ghost(lake, 3, feasible=False, created=4_000, notes=("It leaves the envelope.",))
    assert [ghost.uid[-1] for ghost in list_ghosts(lake, SESSION)] == ["3", "2", "1"]
    found = coach_against_target(lake, slow_lap(), "ghost")
    assert (found.target.uid, found.target.kind, found.target.is_synthetic) == (f"{SESSION}/ghost/2", "ghost", True)
    best = find_best_lap(read_laps(lake, SESSION))
    assert best is not None
    assert found.target.time_s == pytest.approx((best.lap_time_ms or 0) / 1000 * 0.98)
    assert np.isfinite(found.aimed.speed_kmh).all()
    assert found.insights
    assert not any("no car could drive" in note for note in found.notes)
    assert coach_against_target(lake, slow_lap(), f"{SESSION}/ghost/best").target.uid == f"{SESSION}/ghost/2"


def test_a_ghost_that_no_car_could_drive_must_be_asked_for_by_name(lake: LakeReader) -> None:
    add_ghost(lake, 1, feasible=False, created=1_000, notes=("It leaves the envelope.", "Its energy does not add up."))
    for target in ("ghost", f"{SESSION}/ghost/best"):
        with pytest.raises(LapError, match=r"It leaves the envelope\.; Its energy does not add up"):
            coach_against_target(lake, slow_lap(), target)
    with pytest.raises(LapError, match="no ghost"):
        find_ghost(lake, LapName(SESSION, "ghost", 7))
    with pytest.raises(LapError):
        find_newest_ghost(lake, SESSION)
    found = coach_against_target(lake, slow_lap(), f"{SESSION}/ghost/1")
    assert any("no car could drive" in note and "leaves the envelope" in note for note in found.notes)
    assert "optimal" not in " ".join((found.headline, *found.notes))


def test_zones_are_those_of_the_newest_segmentation(lake: LakeReader) -> None:
    def pieces(edge_m: float) -> tuple[Microsector, ...]:
        kinds = ("Straight", "Braking", "Turn", "Straight")
        edges = (0.0, edge_m, edge_m + 100, edge_m + 200, CIRCUIT.length_m)
        return cut_microsectors(
            [Zone(k, a, b) for k, a, b in zip(kinds, edges, edges[1:], strict=False)], CIRCUIT, 12.0
        )

    def rows(version: int, edge_m: float) -> list[dict[str, Any]]:
        return [
            {
                "track_id": TRACK,
                "segmentation_version": version,
                "microsector_id": p.number,
                "zone": p.zone,
                "zone_type": p.kind,
                "start_m": p.start_m,
                "end_m": p.end_m,
                "sector_id": p.sector,
            }
            for p in pieces(edge_m)
        ]

    write_rows(lake.settings, "gold.microsectors", rows(2, 800.0) + rows(1, 300.0))
    found = coach_against_target(lake, slow_lap())
    assert found.pieces == pieces(800.0)
    assert any("segmentation 2 of three-oaks" in note for note in found.notes)
    starts = {row["microsector_id"]: row["start_m"] for row in found.insight_rows()}
    assert all(abs(start_m - found.pieces[number].start_m) <= 12.0 for number, start_m in starts.items())


def test_another_track_and_no_track_are_refused(lake: LakeReader) -> None:
    row = {"session_id": "elsewhere", "track_id": "alder-ridge", "source": "x"}
    write_rows(lake.settings, "silver.sessions", [row])
    best = rank_by_time(read_laps(lake, SESSION))[0]
    lap = {"session_id": "elsewhere", "vehicle_id": "a", "lap_number": 1, "fit_for": ["pace"], "lap_time_ms": 80_000}
    write_rows(lake.settings, "silver.laps", [lap | {"is_valid": True}])
    with pytest.raises(LapError, match="on alder-ridge"):
        coach_against_target(lake, LapName.parse(best.uid), "elsewhere/a/1")
    write_rows(lake.settings, "silver.laps", [lap | {"session_id": "nowhere"}])
    with pytest.raises(CircuitError, match="track assign"):
        coach_against_target(lake, LapName("nowhere", "a", 1))


def test_quicker_laps_without_telemetry_are_passed_over(lake: LakeReader) -> None:
    best = rank_by_time(read_laps(lake, SESSION))[0]
    quick = {"session_id": SESSION, "vehicle_id": "timed-only", "lap_number": 3, "fit_for": ["pace"]}
    write_rows(lake.settings, "silver.laps", [quick | {"lap_time_ms": 70_000, "is_valid": True}])
    found = coach_against_target(lake, slow_lap())
    assert found.target.uid == best.uid
    assert any("timed-only/3" in note for note in found.notes)
    own = {"session_id": SESSION, "vehicle_id": best.vehicle_id, "lap_number": 99, "fit_for": ["pace"]}
    write_rows(lake.settings, "silver.laps", [own | {"lap_time_ms": 69_000, "is_valid": True}])
    named = coach_against_target(lake, slow_lap(), f"{SESSION}/{best.vehicle_id}/best")
    assert named.target.uid == best.uid
    assert any("/99 without the telemetry for it" in note for note in named.notes)
    coached = coach_against_target(lake, LapName(SESSION, best.vehicle_id, None), slow_lap().session_id + "/54/best")
    assert coached.lap.row.vehicle_id == best.vehicle_id


def test_a_pedal_that_ends_short_of_the_top_is_full(tmp_path: Path) -> None:
    """All pedals of the race read 96.5 % of what they did: no verdict changes, and a session's lap may have less."""
    settings = AppConfig(slipstream_home=tmp_path, _env_file=None)
    shutil.copytree(race_home().lake_root, tmp_path / "lake")
    telemetry = DeltaTable(table_uri("silver.telemetry", settings))
    telemetry.update(
        updates={"throttle_pct": "throttle_pct * 0.965", "throttle_pedal_pct": "throttle_pedal_pct * 0.965"}
    )
    found, before = (coach_against_target(lake, slow_lap()) for lake in (LakeReader(settings), race_lake()))
    assert found.driven.plateau_pct == pytest.approx(0.965 * before.driven.plateau_pct)
    assert [(i.place, i.code, i.human_value) for i in found.insights] == [
        (i.place, i.code, i.human_value) for i in before.insights
    ]
