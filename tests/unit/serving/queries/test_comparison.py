"""Two laps of the lake side by side: what adds up, what is refused, what is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.laps.distance import time_at_distance_s
from serving.lake.reader import LakeReader
from serving.queries.circuits import CircuitError, find_session_circuit
from serving.queries.comparison import compare_lap_rows, compare_loaded_laps, compare_named_laps
from serving.queries.lap_traces import load_lap_trace
from serving.queries.laps import LapError, LapName, find_best_lap, rank_by_time, read_laps
from tests.unit.serving.race_lake import SESSION, copy_race, race, race_lake, write_rows


@pytest.fixture(scope="module")
def lake():
    return race_lake()


@pytest.fixture(scope="module")
def found(lake):
    slow, quick = (
        f"{SESSION}/{car.vehicle_id}/best" for car in sorted(race().cars, key=lambda c: _best_ms(lake, c))[::-2]
    )
    return compare_named_laps(lake, LapName.parse(slow), LapName.parse(quick))


def _best_ms(lake, car):
    return find_best_lap(lap for lap in read_laps(lake, SESSION) if lap.vehicle_id == car.vehicle_id).lap_time_ms


def test_delta_at_the_line_is_the_difference_of_the_official_times(found):
    official = found.lap.row.lap_time_s - found.reference.row.lap_time_s
    assert found.delta_s == pytest.approx(official, abs=1e-6)
    assert found.delta_s > 0.5
    assert found.comparison.delta_s[-1] == pytest.approx(official, abs=1e-6)
    assert found.comparison.delta_s[0] == 0.0


def test_pieces_add_up_to_the_delta(found):
    assert sum(piece.time_lost_s for piece in found.report.pieces) == pytest.approx(found.delta_s, abs=1e-9)
    assert found.report.lap_delta_s == pytest.approx(found.delta_s)
    assert {piece.corner for piece in found.report.pieces} - {None} == {c.number for c in found.circuit.corners}


def test_reference_times_are_those_of_the_reference(found):
    times = found.reference_s
    assert times[0] == 0.0
    assert times[-1] == pytest.approx(found.reference.time_s)
    assert (np.diff(times) > 0.0).all()
    theirs = time_at_distance_s(found.lap.trace, found.comparison.distance_m)
    assert np.abs(times + found.comparison.delta_s - theirs).max() < 0.2  # the sensor's distance against the position's


def test_sectors_of_the_timing_add_up_as_well(found):
    assert None not in found.sector_deltas_s
    assert sum(found.sector_deltas_s) == pytest.approx(found.delta_s, abs=4e-3)


def test_words(found):
    assert found.headline.startswith(f"{found.lap.row.uid} (")
    assert f"{found.delta_s:.3f} s slower than {found.reference.row.uid}" in found.headline
    aligned, throttle = found.notes
    assert aligned == "aligned by position on the track"
    assert throttle.startswith(f"full throttle reads {found.report.sides[0].plateau_pct:.1f} % in {found.lap.row.uid}")
    assert (found.reference_kind, found.track_id, found.no_circuit) == ("best_lap", race().track.name, None)


def test_the_other_way_round_the_signs_turn(lake, found):
    back = compare_lap_rows(lake, found.reference.row, found.lap.row)
    assert back.delta_s == pytest.approx(-found.delta_s)
    assert "faster than" in back.headline
    assert back.sector_deltas_s == tuple(-delta for delta in found.sector_deltas_s)
    lost = [piece.time_lost_s for piece in back.report.pieces]
    assert lost == pytest.approx([-piece.time_lost_s for piece in found.report.pieces], abs=1e-9)


def test_a_lap_that_is_not_fit_for_pace_is_said_to_be_so(lake, found):
    first = next(lap for lap in read_laps(lake, SESSION) if lap.lap_number == 1)
    against = compare_lap_rows(lake, found.lap.row, first)
    assert against.reference_kind == "other_lap"
    assert any(f"{first.uid} is not fit for pace (first_lap" in note for note in against.notes)


def test_a_lap_is_not_compared_with_itself(lake, found):
    with pytest.raises(LapError, match="compared with itself"):
        compare_lap_rows(lake, found.lap.row, found.lap.row)


def test_best_is_the_lap_that_will_do(tmp_path):
    lake = LakeReader(copy_race(tmp_path))
    laps = rank_by_time(read_laps(lake, SESSION))
    own = [lap for lap in laps if lap.vehicle_id == laps[0].vehicle_id]
    quick = {"session_id": SESSION, "vehicle_id": own[0].vehicle_id, "lap_number": 99, "fit_for": ["pace"]}
    write_rows(lake.settings, "silver.laps", [quick | {"lap_time_ms": 60_000, "is_valid": True}])
    best = LapName(SESSION, own[0].vehicle_id, None)
    found = compare_named_laps(lake, LapName.parse(own[1].uid), best)
    assert found.reference.row.uid == own[0].uid
    assert any(f"will do: {own[0].uid}; quicker: {quick_uid(best)} without the tele" in note for note in found.notes)
    for lap, reference in ((LapName.parse(own[0].uid), best), (best, LapName.parse(own[0].uid))):
        both = compare_named_laps(lake, lap, reference)
        assert {both.lap.row.uid, both.reference.row.uid} == {own[0].uid, own[1].uid}
        assert any(f"{own[0].uid} is the lap compared" in note for note in both.notes)


def quick_uid(name):
    return f"{name.session_id}/{name.vehicle}/99"


def test_without_a_circuit_there_is_a_delta_and_a_way_to_a_report(lake, found):
    one, two = (load_lap_trace(lake, side.row) for side in (found.lap, found.reference))
    plain = compare_loaded_laps((one, two), None, no_circuit="nobody knows")
    assert plain.report is None
    assert plain.comparison.delta_s[-1] == pytest.approx(found.delta_s, abs=1e-6)
    assert "no corner report: nobody knows" in plain.notes
    for track_id in (None, "nowhere"):
        with pytest.raises(CircuitError, match="slipstream track build"):
            find_session_circuit(lake, SESSION, track_id)


def test_pedal_and_blade_are_not_compared(found):
    blade = replace(found.reference, throttle_source="blade")
    other = compare_loaded_laps((found.lap, blade), found.circuit)
    assert np.isnan(other.comparison.difference["throttle_pct"]).all()
    assert np.isfinite(found.comparison.difference["throttle_pct"]).any()
    silent = compare_loaded_laps((found.lap, replace(found.reference, throttle_source=None)), found.circuit)
    assert np.isfinite(silent.comparison.lap["throttle_pct"]).any()


def test_gaps_of_the_speed_are_said(found):
    speed = found.lap.trace.channels["speed_kmh"].copy()
    speed[(found.lap.trace.t_s > 20.0) & (found.lap.trace.t_s < 23.0)] = np.nan
    from analysis.laps.distance import place_samples

    trace = found.lap.trace
    holed = place_samples(trace.t_s, dict(trace.channels) | {"speed_kmh": speed}, trace.lap_time_s, found.circuit)
    with_gap = compare_loaded_laps((replace(found.lap, trace=holed), found.reference), found.circuit)
    assert any("has no speed for 3." in note for note in with_gap.notes)


def test_laps_of_different_tracks_are_refused(tmp_path):
    home = copy_race(tmp_path)
    lap = rank_by_time(read_laps(LakeReader(home), SESSION))[0]
    write_rows(home, "silver.sessions", [{"session_id": "elsewhere", "track_id": "harbour-mile"}])
    stranger = replace(lap, session_id="elsewhere")
    with pytest.raises(
        LapError, match=r"was driven on three-oaks and elsewhere/.* on harbour-mile: compare laps of one"
    ):
        compare_lap_rows(LakeReader(home), lap, stranger)


def test_where_a_session_does_not_name_its_track_the_lengths_tell(tmp_path):
    home = copy_race(tmp_path)
    lap = rank_by_time(read_laps(LakeReader(home), SESSION))[0]
    t0 = 1_757_181_600_000_000
    short = {
        "session_id": "unnamed",
        "vehicle_id": "a",
        "lap_number": 1,
        "lap_time_ms": 50_000,
        "fit_for": ["pace"],
        "lap_start_ts": t0,
        "lap_end_ts": t0 + 50_000_000,
        "sample_count": 250,
        "telemetry_gap_s": 0.2,
    }
    write_rows(home, "silver.laps", [short])
    rows = [
        {
            "session_id": "unnamed",
            "vehicle_id": "a",
            "lap_number": 1,
            "event_ts": t0 + 200_000 * k,
            "ecu_ts": t0 + 200_000 * k,
            "ecu_seq": 0,
            "speed_kmh": 100.0,
            "clock_source": "car",
        }
        for k in range(250)
    ]
    write_rows(home, "silver.telemetry", rows)
    (other,) = read_laps(LakeReader(home), "unnamed")
    with pytest.raises(LapError, match=r"m long and .* m: these are different tracks"):
        compare_lap_rows(LakeReader(home), lap, other)
