"""Mistakes made on purpose on the limit lap of a known car are found, named and priced; what is none is not named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.coaching.insights import REPORT, VERDICTS, find_insights
from analysis.comparison.corner_report import report_pieces
from analysis.comparison.lap_inputs import LapInputs
from analysis.comparison.places import Sides, TrackPlace, find_places
from conf.ghost import load_ghost_rules
from physics.integrate import elapsed_s
from tests.unit.analysis.coaching.mistaken_laps import brake_early, circuit, drive_on, inputs_of, limit, pedals_of
from tests.unit.analysis.coaching.real_inputs import real_pairs

RULES = load_ghost_rules().coaching


@pytest.fixture(scope="module")
def target() -> tuple[np.ndarray, float]:
    return limit()


def scaled(lap: LapInputs, share: float) -> LapInputs:
    """The lap of a pedal whose full travel reads less."""
    return replace(lap, throttle_pct=lap.throttle_pct * share, plateau_pct=lap.plateau_pct * share)


def straights(sides: Sides) -> list[TrackPlace]:
    return [place for place in find_places(circuit(), sides) if place.corner is None]


def longest_straight(lap: LapInputs) -> TrackPlace:
    return max(straights((lap, lap)), key=lambda place: place.end_m - place.start_m)


def test_a_foot_thirty_metres_early_and_a_lift(target: tuple[np.ndarray, float]) -> None:
    v, step_m = target
    aim = pedals_of(v, step_m)
    early, onset, apex = brake_early(v, step_m, 30.0)
    early_cost = elapsed_s(early, step_m)[-1] - elapsed_s(v, step_m)[-1]
    # The lift: on the longest straight that lies elsewhere, 60 m at falling speed, then flat out again.
    straight = max(
        (p for p in straights((aim, aim)) if not p.start_m - 50 < onset * step_m < p.end_m + 50),
        key=lambda p: p.end_m - p.start_m,
    )
    first = int((straight.start_m + 0.3 * (straight.end_m - straight.start_m)) / step_m)
    last = first + round(60 / step_m)
    both = early.copy()
    both[first:last] = v[first] - np.linspace(0, 2.5, last - first)
    both = drive_on(both, last - 1, step_m)
    lift_cost = elapsed_s(both, step_m)[-1] - elapsed_s(early, step_m)[-1]
    found = find_insights((pedals_of(both, step_m, slice(first, last)), aim), circuit(), RULES)
    named = {i.code: i for i in found[:2]}
    assert set(named) == {"BRAKE_TOO_EARLY", "LIFTING_ON_STRAIGHT"}
    brake, lift = named["BRAKE_TOO_EARLY"], named["LIFTING_ON_STRAIGHT"]
    assert brake.place.start_m <= apex * step_m <= brake.place.end_m + 20
    assert brake.target_value - brake.human_value == pytest.approx(30.0, abs=4.0)
    assert brake.time_loss_s == pytest.approx(early_cost, rel=0.10)
    assert lift.place.label == straight.label
    assert lift.human_value == pytest.approx(60.0, abs=3.0)
    assert lift.time_loss_s == pytest.approx(lift_cost, rel=0.10)
    assert [i.rank for i in found] == list(range(1, len(found) + 1))


def test_a_lap_against_itself_says_nothing(target: tuple[np.ndarray, float]) -> None:
    lap = pedals_of(*target)
    assert find_insights((lap, lap), circuit(), RULES) == ()


@given(
    shares=st.tuples(st.floats(0.3, 1.0), st.floats(0.3, 1.0)),
    slower=st.floats(0.0, 0.03),
    early_m=st.floats(1.0, 40.0),
)
@settings(max_examples=30, deadline=None)
def test_what_a_full_pedal_reads_changes_no_verdict(shares: tuple[float, float], slower: float, early_m: float) -> None:
    v, step_m = limit()
    lap, aim = pedals_of(brake_early(v, step_m, early_m)[0] * (1.0 - slower), step_m), pedals_of(v, step_m)

    def said(sides: Sides) -> list[tuple[str, str, float, float]]:
        found = find_insights(sides, circuit(), RULES)
        return [(i.place.label, i.code, i.human_value, i.target_value) for i in found]

    one, two = shares
    assert said((scaled(lap, one), scaled(aim, two))) == said((lap, aim))


@given(seed=st.integers(0, 1000), slower=st.floats(0.0, 0.05))
@settings(max_examples=25, deadline=None)
def test_losses_are_those_of_the_report_and_add_up(seed: int, slower: float) -> None:
    v, step_m = limit()
    rng = np.random.default_rng(seed)
    bumps = np.interp(np.arange(len(v)), np.linspace(0, len(v), 40), rng.uniform(-0.02, slower, 40))
    sides = (pedals_of(v * (1.0 - bumps), step_m), pedals_of(v, step_m))
    pieces = report_pieces(sides, circuit())
    delta_s = sides[0].time_s[-1] - sides[1].time_s[-1]
    assert sum(piece.time_lost_s for piece in pieces) == pytest.approx(delta_s, abs=1e-9)
    worth = {piece.label: piece.time_lost_s for piece in pieces if piece.time_lost_s >= RULES.least_loss_s}
    assert {i.place.label: i.time_loss_s for i in find_insights(sides, circuit(), RULES)} == worth
    # Seen from the other lap the places are the same and what one loses the other gains.
    back = report_pieces((sides[1], sides[0]), circuit())
    assert [(p.place, -p.time_lost_s) for p in back] == [(p.place, pytest.approx(p.time_lost_s)) for p in pieces]


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
    aim = pedals_of(v, step_m)
    place = max(
        (p for p in find_places(circuit(), (aim, aim)) if p.corner is not None),
        key=lambda p: aim.window(aim.brake_bar, p.start_m, p.end_m)[1].max(),
    )
    inside = slice(round(place.start_m / step_m) + 1, round(place.end_m / step_m))
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
    (first, *_) = find_insights((inputs_of(step_m, speed, throttle, brake), aim), circuit(), RULES)
    assert first.code == code
    assert first.text == VERDICTS[code]
    assert first.place.label == place.label
    assert first.kind == "Braking"


def on_straight(change: str) -> tuple[Sides, TrackPlace]:
    """A lap that is slower on the longest straight, and the target."""
    v, step_m = limit()
    aim = pedals_of(v, step_m)
    place = longest_straight(aim)
    start, end = round(place.start_m / step_m), round(place.end_m / step_m)
    speed, throttle, gear = aim.speed_kmh.copy(), aim.throttle_pct.copy(), np.full(len(v), 4.0)
    middle, at = (start + end) // 2, np.arange(len(v))
    speed[start + 1 : end] -= 4.0
    if change == "shift":  # the pedal comes up for a third of a second while the gear changes
        throttle[middle : middle + 12] = 0.0
        gear[middle + 6 :] = 5.0
    if change == "blip without gears":
        throttle[middle : middle + 12] = 0.0
        gear[:] = np.nan
    if change == "lift in gear":
        throttle[middle : middle + 12] = 0.0
    if change == "late":
        throttle[start : start + round(40 / step_m)] = 60.0
    if change == "slow":
        speed[start - 5 : start + 1] -= 4.0
    if change == "slow and without power":
        speed[start - 5 : start + 1] -= 4.0
        speed[start + 1 :] = aim.speed_kmh[start + 1 :] - 8.0
    if change == "wavers":
        throttle[middle : middle + 100] = 93.0
    if change == "both late":
        throttle[start : start + 60] = 60.0
        aim = replace(aim, throttle_pct=np.where((at >= start) & (at < start + 60), 60.0, aim.throttle_pct))
    return (replace(inputs_of(step_m, speed, throttle, aim.brake_bar), gear=gear), aim), place


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ("shift", ("SLOWER_HERE",)),
        ("blip without gears", ("SLOWER_HERE",)),
        ("lift in gear", ("LIFTING_ON_STRAIGHT",)),
        ("late", ("HESITANT_THROTTLE",)),
        ("slow", ("SLOW_ONTO_STRAIGHT",)),
        ("slow and without power", ("SLOWER_HERE",)),
        ("wavers", ("SLOWER_HERE",)),
        ("both late", ("SLOWER_HERE",)),
    ],
)
def test_what_goes_wrong_on_a_straight(change: str, codes: Sequence[str]) -> None:
    sides, place = on_straight(change)
    found = {i.place.label: i for i in find_insights(sides, circuit(), RULES)}
    assert (found[place.label].code,) == codes
    assert found[place.label].human_value != found[place.label].target_value


@pytest.mark.parametrize("race", ["barber", "indianapolis"])
def test_insights_explain_what_real_laps_lose(race: str, data_dir: Path) -> None:
    pairs, laid = real_pairs(race, data_dir)
    for sides, delta_s in pairs:
        pieces = report_pieces(sides, laid, REPORT)
        assert sum(piece.time_lost_s for piece in pieces) == pytest.approx(delta_s, abs=1e-9)
        found = find_insights(sides, laid, RULES)
        assert [i.time_loss_s for i in found] == sorted((i.time_loss_s for i in found), reverse=True)
        losses = {piece.label: piece.time_lost_s for piece in pieces}
        assert all(losses[i.place.label] == i.time_loss_s for i in found)
