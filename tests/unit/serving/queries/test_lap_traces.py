"""One lap's samples: those of its interval, on the circuit's scale, and clear words where there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.tracks.circuit import circuit_from_track
from serving.lake.reader import LakeReader
from serving.queries.lap_traces import CHANNELS, load_first_trace, load_lap_trace
from serving.queries.laps import LapError, find_best_lap, rank_by_time, read_laps
from tests.unit.serving.race_lake import SESSION, race, race_lake, write_rows

T0 = 1_757_181_600_000_000


@pytest.fixture(scope="module")
def lake():
    return race_lake()


def made_lap(settings, *, samples=50, clock="car", speed=True):
    """One lap of ten seconds in a lake of its own, with a sample before it and one at its end."""
    lap = {
        "session_id": "s",
        "vehicle_id": "a",
        "lap_number": 3,
        "lap_time_ms": 10_000,
        "fit_for": ["pace"],
        "lap_start_ts": T0,
        "lap_end_ts": T0 + 10_000_000,
        "sample_count": samples,
        "telemetry_gap_s": 0.2,
    }
    write_rows(settings, "silver.laps", [lap, lap | {"lap_number": 4, "sample_count": 0, "telemetry_gap_s": None}])
    at = [T0 - 200_000, *(T0 + 200_000 * k for k in range(samples + 1))]
    rows = [
        {
            "session_id": "s",
            "vehicle_id": "a",
            "lap_number": 3,
            "ecu_ts": t,
            "event_ts": t,
            "ecu_seq": 0,
            "speed_kmh": 36.0 if speed else None,
            "gear": 3 if k % 2 else None,
            "clock_source": clock,
            "throttle_pct": 50.0,
            "throttle_source": "blade",
        }
        for k, t in enumerate(at)
    ]
    write_rows(settings, "silver.telemetry", list(reversed(rows)))
    return read_laps(LakeReader(settings), "s")


def test_a_lap_of_the_race(lake):
    circuit = circuit_from_track(race().track)
    lap = find_best_lap(read_laps(lake, SESSION))
    found = load_lap_trace(lake, lap, circuit)
    assert found.row is lap
    assert found.time_s == pytest.approx(lap.lap_time_s, abs=1e-6)
    assert len(found.trace.t_s) == pytest.approx(lap.sample_count, abs=1)
    assert found.trace.distance_source == "sensor"
    assert found.trace.end_m == pytest.approx(circuit.length_m)
    assert set(found.trace.channels) == set(CHANNELS)
    assert np.isnan(found.trace.channels["lat_deg"]).all()
    assert (found.throttle_source, found.trace.unseen_s) == ("pedal", 0.0)
    kmh = found.trace.channels["speed_kmh"]
    assert np.trapezoid(kmh / 3.6, found.trace.t_s) == pytest.approx(circuit.length_m, rel=0.02)


def test_samples_are_those_of_the_interval_in_order_of_time(home):
    lap, _ = made_lap(home)
    found = load_lap_trace(LakeReader(home), lap)
    assert found.trace.t_s.tolist() == pytest.approx([0.2 * k for k in range(51)])
    assert found.trace.distance_m[-1] == pytest.approx(100.0)
    assert found.trace.distance_source == "integrated"
    assert np.isnan(found.trace.channels["gear"]).sum() == 25
    assert found.throttle_source == "blade"
    assert set(load_lap_trace(LakeReader(home), lap, channels=("speed_kmh",)).trace.channels) == {"speed_kmh"}


def test_a_lap_without_telemetry_names_those_that_have_it(home):
    _, empty = made_lap(home)
    with pytest.raises(LapError, match=r"s/a/4 has no telemetry: of a 3 has it"):
        load_lap_trace(LakeReader(home), empty)
    with pytest.raises(LapError, match=r"no telemetry for 12\.0 s of it"):
        load_lap_trace(LakeReader(home), replace(empty, sample_count=9, telemetry_gap_s=12.0))
    stranger = replace(empty, vehicle_id="b", sample_count=9)
    with pytest.raises(LapError, match=r"b/4 has no telemetry: its samples are not numbered yet"):
        load_lap_trace(LakeReader(home), stranger)
    with pytest.raises(LapError, match=r"in s a have it"):
        load_lap_trace(LakeReader(home), replace(stranger, sample_count=0))


@pytest.mark.parametrize(
    ("made", "words"),
    [({"clock": "arrival"}, "clock stood still"), ({"speed": False}, "no distance for the lap")],
)
def test_laps_that_nothing_can_be_derived_from(home, made, words):
    lap, _ = made_lap(home, **made)
    with pytest.raises(LapError, match=f"s/a/3.*{words}"):
        load_lap_trace(LakeReader(home), lap)
    assert load_first_trace(LakeReader(home), [lap]) is None


def test_a_lap_without_an_interval(home):
    lap, _ = made_lap(home)
    for odd in (replace(lap, start_us=None), replace(lap, end_us=None), replace(lap, end_us=lap.start_us)):
        with pytest.raises(LapError, match="nothing says when it began and ended"):
            load_lap_trace(LakeReader(home), odd)


def test_the_first_usable_lap(lake, home):
    laps = rank_by_time(read_laps(lake, SESSION))
    gone = replace(laps[0], sample_count=0)
    assert load_first_trace(lake, [gone, *laps[1:]]).row == laps[1]
    assert load_first_trace(lake, []) is None


def test_a_lap_without_speed_for_over_a_tenth_of_its_time_is_refused(home):
    lap, _ = made_lap(home)
    assert load_lap_trace(
        LakeReader(home), replace(lap, end_us=lap.end_us + 1_050_000)
    ).trace.unseen_s == pytest.approx(1.05)
    longer = replace(lap, end_us=lap.end_us + 1_500_000)
    with pytest.raises(LapError, match="s/a/3: speed is missing for 13% of the lap, more than 10%"):
        load_lap_trace(LakeReader(home), longer)
    assert load_first_trace(LakeReader(home), [longer]) is None
    assert load_first_trace(LakeReader(home), [longer, lap]).row == lap
