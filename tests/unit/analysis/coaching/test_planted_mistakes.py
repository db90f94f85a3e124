"""Two laps of one seed, one with a foot early on the brake and a lift: found, named, and priced as the simulator does.

The true cost of a mistake is what the lap takes longer with it alone than without any.
"""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest

from analysis.coaching.insights import find_insights
from analysis.comparison.aligned_laps import align_laps
from analysis.comparison.corner_report import read_sides
from analysis.laps.distance import place_samples
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit, circuit_from_track
from conf.ghost import load_ghost_rules
from conf.track import load_track
from producers.simulator.config import DataFaults, DriverError, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator

RULES = load_ghost_rules().coaching
CHANNELS = ("speed_kmh", "throttle_pct", "brake_front_bar", "gear", "lap_distance_m", "x_m", "y_m")
LAP = 2


@cache
def circuit(track: str) -> Circuit:
    return circuit_from_track(load_track(track))


def driven(track: str, seed: int, *mistakes: DriverError) -> LapTrace:
    """A flying lap without sensor noise."""
    simulator = VehicleSimulator(
        SimulatorConfig(
            track=track,
            n_cars=1,
            n_laps=LAP + 1,
            seed=seed,
            rate_hz=50.0,
            data_faults=DataFaults.none(),
            profiles={"aggressive": 1.0},
            driver_errors=mistakes,
        )
    )
    (times,) = simulator.laps().filter(lap_number=LAP).to_dicts()
    near = pl.col("t_us").is_between(times["start_us"] - 500_000, times["end_us"] + 500_000)
    samples = simulator.to_polars().filter(near).sort("t_us")
    t_s = (samples["t_us"].to_numpy() - times["start_us"]) / 1e6
    channels = {name: samples[name].cast(pl.Float64).to_numpy() for name in CHANNELS}
    return place_samples(t_s, channels, (times["end_us"] - times["start_us"]) / 1e6, circuit(track))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("track", "seed", "corner_m", "lift_m"),
    [
        ("three-oaks", 3, 890.0, 1_700.0),
        ("three-oaks", 5, 331.0, 1_700.0),
        ("alder-ridge", 5, 1_592.0, 1_100.0),
    ],
)
def test_the_two_mistakes_are_the_two_worst_and_cost_what_they_cost(
    track: str, seed: int, corner_m: float, lift_m: float
) -> None:
    early = DriverError(kind="brake_early", at_m=corner_m, by_m=30.0, lap=LAP)
    lift = DriverError(kind="lift", at_m=lift_m, by_m=60.0, lap=LAP)
    clean = driven(track, seed)
    true_s = {
        "BRAKE_TOO_EARLY": driven(track, seed, early).lap_time_s - clean.lap_time_s,
        "LIFTING_ON_STRAIGHT": driven(track, seed, lift).lap_time_s - clean.lap_time_s,
    }
    sides = read_sides(align_laps(driven(track, seed, early, lift), clean, circuit(track)))
    found = {i.code: i for i in find_insights(sides, circuit(track), RULES)[:2]}
    assert set(found) == set(true_s)
    # The rest is lost in the braking zone behind: the car comes to it slower.
    for code, insight in found.items():
        assert 0.84 * true_s[code] < insight.time_loss_s < 1.03 * true_s[code]
    brake, foot = found["BRAKE_TOO_EARLY"], found["LIFTING_ON_STRAIGHT"]
    assert brake.place.start_m <= corner_m <= brake.place.end_m
    assert brake.target_value - brake.human_value == pytest.approx(30.0, abs=8.0)
    assert foot.place.start_m <= lift_m <= foot.place.end_m
    assert foot.human_value == pytest.approx(60.0, abs=20.0)
    assert brake.brake_applied_bar > 0.0
    assert foot.throttle_applied_pct < foot.throttle_target_pct
