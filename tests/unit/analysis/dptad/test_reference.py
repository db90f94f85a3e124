"""The reference of the insights' costs: what a good lap takes from corner to corner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.dptad import Thresholds, analyse_lap
from analysis.dptad.insights import corner_times_s
from analysis.dptad.reference import REFERENCE_NAME, build_reference_lap, reference_times_s
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit


def test_a_reference_lap_takes_the_times_it_was_made_of(circuit: Circuit, simulated: list[LapTrace]) -> None:
    times = reference_times_s(simulated, circuit)
    assert times.keys() == {corner.number for corner in circuit.corners}
    lap = build_reference_lap(circuit, times)
    assert lap is not None
    assert corner_times_s(lap, circuit) == pytest.approx(times, abs=1e-9)
    assert lap.lap_time_s > sum(times.values()) - 1e-9


def test_it_is_near_the_best_and_no_lap_in_particular(circuit: Circuit, simulated: list[LapTrace]) -> None:
    times = reference_times_s(simulated, circuit)
    taken = [corner_times_s(lap, circuit) for lap in simulated]
    for number, seconds in times.items():
        seen = sorted(one[number] for one in taken)
        assert seen[0] <= seconds <= np.median(seen)
    again = reference_times_s(simulated[::-1], circuit)
    assert again == pytest.approx(times, abs=1e-12)


def test_times_of_other_corners_are_no_reference(circuit: Circuit, simulated: list[LapTrace]) -> None:
    times = reference_times_s(simulated, circuit)
    assert build_reference_lap(replace(circuit, corners=circuit.corners[:-1]), times) is None
    assert build_reference_lap(circuit, {}) is None
    assert build_reference_lap(replace(circuit, corners=()), {}) is None
    assert reference_times_s([], circuit) == {}


def test_a_corner_that_is_driven_slower_costs_what_it_takes_longer(
    circuit: Circuit, simulated: list[LapTrace], thresholds: Thresholds
) -> None:
    lap = simulated[0]
    reference = build_reference_lap(circuit, corner_times_s(lap, circuit))
    assert reference is not None
    corner = circuit.corners[3]
    late = np.clip((lap.distance_m - corner.entry_m) / (corner.exit_m - corner.entry_m), 0.0, 1.0) * 0.4
    slower = replace(lap, t_s=lap.t_s + late, lap_time_s=lap.lap_time_s + 0.4)
    brake = lap.channels["brake_front_bar"] + 120.0 * np.clip(
        1.0 - np.abs(lap.distance_m - corner.entry_m) / 3.0, 0.0, None
    )
    slower = replace(slower, channels={**lap.channels, "brake_front_bar": brake})
    analysis = analyse_lap(slower, circuit, thresholds, references=(reference,), reference_name=REFERENCE_NAME)
    told = [one for one in analysis.insights if one.corner == corner.label]
    assert told, [one.text for one in analysis.insights]
    assert told[0].cost_s == pytest.approx(0.4, abs=0.02)
    assert told[0].text.endswith("against a good lap here")
