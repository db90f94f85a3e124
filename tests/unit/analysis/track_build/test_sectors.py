from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.laps.distance import place_samples
from analysis.track_build.dead_reckoning import build_by_dead_reckoning
from analysis.track_build.from_positions import build_from_positions
from analysis.track_build.sectors import find_sector_ends, lap_sector_times_s
from analysis.tracks.circuit import Circuit, circuit_from_track
from conf.track import load_track
from tests.unit.analysis import real_laps
from tests.unit.analysis.made_laps import drive, pace_of
from tests.unit.analysis.real_laps import RealLap

CIRCUIT = circuit_from_track(load_track("harbour-mile"))
ALLOWED_S = 0.3


@settings(max_examples=15, deadline=None)
@given(ends=st.tuples(st.floats(100, 800), st.floats(900, 1700)), outlier=st.booleans())
def test_ends_come_back_from_times_and_times_from_ends(ends: tuple[float, float], outlier: bool) -> None:
    paces = [pace_of(CIRCUIT) * (0.9 + 0.03 * k) for k in range(5)]
    traces = [
        place_samples(lap.t_s, lap.channels, lap.lap_time_s, CIRCUIT) for lap in (drive(CIRCUIT, p) for p in paces)
    ]
    times = np.array([lap_sector_times_s(trace, ends) for trace in traces])
    assert times.sum(axis=1) == pytest.approx([trace.lap_time_s for trace in traces], abs=1e-9)
    if outlier:
        times[0, 0] += 3.0
    times[1, 1] = np.nan
    found = find_sector_ends(traces, times)
    assert found.ends_m == pytest.approx(ends, abs=1.0)
    assert found.laps == (5, 4)


def test_what_cannot_be_is_refused() -> None:
    lap = drive(CIRCUIT)
    trace = place_samples(lap.t_s, lap.channels, lap.lap_time_s, CIRCUIT)
    with pytest.raises(ValueError, match=r"shape \(1, 3\) for 2 laps"):
        find_sector_ends([trace, trace], [[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match="no lap has a time for sector 2"):
        find_sector_ends([trace], [[10.0, np.nan, 30.0]])


def residuals(known: Sequence[RealLap], unseen: Sequence[RealLap], circuit: Circuit, **how: object) -> np.ndarray:
    """Official less derived sector times of laps that the ends were not taken from, s."""
    ends = find_sector_ends([lap.trace(circuit, **how) for lap in known], [lap.sectors_s for lap in known]).ends_m
    return np.array([np.array(lap.sectors_s) - lap_sector_times_s(lap.trace(circuit, **how), ends) for lap in unseen])


def test_virginia_sectors_of_cars_that_were_not_used(data_dir: Path) -> None:
    laps = real_laps.vir(data_dir)
    found = []
    for car in sorted({lap.car for lap in laps}):
        others, own = ([lap for lap in laps if (lap.car == car) is same] for same in (False, True))
        circuit = build_by_dead_reckoning([lap.trace() for lap in others], "vir").circuit
        found.append(residuals(others, own, circuit))
    off = np.abs(np.concatenate(found))
    assert off.shape == (17, 3)
    assert np.percentile(off, 95) <= ALLOWED_S
    assert np.median(off) <= 0.08


@pytest.mark.parametrize("without", [(), ("lap_distance_m",), ("lap_distance_m", "lat_deg")])
def test_barber_sectors_of_cars_that_were_not_used(data_dir: Path, without: tuple[str, ...]) -> None:
    laps = real_laps.barber(data_dir)
    for known, unseen in ((laps[::2], laps[1::2]), (laps[1::2], laps[::2])):
        circuit = build_from_positions([lap.trace() for lap in known], "barber").circuit
        off = np.abs(residuals(known, unseen, circuit, without=without))
        assert np.percentile(off, 95) <= ALLOWED_S
        assert np.median(off) <= 0.08
