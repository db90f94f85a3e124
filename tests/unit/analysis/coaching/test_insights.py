"""Mistakes made on purpose on the limit lap of a known car are found, named and priced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.coaching.insights import VERDICTS, DriverInputs, find_insights, find_track_sections, section_losses_s
from conf.ghost import load_ghost_rules
from physics.integrate import elapsed_s
from tests.unit.analysis.coaching.mistaken_laps import brake_early, drive_on, limit, pedals_of, zones_of
from tests.unit.analysis.coaching.real_inputs import real_inputs

RULES = load_ghost_rules()


@pytest.fixture(scope="module")
def target() -> tuple[np.ndarray, float]:
    return limit()


def test_a_foot_thirty_metres_early_and_a_lift(target: tuple[np.ndarray, float]) -> None:
    v, step_m = target
    zones = zones_of(v, step_m)
    early, onset, apex = brake_early(v, step_m, 30.0)
    early_cost = elapsed_s(early, step_m)[-1] - elapsed_s(v, step_m)[-1]
    # The lift: on the longest straight that lies elsewhere, 60 m at falling speed, then flat out again.
    straight = max(
        (z for z in zones if z.kind == "Straight" and not z.start_m - 50 < onset * step_m < z.end_m + 50),
        key=lambda z: z.length_m,
    )
    first = int((straight.start_m + 0.3 * straight.length_m) / step_m)
    last = first + round(60 / step_m)
    both = early.copy()
    both[first:last] = v[first] - np.linspace(0, 2.5, last - first)
    both = drive_on(both, last - 1, step_m)
    lift_cost = elapsed_s(both, step_m)[-1] - elapsed_s(early, step_m)[-1]
    lap = pedals_of(both, step_m, slice(first, last))
    found = find_insights(lap, pedals_of(v, step_m), zones, RULES)
    named = {i.code: i for i in found[:2]}
    assert set(named) == {"BRAKE_TOO_EARLY", "LIFTING_ON_STRAIGHT"}
    brake, lift = named["BRAKE_TOO_EARLY"], named["LIFTING_ON_STRAIGHT"]
    assert brake.place.start_m <= apex * step_m <= brake.place.end_m + 20
    assert brake.target_value - brake.human_value == pytest.approx(30.0, abs=4.0)
    assert brake.time_loss_s == pytest.approx(early_cost, rel=0.10)
    assert lift.place.start_m == straight.start_m
    assert lift.time_loss_s == pytest.approx(lift_cost, rel=0.10)
    assert [i.rank for i in found] == list(range(1, len(found) + 1))


def test_a_lap_against_itself_says_nothing(target: tuple[np.ndarray, float]) -> None:
    v, step_m = target
    lap = pedals_of(v, step_m)
    assert find_insights(lap, lap, zones_of(v, step_m), RULES) == ()


def test_losses_add_up(target: tuple[np.ndarray, float]) -> None:
    v, step_m = target
    zones = zones_of(v, step_m)
    lap, aim = pedals_of(v * 0.97, step_m), pedals_of(v, step_m)
    lost = section_losses_s(lap, aim, find_track_sections(zones), RULES)
    whole = lap.time_s[-1] - aim.time_s[-1]
    assert 0.85 * whole < lost.sum() <= whole + 1e-9


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"brake_bar": 0.6}, "BRAKE_TOO_SOFT"),
        ({"slow": True}, "TOO_SLOW_AT_APEX"),
        ({"late_power": True}, "HESITANT_THROTTLE"),
    ],
)
def test_what_goes_wrong_in_a_corner(target: tuple[np.ndarray, float], change: dict[str, object], code: str) -> None:
    v, step_m = target
    aim, zones = pedals_of(v, step_m), zones_of(v, step_m)
    place = max((p for p in find_track_sections(zones) if p.kind == "Braking"), key=lambda p: p.end_m - p.start_m)
    inside = slice(int(place.start_m / step_m), int(place.end_m / step_m))
    speed, throttle, brake = aim.speed_kmh.copy(), aim.throttle_pct.copy(), aim.brake_bar.copy()
    if "brake_bar" in change:
        brake[inside] *= 0.6
        speed[inside] -= 1.0
    if "slow" in change:
        speed[inside] -= 4.0
    if "late_power" in change:
        speed[inside] -= 1.0
        slowest = inside.start + int(np.argmin(speed[inside]))
        throttle[slowest : inside.stop + round(30 / step_m)] = 70.0
    (first, *_) = find_insights(DriverInputs(step_m, speed, throttle, brake), aim, zones, RULES)
    assert first.code == code
    assert first.text == VERDICTS[code]
    assert first.place == place


@pytest.mark.parametrize("race", ["barber", "indianapolis"])
def test_insights_explain_what_real_laps_lose(race: str, data_dir: Path) -> None:
    (target, *others), zones, official_s = real_inputs(race, data_dir)
    for lap in others:
        lost = section_losses_s(lap, target, find_track_sections(zones), RULES)
        delta_s = lap.time_s - target.time_s
        over_the_line = delta_s[: len(delta_s) // 4]  # what the lap before left it with, while both are flat out
        assert np.abs(lost.sum() + over_the_line - delta_s[-1]).min() < 1e-6
    slow = find_insights(others[-2], target, zones, RULES)
    assert sum(i.time_loss_s for i in slow) > 0.8 * (official_s[-2] - official_s[0])
    assert [i.time_loss_s for i in slow] == sorted((i.time_loss_s for i in slow), reverse=True)
