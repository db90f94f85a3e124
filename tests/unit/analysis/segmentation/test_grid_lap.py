"""One integrator for all laps: exact where the answer is known, close to the timing on real laps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.segmentation.grid_lap import GridLap, resample_by_distance, stitch_best_zones
from analysis.segmentation.zones import Zone, find_zones, merge_short_zones
from analysis.track_build.from_positions import build_from_positions
from conf.ghost import load_ghost_rules
from physics.integrate import elapsed_s
from tests.unit.analysis import real_laps


@given(st.floats(5.0, 80.0), st.floats(0.1, 10.0), st.booleans())
def test_constant_acceleration_is_exact(slowest_mps: float, a_mps2: float, brakes: bool) -> None:
    v = np.sqrt(slowest_mps**2 + 2 * a_mps2 * np.arange(201))
    seconds = (v[-1] - v[0]) / a_mps2
    assert elapsed_s(v[::-1] if brakes else v, 1.0)[-1] == pytest.approx(seconds, rel=1e-9)


@given(st.lists(st.floats(20.0, 70.0), min_size=2, max_size=5))
def test_stitching_takes_the_best_of_each_zone(speeds: list[float]) -> None:
    zones = [Zone("Straight", 0.0, 150.0), Zone("Turn", 150.0, 300.0)]
    laps = []
    for k, v in enumerate(speeds):
        speed = np.full(301, v)
        speed[151:] = speeds[-1 - k]
        laps.append(GridLap(1.0, speed, 0.0))
    total, best = stitch_best_zones(laps, zones)
    assert total <= min(lap.lap_time_s for lap in laps) + 1e-9
    assert speeds[best[0]] == pytest.approx(max(speeds), rel=1e-9)  # times round


@pytest.mark.parametrize("race", ["barber", "indianapolis"])
def test_real_laps_come_out_at_their_official_time(race: str, data_dir: Path) -> None:
    found = getattr(real_laps, race)(data_dir)
    circuit = build_from_positions([lap.trace() for lap in found], race).circuit
    laps = [resample_by_distance(lap.trace(circuit), circuit) for lap in found]
    off_s = np.array([lap.lap_time_s - lap.official_s for lap in laps])
    assert np.abs(off_s).max() < 0.1, off_s
    fastest = int(np.argmin([lap.official_s for lap in laps]))
    rules = load_ghost_rules()
    zones = merge_short_zones(find_zones(found[fastest].trace(circuit), circuit, rules), rules.stitched_zone_m)
    total, best = stitch_best_zones(laps, zones)
    assert total < laps[fastest].lap_time_s
    assert total > 0.96 * laps[fastest].lap_time_s
    assert len(set(best)) > 1
