"""A running lap says, place by place, what the whole lap says in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.coaching.insights import CoachingInsight, DriverInputs, find_insights, find_track_sections
from analysis.coaching.live import LiveLap, LiveSamples
from analysis.segmentation.zones import Zone
from conf.ghost import load_ghost_rules
from physics.integrate import elapsed_s
from tests.unit.analysis.coaching.mistaken_laps import brake_early, limit, pedals_of, zones_of
from tests.unit.analysis.coaching.real_inputs import real_inputs

RULES = load_ghost_rules()


def grid_of(lap: DriverInputs) -> np.ndarray:
    return np.arange(len(lap.speed_kmh)) * lap.step_m


def samples_of(lap: DriverInputs, every_m: float, shift_m: float = 0.0) -> LiveSamples:
    """The lap as a car would send it, between the points of the grid."""
    grid = grid_of(lap)
    at = np.arange(shift_m, grid[-1], every_m)
    read = [np.interp(at, grid, values) for values in (lap.time_s, lap.speed_kmh, lap.throttle_pct, lap.brake_bar)]
    return LiveSamples(at, *read)


def whole(samples: LiveSamples, target: DriverInputs) -> DriverInputs:
    """The same samples put on the grid at once."""
    grid = grid_of(target)
    values = (samples.speed_kmh, samples.throttle_pct, samples.brake_bar)
    known = [np.isfinite(v) for v in values]
    return DriverInputs(
        target.step_m,
        *(np.interp(grid, samples.distance_m[k], v[k]) for k, v in zip(known, values, strict=True)),
    )


def run(
    lap: LiveLap, samples: LiveSamples, edges: Sequence[int]
) -> tuple[LiveLap, list[tuple[float, CoachingInsight]]]:
    """Send samples in chunks; what was said, and where the car was by then."""
    said = []
    for a, b in zip([0, *edges], [*edges, len(samples.t_s)], strict=True):
        index = np.zeros(len(samples.t_s), bool)
        index[a:b] = True
        lap, new = lap.update(samples.take(index))
        said += [(lap.now.distance_m if lap.now else 0.0, insight) for insight in new]
    lap, new = lap.finish()
    return lap, said + [(np.inf, insight) for insight in new]


def assert_same(live: Sequence[CoachingInsight], batch: Sequence[CoachingInsight]) -> None:
    assert [(i.rank, i.code, i.place, i.metric) for i in live] == [(i.rank, i.code, i.place, i.metric) for i in batch]
    for name in ("time_loss_s", "human_value", "target_value", "throttle_applied_pct", "brake_applied_bar"):
        assert [getattr(i, name) for i in live] == pytest.approx([getattr(i, name) for i in batch], abs=1e-9)


def mistaken(
    early_m: float, slower: float, throttle_share: float, seed: int
) -> tuple[DriverInputs, DriverInputs, list[Zone]]:
    """A lap braked early, slower at random places, its throttle not always full; and its target."""
    v, step_m = limit()
    rng = np.random.default_rng(seed)
    ours, _, _ = brake_early(v, step_m, early_m)
    bumps = np.interp(np.arange(len(v)), np.linspace(0, len(v), 40), rng.uniform(0.0, slower, 40))
    lap = pedals_of(ours * (1.0 - bumps), step_m)
    eased = np.interp(np.arange(len(v)), np.linspace(0, len(v), 60), rng.random(60)) > throttle_share
    lap = replace(lap, throttle_pct=np.where(eased, np.minimum(lap.throttle_pct, 90.0), lap.throttle_pct))
    return lap, pedals_of(v, step_m), zones_of(v, step_m)


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
    lap, target, zones = mistaken(early_m, slower, throttle_share, seed)
    samples = samples_of(lap, every_m, shift_m=0.3)
    edges = sorted(int(c * len(samples.t_s)) for c in cuts)
    done, said = run(LiveLap.start(target, zones, RULES), samples, edges)
    assert_same(done.ranked, find_insights(whole(samples, target), target, zones, RULES))
    assert [i for _, i in said] == list(done.said)
    assert len({i.place for i in done.said}) == len(done.said)
    assert done.update(samples) == (done, ())


def test_every_sample_by_itself_with_holes_and_steps_back() -> None:
    lap, target, zones = mistaken(25.0, 0.03, 0.8, 4)
    samples = samples_of(lap, 3.0)
    rng = np.random.default_rng(1)
    holes = {
        name: np.where(rng.random(len(samples.t_s)) < 0.4, np.nan, getattr(samples, name))
        for name in ("speed_kmh", "throttle_pct", "brake_bar")
    }
    samples = replace(samples, **holes)
    expected = find_insights(whole(samples, target), target, zones, RULES)
    again = np.sort(np.append(np.arange(len(samples.t_s)), np.arange(5, len(samples.t_s), 9)))
    repeated = LiveSamples(*(values[again] for values in vars(samples).values()))
    repeated.distance_m[3::50] -= 0.5
    dropped = repeated.distance_m <= np.maximum.accumulate(np.append(-np.inf, repeated.distance_m))[:-1]
    assert dropped.any()
    done, _ = run(LiveLap.start(target, zones, RULES), samples, range(1, len(samples.t_s)))
    assert_same(done.ranked, expected)
    one_by_one, _ = run(LiveLap.start(target, zones, RULES), repeated, range(1, len(repeated.t_s)))
    at_once, _ = run(LiveLap.start(target, zones, RULES), repeated, [])
    assert_same(one_by_one.ranked, at_once.ranked)


def test_each_is_said_when_the_straight_behind_it_is_over() -> None:
    lap, target, zones = mistaken(30.0, 0.04, 1.0, 3)
    samples = samples_of(lap, 2.0)
    done, said = run(LiveLap.start(target, zones, RULES), samples, range(5, len(samples.t_s), 5))
    places = find_track_sections(zones)
    inside = [(at_m, places.index(insight.place)) for at_m, insight in said if np.isfinite(at_m)]
    assert len(inside) >= 4
    for at_m, k in inside:
        assert places[k].end_m < at_m <= places[min(k + 2, len(places) - 1)].end_m + 10.0
    assert all(places.index(insight.place) >= len(places) - 2 for at_m, insight in said if not np.isfinite(at_m))
    assert [i.rank for i in done.ranked] == list(range(1, len(said) + 1))


def test_time_lost_and_what_is_applied_now() -> None:
    lap, target, zones = mistaken(30.0, 0.02, 1.0, 7)
    samples = samples_of(lap, 2.0)
    running = LiveLap.start(target, zones, RULES)
    assert running.now is None
    half = samples.take(samples.distance_m < 1_500.0)
    running, _ = running.update(half)
    now = running.now
    assert now is not None
    assert now.distance_m == half.distance_m[-1]
    at = [np.interp(now.distance_m, grid_of(lap), x) for x in (lap.time_s, target.time_s, target.throttle_pct)]
    assert now.delta_s == pytest.approx(at[0] - at[1])
    assert (now.throttle_applied_pct, now.throttle_target_pct) == (pytest.approx(half.throttle_pct[-1]), at[2])
    assert now.brake_applied_bar == half.brake_bar[-1]


def test_the_speed_is_brought_to_the_targets_scale() -> None:
    lap, target, zones = mistaken(30.0, 0.02, 1.0, 7)
    samples = samples_of(lap, 2.0)
    off = replace(samples, speed_kmh=samples.speed_kmh / 1.01)
    plain, _ = run(LiveLap.start(target, zones, RULES), samples, [100, 400])
    scaled, _ = run(LiveLap.start(target, zones, RULES, 1.01), off, [100, 400])
    assert_same(scaled.ranked, plain.ranked)


def test_a_lap_that_never_sent_its_brakes_is_refused() -> None:
    lap, target, zones = mistaken(30.0, 0.0, 1.0, 0)
    samples = replace(samples_of(lap, 2.0), brake_bar=np.full(len(samples_of(lap, 2.0).t_s), np.nan))
    running, said = LiveLap.start(target, zones, RULES).update(samples)
    assert said == ()
    with pytest.raises(ValueError, match="brake"):
        running.finish()


@pytest.mark.parametrize("race", ["barber", "indianapolis"])
def test_real_laps(race: str, data_dir: Path) -> None:
    (target, *others), zones, _ = real_inputs(race, data_dir)
    for lap in others:
        at = grid_of(lap)
        samples = LiveSamples(
            at,
            np.append(0.0, elapsed_s(lap.speed_kmh / 3.6, lap.step_m)[1:]),
            lap.speed_kmh,
            lap.throttle_pct,
            lap.brake_bar,
        )
        done, said = run(LiveLap.start(target, zones, RULES), samples, range(60, len(at), 60))
        assert_same(done.ranked, find_insights(lap, target, zones, RULES))
        late = [i for at_m, i in said if not np.isfinite(at_m)]
        assert len(late) <= 2
