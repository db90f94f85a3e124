"""Each rule on a lap made by hand: what it must find and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analysis.dptad import Thresholds, analyse_lap
from analysis.dptad.even_lap import resample_to_grid
from analysis.dptad.events import find_candidates
from analysis.dptad.handling import assess_handling
from analysis.dptad.rules import RULES, EventCandidate
from analysis.dptad.speed import CornerExit, find_slow_exits
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit

Make = Callable[..., LapTrace]
T = np.arange(0.0, 80.0, 0.04)


def found(lap: LapTrace, rule: str) -> list[EventCandidate]:
    grid = resample_to_grid(lap)
    return [one for one in find_candidates(grid, assess_handling(grid), None, Thresholds()) if one.rule == rule]


def times(lap: LapTrace, rule: str) -> list[float]:
    return [resample_to_grid(lap).t_s[one.index] for one in found(lap, rule)]


def squeeze(start: float, peak: float = 80.0, ends: float = 2.0) -> np.ndarray:
    """One braking: on within a third of a second, let go bit by bit."""
    return np.interp(T, [start, start + 0.35, start + 0.6, start + ends], [0, peak, peak, 0], left=0, right=0)


def bump(at: float, size: float, width: float = 0.3) -> np.ndarray:
    return size * np.clip(1 - np.abs(T - at) / width, 0, None)


def test_one_clean_braking_is_one_application(hand_made: Make) -> None:
    lap = hand_made(brake_front_bar=squeeze(10.0))
    assert not found(lap, "brake_stab")
    assert not found(lap, "brake_reapply")
    (bite,) = found(lap, "brake_bite")
    assert bite.magnitude == pytest.approx(80 / 0.35, rel=0.05)


def test_a_foot_resting_on_the_pedal_is_no_braking(hand_made: Make) -> None:
    assert not found(hand_made(brake_front_bar=bump(10, 8, 0.1)), "brake_bite")


def test_a_second_stab_is_told_from_the_first(hand_made: Make) -> None:
    lap = hand_made(brake_front_bar=squeeze(10.0) + bump(11.5, 45, 0.1))
    assert times(lap, "brake_stab") == pytest.approx([11.45], abs=0.1)
    events = [e for e in analyse_lap(lap).events if e.category == "brake"]
    assert [e.rule for e in events] == ["brake_stab"]  # one incident, although pressure was let go and came back


def test_release_and_reapplication_count_the_times(hand_made: Make) -> None:
    lap = hand_made(brake_front_bar=squeeze(10.0, ends=4.0) - bump(11.5, 35, 0.5) - bump(12.7, 25, 0.5))
    (one,) = found(lap, "brake_reapply")
    assert (one.count, one.note) == (2, ", 2 times")
    assert times(lap, "brake_reapply") == pytest.approx([11.5], abs=0.2)


def test_a_lift_in_mid_corner_is_found(hand_made: Make) -> None:
    throttle = np.clip(100.0 - 10 * bump(12.0, 8.0, 0.4), 0, 100)  # the bend lasts from 1 s to 19 s
    assert times(hand_made(throttle_pct=throttle), "throttle_lift") == pytest.approx([11.7], abs=0.3)


def test_lifts_for_the_brake_a_bend_or_a_gear_are_not(hand_made: Make) -> None:
    lift = np.clip(100.0 - 10 * bump(12.0, 12.0, 0.5), 0, 100)
    assert not found(hand_made(throttle_pct=lift, brake_front_bar=squeeze(11.9, 40, 0.8)), "throttle_lift")
    turn_in = np.clip(100.0 - 10 * bump(40.2, 12.0, 0.5), 0, 100)  # the second right-hander begins
    assert not found(hand_made(throttle_pct=turn_in), "throttle_lift")
    assert not found(hand_made(throttle_pct=lift, gear=np.where(T < 11.8, 3.0, 4.0)), "throttle_lift")


def test_drive_that_falls_away_needs_the_engine_to_run_ahead(hand_made: Make) -> None:
    along = 0.3 - bump(12.0, 0.35, 0.15)
    kerb = hand_made(accel_long_g=along)
    slip = hand_made(accel_long_g=along, rpm=6000.0 + bump(11.8, 500.0, 0.4))
    assert not found(kerb, "traction_loss")
    assert times(slip, "traction_loss") == pytest.approx([12.0], abs=0.1)
    moving = np.clip(100.0 - bump(12.0, 15.0, 0.4), 0, 100)
    shift = np.where(T < 12.0, 3.0, 4.0)
    for excuse in ({"throttle_pct": moving}, {"gear": shift}):
        unsteady = hand_made(accel_long_g=along, rpm=slip.channels["rpm"], **excuse)
        assert not found(unsteady, "traction_loss")


def test_opposite_lock_while_the_car_goes_on_turning_is_oversteer(hand_made: Make) -> None:
    lap = hand_made()
    slide = hand_made(steering_deg=lap.channels["steering_deg"] - bump(12.0, 90.0, 0.4))
    assert times(slide, "oversteer") == pytest.approx([12.1], abs=0.15)
    assert "opposite lock" in found(slide, "oversteer")[0].note
    reversed_sensor = hand_made(steering_deg=slide.channels["steering_deg"], accel_lat_g=-slide.channels["accel_lat_g"])
    assert times(reversed_sensor, "oversteer") == times(slide, "oversteer")
    events = [e for e in analyse_lap(slide).events if e.category == "steering"]
    assert [e.event_type for e in events] == ["oversteer"]  # the correction is the same incident


def test_unwinding_the_wheel_is_not(hand_made: Make) -> None:
    assert not found(hand_made(), "oversteer")
    assert not found(hand_made(), "understeer")
    assert not found(hand_made(), "steering_jab")


def test_more_steering_and_less_cornering_is_understeer(hand_made: Make) -> None:
    lap = hand_made()
    push = np.interp(T, [11.0, 12.5, 13.0, 13.5], [0, 50, 50, 0], left=0, right=0)
    wash = np.interp(T, [11.0, 12.5, 13.0, 13.5], [0, 0.25, 0.25, 0], left=0, right=0)
    ploughs = hand_made(
        steering_deg=lap.channels["steering_deg"] + push, accel_lat_g=lap.channels["accel_lat_g"] - wash
    )
    assert times(ploughs, "understeer") == pytest.approx([12.6], abs=0.3)
    grips = hand_made(steering_deg=lap.channels["steering_deg"] + push, accel_lat_g=lap.channels["accel_lat_g"] + wash)
    assert not found(grips, "understeer")


def test_a_correction_is_quick_and_comes_back(hand_made: Make) -> None:
    lap = hand_made()
    quick = hand_made(steering_deg=lap.channels["steering_deg"] + bump(12.0, 60.0, 0.2))
    assert times(quick, "steering_jab") == pytest.approx([12.0], abs=0.1)
    slow = hand_made(steering_deg=lap.channels["steering_deg"] + bump(12.0, 60.0, 2.0))
    assert not [e for e in analyse_lap(slow).events if e.category == "steering"]


def test_speed_lost_on_neither_pedal_in_a_turn_is_scrub(hand_made: Make) -> None:
    coast = (T > 11.0) & (T < 13.0)
    speed = 108.0 - np.interp(T, [11.0, 13.0, 20.0], [0.0, 14.0, 0.0], left=0, right=0)
    lap = hand_made(throttle_pct=np.where(coast, 0.0, 100.0), speed_kmh=speed)
    (one,) = found(lap, "speed_scrub")
    assert one.magnitude == pytest.approx(14.0, abs=1.0)
    braked = hand_made(
        throttle_pct=np.where(coast, 0.0, 100.0), speed_kmh=speed, brake_front_bar=np.where(coast, 20.0, 0.0)
    )
    assert not found(braked, "speed_scrub")


def test_a_slow_exit_is_measured_against_the_reference(simulated: list[LapTrace], circuit: Circuit) -> None:
    lap = resample_to_grid(simulated[0])
    number = circuit.corners[1].number
    from_reference = find_slow_exits(lap, circuit, {number: CornerExit(60.0, 200.0)})
    (one,) = from_reference
    assert one.corner == number
    assert one.magnitude == pytest.approx(200.0 - np.interp(circuit.corners[1].exit_m, lap.distance_m, lap.speed_kmh))
    assert not find_slow_exits(lap, circuit, {number: CornerExit(40.0, 50.0)})


def test_an_event_says_where_and_how_bad(hand_made: Make) -> None:
    lap = hand_made(brake_front_bar=squeeze(10.0) + bump(11.5, 150, 0.1))
    (event,) = (e for e in analyse_lap(lap).events if e.category == "brake")
    assert (event.corner, event.lap_phase, event.sector_id) == (None, None, None)  # no circuit was given
    assert event.severity == "high"
    assert event.magnitude / event.threshold >= 2.5
    assert event.message.startswith("Sharp second stab at the brake: ")
    assert event.lap_distance_m == pytest.approx(event.t_lap_s * 30.0)


def test_every_phase_of_a_braking_corner(simulated: list[LapTrace], circuit: Circuit, thresholds: Thresholds) -> None:
    """Brake taps put in all around a lap are placed by where they are."""
    base = simulated[0]
    seen = set()
    for corner in circuit.corners:
        half_in = (corner.entry_m + corner.apex_m) / 2
        half_out = (corner.apex_m + corner.exit_m) / 2
        for at_m, phase in ((half_in, "entry"), (corner.apex_m, "apex"), (half_out, "exit"), (corner.entry_m - 60, "")):
            at_s = np.interp(at_m, base.distance_m, base.t_s)
            tap = 90 * np.clip(1 - np.abs(base.t_s - at_s) / 0.12, 0, None)
            channels = {**base.channels, "brake_front_bar": base.channels["brake_front_bar"] + tap}
            lap = LapTrace(base.t_s, base.distance_m, channels, base.lap_time_s)
            near = [e for e in analyse_lap(lap, circuit, thresholds).events if abs(e.t_lap_s - at_s) < 0.3]
            taps = [e for e in near if e.category == "brake"]
            assert taps, (corner.label, phase)
            soon = base.channels["brake_front_bar"][(base.t_s > at_s) & (base.t_s < at_s + 0.8)].max() > 5
            if phase == "exit" and soon:
                assert taps[0].lap_phase == "braking"  # the next corner's, already
                assert taps[0].corner != corner.label
            elif phase:
                assert (taps[0].corner, taps[0].lap_phase) == (corner.label, phase)
            seen.add(taps[0].lap_phase)
    assert {"braking", "entry", "apex", "exit"} <= seen


def test_rules_have_sound_bounds() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert 0.0 < rule.low <= rule.default <= rule.high
        assert 0.9 <= rule.quantile < 1.0
