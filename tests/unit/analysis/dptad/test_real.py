"""Real race laps: few events, where a driver would look for them, and soon enough."""

from __future__ import annotations

import time

import numpy as np
import pytest

from analysis.dptad import CATEGORIES, Category, LapAnalysis, Thresholds, analyse_lap, calibrate_thresholds
from analysis.dptad.even_lap import resample_to_grid
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit

Barber = tuple[Circuit, dict[str, LapTrace]]
Race = tuple[Circuit, dict[tuple[str, int], LapTrace]]


@pytest.fixture(scope="module")
def at_barber(barber: Barber) -> dict[str, LapAnalysis]:
    circuit, laps = barber
    used = calibrate_thresholds(list(laps.values()), "barber", 1, circuit)
    return {car: analyse_lap(lap, circuit, used) for car, lap in laps.items()}


@pytest.fixture(scope="module")
def in_the_race(indianapolis: Race) -> dict[tuple[str, int], LapAnalysis]:
    circuit, laps = indianapolis
    used = calibrate_thresholds(list(laps.values()), "indianapolis", 1, circuit)
    return {key: analyse_lap(lap, circuit, used) for key, lap in laps.items()}


def test_a_lap_has_a_handful_of_events(
    at_barber: dict[str, LapAnalysis], in_the_race: dict[tuple[str, int], LapAnalysis]
) -> None:
    for analyses in (at_barber, in_the_race):
        counts = [len(one.events) for one in analyses.values()]
        assert 3 <= np.mean(counts) <= 12
        assert max(counts) <= 25
        assert all(score.score is not None for one in analyses.values() for score in one.scores.values())


def test_the_defaults_too_give_no_more_than_a_couple_of_dozen(barber: Barber) -> None:
    circuit, laps = barber
    counts = [len(analyse_lap(lap, circuit).events) for lap in laps.values()]
    assert 2 <= np.mean(counts) <= 15
    assert max(counts) <= 25


def test_brake_events_lie_where_the_field_brakes(barber: Barber, at_barber: dict[str, LapAnalysis]) -> None:
    """Where at least a third of the cars are on the brake within thirty metres."""
    circuit, laps = barber
    grid_m = np.arange(0.0, circuit.length_m)
    braked = np.zeros(grid_m.size)
    for lap in map(resample_to_grid, laps.values()):
        near = np.zeros(grid_m.size, bool)
        for at_m in lap.distance_m[lap.brake_bar >= 5.0]:
            near[int(max(at_m - 30, 0)) : int(at_m + 30)] = True
        braked += near
    zone = braked >= len(laps) / 3
    assert 0.1 < zone.mean() < 0.5
    events = [e for one in at_barber.values() for e in one.events if e.category == "brake"]
    inside = [zone[min(int(e.lap_distance_m), zone.size - 1)] for e in events]
    assert len(events) >= 5
    assert np.mean(inside) >= 0.9
    assert {e.lap_phase for e in events} <= {"braking", "entry", "apex"}


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_driver_is_himself_from_lap_to_lap(
    in_the_race: dict[tuple[str, int], LapAnalysis], category: Category
) -> None:
    """Two drivers of one race differ more than either from himself: smoothness is the driver's, not the track's."""
    by_car: dict[str, list[float]] = {}
    for (car, _), one in in_the_race.items():
        smooth = one.scores[category].smoothness
        assert smooth is not None
        by_car.setdefault(car, []).append(smooth)
    (rough, smooth) = sorted((np.array(x) for x in by_car.values()), key=np.median)
    assert np.median(smooth) - np.median(rough) > np.median(np.abs(rough - np.median(rough)))


def test_which_way_the_lateral_sensor_sits_does_not_matter(indianapolis: Race) -> None:
    """One of the two cars has it reversed; turning it over changes no event."""
    circuit, laps = indianapolis
    signs = set()
    for key in (("GR86-025-47", 12), ("GR86-006-7", 6)):
        lap = laps[key]
        both = np.isfinite(lap.channels["steering_deg"]) & np.isfinite(lap.channels["accel_lat_g"])
        signs.add(np.sign(np.corrcoef(lap.channels["steering_deg"][both], lap.channels["accel_lat_g"][both])[0, 1]))
        over = {**lap.channels, "accel_lat_g": -lap.channels["accel_lat_g"]}
        turned = LapTrace(lap.t_s, lap.distance_m, over, lap.lap_time_s)
        assert analyse_lap(turned, circuit).events == analyse_lap(lap, circuit).events
    assert signs == {-1.0, 1.0}


def test_the_spin_of_the_wheels_out_of_the_hairpin_is_found(barber: Barber, at_barber: dict[str, LapAnalysis]) -> None:
    """Car 13 in first gear at full throttle: engine speed leaps and falls by 1,000 1/min, drive breaks off."""
    (event,) = (e for e in at_barber["GR86-022-13"].events if e.event_type == "traction_control")
    lap = resample_to_grid(barber[1]["GR86-022-13"])
    index = int(np.searchsorted(lap.t_s, event.t_lap_s))
    near = slice(index - 12, index + 13)
    assert lap.throttle_pct[index] > 80
    assert np.nanmax(lap.rpm[near]) - np.nanmin(lap.rpm[near]) > 500


def test_a_lap_takes_well_under_a_second(barber: Barber) -> None:
    circuit, laps = barber
    used, lap = Thresholds(), next(iter(laps.values()))
    took = []
    for _ in range(5):
        began = time.perf_counter()
        analyse_lap(lap, circuit, used, references=[lap])
        took.append(time.perf_counter() - began)
    assert min(took) < 0.25
