"""Laps in micro-sectors: what they did there, their time, and which laps nothing can be learned from."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from analysis.car_limits.observed_limit import observed_limit_lap
from analysis.laps.trace import LapTrace
from analysis.segmentation.lap_segments import STEPS, LapSegmentError, split_lap
from analysis.segmentation.segmentation import (
    SegmentedTrack,
    limit_speed_mps,
    line_curvature_per_m,
    microsector_index,
    segment_track,
)
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import Circuit
from conf.ghost import load_ghost_rules
from tests.unit.analysis import real_laps


@cache
def cut_track(race: str, data_dir: Path) -> tuple[Circuit, tuple[LapTrace, ...], SegmentedTrack]:
    found = getattr(real_laps, race)(data_dir)
    circuit = build_from_positions([lap.trace() for lap in found], race).circuit
    traces = tuple(sorted((lap.trace(circuit) for lap in found), key=lambda trace: trace.lap_time_s))
    return circuit, traces, segment_track(traces[0], circuit, observed_limit_lap(traces, circuit), load_ghost_rules())


@pytest.mark.parametrize("race", ["barber", "indianapolis"])
def test_every_lap_is_cut_alike_and_its_pieces_add_up_to_its_time(race: str, data_dir: Path) -> None:
    circuit, traces, track = cut_track(race, data_dir)
    assert 200 < len(track.pieces) < 500
    assert track.length_m == pytest.approx(circuit.length_m)
    for trace in traces:
        found = split_lap(trace, circuit, track.pieces)
        assert found.t_s.shape == (len(track.pieces), STEPS)
        np.testing.assert_allclose(found.t_s[1:, 0], found.t_s[:-1, -1])
        assert (found.t_s[:, -1] - found.t_s[:, 0]).sum() == pytest.approx(found.lap_time_s)
        assert abs(found.lap_time_s - trace.lap_time_s) < 0.1
        assert np.isfinite(found.channels["speed_kmh"]).all()


def test_the_limit_lap_is_faster_almost_everywhere_and_bends_are_where_it_is_slow(data_dir: Path) -> None:
    _, _, track = cut_track("barber", data_dir)
    assert np.mean(track.limit_mps >= track.entry_mps) > 0.75
    assert np.all(track.slowest_mps <= track.entry_mps + 1e-9)
    at = np.linspace(0.0, track.length_m, 500)
    slow = limit_speed_mps(track, at) < np.quantile(track.limit_mps, 0.2)
    bend = np.abs(line_curvature_per_m(track, at))
    assert bend[slow].mean() > 3 * bend[~slow].mean()
    assert limit_speed_mps(track, -1.0) == pytest.approx(limit_speed_mps(track, track.length_m - 1.0))
    assert list(microsector_index(track.pieces, np.array([0.0, track.length_m]))) == [0, len(track.pieces) - 1]


def test_a_jump_of_position_is_found_and_said(data_dir: Path) -> None:
    circuit, traces, track = cut_track("barber", data_dir)
    trace = traces[0]
    jumped = trace.distance_m.copy()
    middle = len(jumped) // 2
    jumped[middle : middle + 60] += 20.0
    with pytest.raises(LapSegmentError, match=r"near [\d,]+ m its place is 0\.\d+ s off .* its positions jump"):
        split_lap(replace(trace, distance_m=np.maximum.accumulate(jumped)), circuit, track.pieces)


def test_a_lap_without_a_channel_is_refused_by_name(data_dir: Path) -> None:
    circuit, traces, track = cut_track("barber", data_dir)
    without = {name: values for name, values in traces[0].channels.items() if name != "brake_front_bar"}
    with pytest.raises(LapSegmentError, match="no brake_front_bar"):
        split_lap(replace(traces[0], channels=without), circuit, track.pieces)


def test_a_lap_whose_time_does_not_follow_from_its_speed_is_refused(data_dir: Path) -> None:
    circuit, traces, track = cut_track("barber", data_dir)
    lap = traces[0]
    slow = lap.channels["speed_kmh"].copy()
    known = np.flatnonzero(np.isfinite(slow))
    slow[known[200:206]] *= 0.3  # a sensor that dropped out for a second: the scale hides it, the way does not
    with pytest.raises(LapSegmentError, match=r"takes|off from where"):
        split_lap(replace(lap, channels=dict(lap.channels) | {"speed_kmh": slow}), circuit, track.pieces)


def test_pieces_in_a_gap_of_the_speed_are_known_to_be_unseen(data_dir: Path) -> None:
    circuit, traces, track = cut_track("indianapolis", data_dir)
    lap = traces[0]
    whole = split_lap(lap, circuit, track.pieces)
    speed = lap.channels["speed_kmh"].copy()
    gone = (lap.t_s > 40.0) & (lap.t_s < 41.2)
    speed[gone] = np.nan
    torn = split_lap(replace(lap, channels=dict(lap.channels) | {"speed_kmh": speed}), circuit, track.pieces)
    lost = np.flatnonzero(whole.is_seen & ~torn.is_seen)
    assert 2 <= len(lost) <= 12
    assert np.all(np.diff(lost) == 1)
    assert torn.t_s[lost[0], 0] == pytest.approx(40.0, abs=1.0)
