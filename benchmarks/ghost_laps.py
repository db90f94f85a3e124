"""Simulated laps as the ghost learns from them: many drivers on one track, cut into windows without Spark."""

from __future__ import annotations

import numpy as np

from analysis.car_limits.observed_limit import observed_limit_lap
from analysis.laps.distance import place_samples
from analysis.laps.trace import LapTrace
from analysis.segmentation.lap_segments import NEEDED, LapSegments, split_lap
from analysis.segmentation.segmentation import segment_track
from analysis.segmentation.stretches import split_into_stretches
from analysis.tracks.circuit import Circuit, circuit_from_track
from conf.ghost import load_ghost_rules
from conf.track import load_track
from ml.ghost.dataset import GhostDataset, build_ghost_dataset
from ml.ghost.scaler import Scaler, fit_scaler
from ml.ghost.windows import LapProfile
from producers.simulator.config import DataFaults, SimulatorConfig
from producers.simulator.simulator import VehicleSimulator

_US = 1e6
_CHANNELS = (*NEEDED, "lap_distance_m", "x_m", "y_m")
_MOST_LAPS = 60  # that a limit is fitted to, as in the lake


def simulated_dataset(cars: int, laps: int, track: str, seed: int) -> GhostDataset:
    """Windows of a simulated race, split by lap.

    Args:
        cars: Drivers, of all profiles but the slow one.
        laps: Laps of each; the first, from a standing start, is left out.
        track: A track of ``conf/tracks``.
        seed: Of the race and the split.
    """
    circuit = circuit_from_track(load_track(track))
    named = simulated_laps(circuit, cars, laps, track, seed)
    rules = load_ghost_rules()
    slowest_s = rules.fast_lap_ratio * min(trace.lap_time_s for trace in named.values())
    named = {name: trace for name, trace in named.items() if trace.lap_time_s <= slowest_s}
    fast = sorted(named.values(), key=lambda trace: trace.lap_time_s)
    limit = observed_limit_lap(fast[:_MOST_LAPS], circuit, not_above_s=fast[0].lap_time_s)
    cut = segment_track(fast[0], circuit, limit, rules)
    pieces = {name: split_lap(trace, circuit, cut.pieces) for name, trace in named.items()}
    scaler = fit_scaler(np.concatenate([_values(one) for one in pieces.values()]))
    profiles = [_profile(name, track, one, scaler) for name, one in sorted(pieces.items())]
    return build_ghost_dataset(
        profiles, {track: (cut, split_into_stretches(cut.pieces, rules.stitched_zone_m))}, scaler, seed
    )


def simulated_laps(circuit: Circuit, cars: int, laps: int, track: str, seed: int) -> dict[str, LapTrace]:
    """Whole flying laps by name, as the cars' sensors had them, without the faults of their transmission."""
    config = SimulatorConfig(
        session_id="benchmark",
        track=track,
        n_cars=cars,
        n_laps=laps,
        seed=seed,
        rate_hz=30,
        profiles={"aggressive": 2, "normal": 2, "safe": 1},
        data_faults=DataFaults.none(),
    )
    simulator = VehicleSimulator(config)
    found = {}
    for car in simulator.cars:
        samples = simulator.samples(car.vehicle_id)
        t_us = samples["t_us"].to_numpy()
        channels = {name: samples[name].to_numpy().astype(np.float64) for name in _CHANNELS}
        for lap in simulator.laps().filter(vehicle_id=car.vehicle_id).iter_rows(named=True):
            inside = (t_us >= lap["start_us"]) & (t_us <= lap["end_us"])
            if lap["lap_number"] > 1:
                own = {name: values[inside] for name, values in channels.items()}
                at_s = (t_us[inside] - lap["start_us"]) / _US
                found[f"{car.vehicle_id}/{lap['lap_number']}"] = place_samples(at_s, own, lap["lap_time_s"], circuit)
    return found


def _values(one: LapSegments) -> np.ndarray:
    return np.stack([one.channels[name].ravel() for name in NEEDED], axis=1)


def _profile(name: str, track: str, one: LapSegments, scaler: Scaler) -> LapProfile:
    """A lap; where micro-sectors meet, one point is kept."""
    at, values = one.distance_m.ravel(), scaler.normalise(_values(one))
    kept = np.append(np.diff(at) > 0, True)
    return LapProfile(name, track, at[kept], values[kept])
