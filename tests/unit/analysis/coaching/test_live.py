"""A running lap says, place by place, what the whole lap says in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.coaching.insights import CoachingInsight, find_insights
from analysis.coaching.live import LiveLap, LiveSamples
from analysis.comparison.lap_inputs import LapInputs
from analysis.comparison.places import find_places
from conf.ghost import load_ghost_rules
from tests.unit.analysis.coaching.mistaken_laps import brake_early, circuit, limit, pedals_of
from tests.unit.analysis.coaching.real_inputs import real_pairs

RULES = load_ghost_rules().coaching


def samples_of(lap: LapInputs, every_m: float, shift_m: float = 0.0) -> LiveSamples:
    """The lap as a car would send it, between the points of the grid."""
    grid = lap.distance_m
    at = np.arange(shift_m, grid[-1], every_m)
    read = [np.interp(at, grid, values) for values in (lap.time_s, lap.speed_kmh, lap.throttle_pct, lap.brake_bar)]
    return LiveSamples(at, *read)


def whole(samples: LiveSamples, lap: LapInputs) -> LapInputs:
    """The same samples put on the grid at once, with the time at the line."""
    grid, length_m = lap.distance_m, lap.length_m

    def on_grid(values: np.ndarray, *, end: bool = False) -> np.ndarray:
        known = np.isfinite(values)
        at, read = samples.distance_m[known], values[known]
        return (
            np.interp(grid, np.append(at, length_m), np.append(read, lap.time_s[-1]))
            if end
            else np.interp(grid, at, read)
        )

    pedals = [on_grid(values) for values in (samples.speed_kmh, samples.throttle_pct, samples.brake_bar)]
    nothing = np.full(len(grid), np.nan)
    return LapInputs(lap.step_m, on_grid(samples.t_s, end=True), *pedals, nothing, lap.plateau_pct)


def start(target: LapInputs) -> LiveLap:
    return LiveLap.start(target, circuit(), RULES)


def batch(samples: LiveSamples, lap: LapInputs, target: LapInputs) -> tuple[CoachingInsight, ...]:
    return find_insights((whole(samples, lap), target), circuit(), RULES)


def run(
    lap: LiveLap, samples: LiveSamples, edges: Sequence[int], lap_time_s: float | None = None
) -> tuple[LiveLap, list[tuple[float, CoachingInsight]]]:
    """Send samples in chunks; what was said, and where the car was by then."""
    said = []
    for a, b in zip([0, *edges], [*edges, len(samples.t_s)], strict=True):
        index = np.zeros(len(samples.t_s), bool)
        index[a:b] = True
        lap, new = lap.update(samples.take(index))
        said += [(lap.now.distance_m if lap.now else 0.0, insight) for insight in new]
    lap, new = lap.finish(lap_time_s)
    return lap, said + [(np.inf, insight) for insight in new]


def assert_same(live: Sequence[CoachingInsight], batch: Sequence[CoachingInsight]) -> None:
    assert [(i.rank, i.code, i.place, i.metric) for i in live] == [(i.rank, i.code, i.place, i.metric) for i in batch]
    for name in ("time_loss_s", "human_value", "target_value", "throttle_applied_pct", "brake_applied_bar"):
        assert [getattr(i, name) for i in live] == pytest.approx([getattr(i, name) for i in batch], abs=1e-9)


def mistaken(early_m: float, slower: float, throttle_share: float, seed: int) -> tuple[LapInputs, LapInputs]:
    """A lap braked early, slower at random places, its throttle not always full; and its target."""
    v, step_m = limit()
    rng = np.random.default_rng(seed)
    ours, _, _ = brake_early(v, step_m, early_m)
    bumps = np.interp(np.arange(len(v)), np.linspace(0, len(v), 40), rng.uniform(0.0, slower, 40))
    lap = pedals_of(ours * (1.0 - bumps), step_m)
    eased = np.interp(np.arange(len(v)), np.linspace(0, len(v), 60), rng.random(60)) > throttle_share
    lap = replace(lap, throttle_pct=np.where(eased, np.minimum(lap.throttle_pct, 90.0), lap.throttle_pct))
    return lap, pedals_of(v, step_m)


@given(
    early_m=st.floats(2.0, 60.0),
    slower=st.floats(0.0, 0.05),
    throttle_share=st.sampled_from([0.0, 0.5, 0.8, 1.0]),
    seed=st.integers(0, 10_000),
    every_m=st.floats(0.7, 12.0),
    cuts=st.lists(st.floats(0.0, 1.0), max_size=60),
)
@settings(max_examples=60, deadline=None)
def test_in_whatever_chunks_it_comes_the_lap_says_what_it_says_as_a_whole(
    early_m: float, slower: float, throttle_share: float, seed: int, every_m: float, cuts: list[float]
) -> None:
    lap, target = mistaken(early_m, slower, throttle_share, seed)
    samples = samples_of(lap, every_m, shift_m=0.3)
    edges = sorted(int(c * len(samples.t_s)) for c in cuts)
    done, said = run(start(target), samples, edges, float(lap.time_s[-1]))
    assert_same(done.ranked, batch(samples, lap, target))
    assert [i for _, i in said] == list(done.said)
    assert len({i.place for i in done.said}) == len(done.said)
    assert done.update(samples) == (done, ())


def test_every_sample_by_itself_with_holes_and_steps_back() -> None:
    lap, target = mistaken(25.0, 0.03, 0.8, 4)
    samples = samples_of(lap, 3.0)
    rng = np.random.default_rng(1)
    holes = {
        name: np.where(rng.random(len(samples.t_s)) < 0.4, np.nan, getattr(samples, name))
        for name in ("speed_kmh", "throttle_pct", "brake_bar")
    }
    samples = replace(samples, **holes)
    expected = batch(samples, lap, target)
    again = np.sort(np.append(np.arange(len(samples.t_s)), np.arange(5, len(samples.t_s), 9)))
    repeated = LiveSamples(*(values[again] for values in vars(samples).values()))
    repeated.distance_m[3::50] -= 0.5
    dropped = repeated.distance_m <= np.maximum.accumulate(np.append(-np.inf, repeated.distance_m))[:-1]
    assert dropped.any()
    done, _ = run(start(target), samples, range(1, len(samples.t_s)), float(lap.time_s[-1]))
    assert_same(done.ranked, expected)
    one_by_one, _ = run(start(target), repeated, range(1, len(repeated.t_s)))
    at_once, _ = run(start(target), repeated, [])
    assert_same(one_by_one.ranked, at_once.ranked)


def test_each_is_said_by_the_next_apex() -> None:
    lap, target = mistaken(30.0, 0.04, 1.0, 3)
    samples = samples_of(lap, 2.0)
    done, said = run(start(target), samples, range(5, len(samples.t_s), 5), float(lap.time_s[-1]))
    places = find_places(circuit(), (whole(samples, lap), target))
    apexes = [c.apex_m for c in circuit().corners]
    inside = [(at_m, insight.place) for at_m, insight in said if np.isfinite(at_m)]
    assert len(inside) >= 4
    for at_m, place in inside:
        ahead = min((apex for apex in apexes if apex > place.end_m), default=np.inf)
        assert place.end_m < at_m <= ahead + 25.0
    assert all(places.index(insight.place) >= len(places) - 2 for at_m, insight in said if not np.isfinite(at_m))
    assert [i.rank for i in done.ranked] == list(range(1, len(said) + 1))


def test_time_lost_and_what_is_applied_now() -> None:
    lap, target = mistaken(30.0, 0.02, 1.0, 7)
    samples = samples_of(lap, 2.0)
    running = start(target)
    assert running.now is None
    half = samples.take(samples.distance_m < 1_500.0)
    running, _ = running.update(half)
    now = running.now
    assert now is not None
    assert now.distance_m == half.distance_m[-1]
    at = [np.interp(now.distance_m, lap.distance_m, x) for x in (lap.time_s, target.time_s, target.throttle_pct)]
    assert now.delta_s == pytest.approx(at[0] - at[1])
    assert (now.throttle_applied_pct, now.throttle_target_pct) == (pytest.approx(half.throttle_pct[-1]), at[2])
    assert now.brake_applied_bar == half.brake_bar[-1]


def test_the_speed_and_the_throttle_have_the_cars_own_scale() -> None:
    lap, target = mistaken(30.0, 0.02, 1.0, 7)
    samples = samples_of(lap, 2.0)
    off = replace(samples, speed_kmh=samples.speed_kmh / 1.01, throttle_pct=samples.throttle_pct * 0.9)
    plain, _ = run(start(target), samples, [100, 400])
    scaled, _ = run(LiveLap.start(target, circuit(), RULES, 90.0, 1.01), off, [100, 400])
    assert [(i.code, i.place) for i in scaled.ranked] == [(i.code, i.place) for i in plain.ranked]
    for one, other in zip(scaled.ranked, plain.ranked, strict=True):
        assert one.human_value == pytest.approx(other.human_value)


def test_where_the_timing_has_not_said_when_the_lap_ended() -> None:
    lap, target = mistaken(30.0, 0.02, 1.0, 7)
    done, _ = run(start(target), samples_of(lap, 5.0), [200])
    assert done.inputs().time_s[-1] == pytest.approx(lap.time_s[-1], abs=0.01)


def test_a_lap_that_never_sent_its_brakes_is_refused() -> None:
    lap, target = mistaken(30.0, 0.0, 1.0, 0)
    samples = replace(samples_of(lap, 2.0), brake_bar=np.full(len(samples_of(lap, 2.0).t_s), np.nan))
    running, said = start(target).update(samples)
    assert said == ()
    with pytest.raises(ValueError, match="brake"):
        running.finish()


@pytest.mark.parametrize("race", ["barber", "indianapolis"])
def test_real_laps(race: str, data_dir: Path) -> None:
    pairs, laid = real_pairs(race, data_dir)
    for (lap, target), _ in pairs:
        known = [np.interp(lap.distance_m, lap.distance_m[np.isfinite(x)], x[np.isfinite(x)]) for x in _pedals(lap)]
        samples = LiveSamples(lap.distance_m, lap.time_s, *known)
        begun = LiveLap.start(target, laid, RULES, lap.plateau_pct, lap.speed_scale)
        done, said = run(begun, samples, range(60, len(lap.distance_m), 60), float(lap.time_s[-1]))
        speed, throttle, brake = known
        filled = replace(lap, speed_kmh=speed, throttle_pct=throttle, brake_bar=brake, gear=np.full(len(speed), np.nan))
        assert_same(done.ranked, find_insights((filled, target), laid, RULES))
        late = [i for at_m, i in said if not np.isfinite(at_m)]
        assert len(late) <= 3


def _pedals(lap: LapInputs) -> tuple[np.ndarray, ...]:
    return lap.speed_kmh, lap.throttle_pct, lap.brake_bar
