from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.laps.distance import place_samples
from analysis.laps.trace import LapTrace
from analysis.track_build.dead_reckoning import build_by_dead_reckoning
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import circuit_from_track
from conf.track import load_track
from physics.centre_line import Line
from tests.unit.analysis import real_laps
from tests.unit.analysis.made_laps import drive, pace_of

NO_POSITION = ("x_m", "y_m", "lat_deg", "lon_deg")
CIRCUIT = circuit_from_track(load_track("alder-ridge"))


def laps(offset_g: float = 0.0, gain: float = 1.0, n: int = 3) -> list[LapTrace]:
    made = [drive(CIRCUIT, pace_of(CIRCUIT) * (0.9 + 0.05 * k)) for k in range(n)]
    return [
        place_samples(
            lap.t_s,
            {**lap.without(*NO_POSITION), "accel_lat_g": gain * lap.channels["accel_lat_g"] + offset_g},
            lap.lap_time_s,
        )
        for lap in made
    ]


def misfit(line: Line, truth: Line) -> float:
    """Root mean square distance after turning and shifting one line on the other, point by point."""
    share = np.arange(2000) / 2000
    a, b = (
        np.interp(share, one.s_m / one.length_m, one.x_m, period=1.0)
        + 1j * np.interp(share, one.s_m / one.length_m, one.y_m, period=1.0)
        for one in (line, truth)
    )
    a, b = a - a.mean(), b - b.mean()
    turn = np.vdot(a, b)
    return float(np.sqrt(np.mean(np.abs(a * turn / abs(turn) - b) ** 2)))


@settings(max_examples=10, deadline=None)
@given(offset=st.floats(-0.08, 0.08), mounted=st.sampled_from([1.0, -1.0]))
def test_the_offset_of_the_sensor_and_its_mounting_do_not_matter(offset: float, mounted: float) -> None:
    built = build_by_dead_reckoning(laps(offset, mounted), "alder-ridge", speed_lag_s=0.0)
    assert built.circuit.source == "dead_reckoning"
    assert built.circuit.length_m == pytest.approx(CIRCUIT.length_m, rel=2e-3)
    assert misfit(built.circuit.line, CIRCUIT.line) < 6.0
    assert [c.direction for c in built.circuit.corners] == [c.direction for c in CIRCUIT.corners]
    for seen, drawn in zip(built.circuit.corners, CIRCUIT.corners, strict=True):
        assert seen.entry_m == pytest.approx(drawn.entry_m, abs=20)


def test_a_gain_that_is_a_little_off_is_spread_out() -> None:
    built = build_by_dead_reckoning(laps(gain=1.05), "alder-ridge", speed_lag_s=0.0)
    assert built.misclosure_m > 5.0
    assert misfit(built.circuit.line, CIRCUIT.line) < 30.0


def test_what_is_missing_is_named() -> None:
    whole = laps(n=1)[0]
    bare = LapTrace(whole.t_s, whole.distance_m, {"speed_kmh": whole.channels["speed_kmh"]}, whole.lap_time_s)
    with pytest.raises(ValueError, match="has no accel_lat_g"):
        build_by_dead_reckoning([bare], "x")
    with pytest.raises(ValueError, match="no laps to reckon from"):
        build_by_dead_reckoning([], "x")


def test_laps_round_the_other_way_are_refused() -> None:
    one = laps(n=1)[0]
    turned = {name: -one.channels[name] for name in ("accel_lat_g", "steering_deg")}
    with pytest.raises(ValueError, match="1 laps turn left and 1 right"):
        build_by_dead_reckoning([one, LapTrace(one.t_s, one.distance_m, {**one.channels, **turned}, 90.0)], "x")


@pytest.mark.parametrize(("name", "within_m"), [("barber", 20.0), ("indianapolis", 12.0)])
def test_against_the_line_from_gps(name: str, within_m: float, data_dir: Path) -> None:
    traces = [lap.trace() for lap in getattr(real_laps, name)(data_dir)]
    truth = build_from_positions(traces, name).circuit
    built = build_by_dead_reckoning(traces, name)
    assert misfit(built.circuit.line, truth.line) < within_m
    turns = [corner.direction for corner in truth.corners]
    assert [corner.direction for corner in built.circuit.corners] == turns


def test_virginia_closes_although_it_has_no_positions(data_dir: Path) -> None:
    built = build_by_dead_reckoning([lap.trace() for lap in real_laps.vir(data_dir)], "vir")
    assert built.laps == 17
    assert built.circuit.length_m == pytest.approx(5263, abs=15)
    assert built.misclosure_m < 0.02 * built.circuit.length_m
    line = built.circuit.line
    assert line.curvature_per_m.sum() * line.step_m == pytest.approx(-2 * np.pi, abs=0.02)  # clockwise
    assert built.spread_m < 25.0
    tight = [corner for corner in built.circuit.corners if corner.radius_m < 50]
    assert [corner.direction for corner in tight] == ["right", "left", "right", "right"]
