"""Ghosts of made and of real laps: what is published hangs together, and lies between limit and best human lap."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml

from analysis.car_limits.observed_limit import ObservedLimit, observed_limit_lap
from analysis.laps.trace import LapTrace
from analysis.segmentation.grid_lap import GridLap, resample_by_distance
from analysis.segmentation.stretches import TrackStretch, split_into_stretches
from analysis.segmentation.zones import Microsector, Zone, cut_microsectors, find_zones, merge_short_zones
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import Circuit
from conf.units import GRAVITY_MPS2
from ml.ghost.search.candidate_filter import CandidateFilter
from ml.ghost.search.chain import chain_stretches
from ml.ghost.search.feasibility import check_feasibility, ghost_summary_columns
from ml.ghost.search.ghost_lap import GhostLap, assemble_ghost
from ml.ghost.search.human_laps import HumanLaps, build_human_laps
from ml.ghost.search.human_source import HumanSource
from ml.ghost.search.limits import CarLimits, flying_accelerations, learn_limits
from ml.ghost.search.uncertainty import integration_error_s, limit_lap_error, stitched_lap_error
from tests.unit.analysis import real_laps
from tests.unit.ml.ghost.search.made_ghosts import RULES, circuit, ghost, laps, limits, line

FEW = RULES.chaining.model_copy(update={"per_entry": 40})
CONTRACT = Path(__file__).resolve().parents[5] / "conf" / "contracts" / "gold.ghost_laps.yaml"
OF_THE_JOB = {"lap_uid", "session_id", "track_id", "mlflow_run_id", "is_synthetic", "updated_ts", "run_id"}


def pieces() -> tuple[Microsector, ...]:
    return cut_microsectors([Zone("Straight", 0.0, 400.0), Zone("Turn", 400.0, line().length_m)], circuit(), 12.0)


def test_samples_are_the_columns_of_the_contract() -> None:
    contract = yaml.safe_load(CONTRACT.read_text())["schema"][0]["properties"]
    assert set(ghost().samples(circuit(), pieces())) == {column["name"] for column in contract} - OF_THE_JOB


def test_the_summary_has_columns_of_the_contract() -> None:
    contract = yaml.safe_load((CONTRACT.parent / "gold.ghost_summary.yaml").read_text())["schema"][0]["properties"]
    row = ghost_summary_columns(ghost(), check_feasibility(ghost()), RULES)
    assert set(row) <= {column["name"] for column in contract}
    assert row["ghost_lap_time_s"] == pytest.approx(laps().official_s[1], abs=1e-6)
    assert row["feasible"]
    assert row["feasibility_notes"] == []


def test_samples_hang_together() -> None:
    made = ghost()
    rows = made.samples(circuit(), pieces())
    assert np.allclose(np.diff(rows["t_s"]), 0.01)
    assert made.lap_time_s - rows["t_s"][-1] < 0.01
    assert np.allclose(np.diff(rows["lap_distance_m"]), rows["speed_kmh"][:-1] / 3.6 * 0.01, atol=0.01)
    assert rows["brake_pct"].max() <= 100.0
    assert np.allclose(np.hypot(np.diff(rows["x_m"]), np.diff(rows["y_m"])), np.diff(rows["lap_distance_m"]), atol=0.02)
    assert (np.diff(rows["microsector_id"]) >= 0).all()
    assert rows["zone_type"][0] == "Straight"
    assert rows["zone_type"][-1] == "Turn"
    assert sorted(set(rows["sector_id"])) == [1, 2, 3]
    slope = np.gradient(rows["speed_kmh"] / 3.6, 0.01) / GRAVITY_MPS2
    window = np.convolve(slope, np.ones(101) / 101, mode="same")
    assert np.abs(rows["accel_long_g"] - window)[200:-200].max() < 0.35
    bends = np.interp(rows["lap_distance_m"], line().s_m, line().curvature_per_m)
    hard = np.abs(rows["accel_lat_g"]) > 0.5
    assert (np.sign(rows["accel_lat_g"]) == np.sign(bends))[hard].mean() > 0.99


def test_no_gearbox_no_gear() -> None:
    rows = replace(ghost(), limits=replace(limits(), gearbox=None)).samples(circuit(), pieces())
    assert rows["gear"] is None
    assert rows["rpm"] is None


def test_a_lap_without_a_channel_is_left_out_with_its_reason() -> None:
    t = np.arange(0.0, 80.0, 0.1)
    full = {
        name: np.full(len(t), 50.0) for name in ("speed_kmh", "throttle_pedal_pct", "brake_front_bar", "steering_deg")
    }
    bare = {name: values for name, values in full.items() if name != "brake_front_bar"}
    traces = [LapTrace(t, t / 80.0 * line().length_m, c, 80.0, line().length_m) for c in (full, bare)]
    found = build_human_laps(traces, circuit())
    assert found.used == (0,)
    assert "lap 1 of 80.000 s is left out: the lap has no brake_front_bar" in found.notes[0]
    with pytest.raises(ValueError, match=r"no lap has speed, throttle, brake pressure and steering: lap 0"):
        build_human_laps(traces[1:], circuit())


def test_errors_of_laps_that_agree_are_none() -> None:
    exact = [GridLap(line().step_m, speed, lap) for speed, lap in zip(laps().speed_mps, laps().official_s, strict=True)]
    assert integration_error_s(exact) == pytest.approx(0.0, abs=1e-9)
    off = [replace(lap, official_s=lap.official_s + 0.05) for lap in exact]
    assert integration_error_s(off) == pytest.approx(0.05, abs=1e-6)
    zones = [Zone("Turn", 0.0, 500.0), Zone("Straight", 500.0, line().length_m)]
    assert stitched_lap_error([exact[0]] * 5, zones, np.random.default_rng(0)).error_s == 0.0
    spread = stitched_lap_error(exact, zones, np.random.default_rng(0))
    assert spread.error_s > 0.0
    assert spread.bias_s > 0.0


@dataclass(frozen=True)
class Race:
    """What a ghost is made of."""

    circuit: Circuit
    traces: list[LapTrace]
    pieces: tuple[Microsector, ...]
    stretches: tuple[TrackStretch, ...]
    seen: ObservedLimit
    laps: HumanLaps
    limits: CarLimits

    def ghost(self, *, chaining: bool = True) -> GhostLap:
        found = chain_stretches(
            HumanSource(self.laps),
            self.stretches,
            CandidateFilter(self.limits, self.laps, FEW),
            self.laps,
            FEW,
            np.random.default_rng(0),
            chaining=chaining,
        )
        return assemble_ghost(found, self.limits, RULES)


@cache
def race(name: str, data_dir: Path) -> Race:
    found = sorted(getattr(real_laps, name)(data_dir), key=lambda lap: lap.lap_time_s)
    track = build_from_positions([lap.trace() for lap in found], name).circuit
    traces = [lap.trace(track) for lap in found]
    cuts = cut_microsectors(find_zones(traces[0], track, RULES), track, RULES.longest_microsector_m)
    seen, on_grid = observed_limit_lap(traces, track), build_human_laps(traces, track)
    learnt = learn_limits(on_grid, traces, track, seen, RULES.feasibility)
    return Race(track, traces, cuts, split_into_stretches(cuts, RULES.stitched_zone_m), seen, on_grid, learnt)


RACES = pytest.mark.parametrize("name", ["barber", "indianapolis"])


@pytest.mark.slow
@RACES
def test_a_ghost_of_real_passages_lies_between_limit_and_best_human(name: str, data_dir: Path) -> None:
    of = race(name, data_dir)
    found = of.ghost()
    verdict = check_feasibility(found)
    assert verdict.feasible, verdict.notes
    error_s = integration_error_s([resample_by_distance(trace, of.circuit) for trace in of.traces])
    assert error_s < 0.05
    assert of.seen.lap.lap_time_s <= found.lap_time_s < of.laps.official_s.min() - 2.0 * error_s
    rows = found.samples(of.circuit, of.pieces)
    assert len(rows["t_s"]) == int(found.lap_time_s * 100) + 1
    human_shifts = np.diff(of.traces[0].channels["gear"][np.isfinite(of.traces[0].channels["gear"])])
    assert np.count_nonzero(np.diff(rows["gear"])) <= 1.5 * np.count_nonzero(human_shifts)


@RACES
def test_without_chaining_it_cannot_be_driven(name: str, data_dir: Path) -> None:
    verdict = check_feasibility(race(name, data_dir).ghost(chaining=False))
    assert not verdict.feasible
    assert verdict.figures["max_junction_speed_gap_kmh"] > 5.0
    assert any("where two stretches meet" in note for note in verdict.notes)


@RACES
def test_what_a_lap_shows_the_others_showed(name: str, data_dir: Path) -> None:
    """The tolerance is small beside what single laps do: one that had no part in the limits seldom exceeds it."""
    of = race(name, data_dir)
    shares = []
    for k in range(len(of.laps)):
        others = replace(of.laps, values=np.delete(of.laps.values, k, axis=0))
        learnt = learn_limits(others, [], of.circuit, of.seen, RULES.feasibility)
        excess = flying_accelerations(learnt, of.laps.at_m, of.laps.speed_mps[k : k + 1]).excess_mps2
        shares.append(float(np.mean(excess > RULES.feasibility.envelope_mps2)))
    assert np.median(shares) < 0.08


def test_the_limit_laps_error_is_that_of_its_laps(data_dir: Path) -> None:
    of = race("indianapolis", data_dir)
    spread = limit_lap_error(of.traces, of.seen, np.random.default_rng(0), 8)
    assert spread.resamples == 8
    assert 0.01 < spread.error_s < 0.5
    zones = merge_short_zones(find_zones(of.traces[0], of.circuit, RULES), RULES.stitched_zone_m)
    spread = stitched_lap_error(
        [resample_by_distance(trace, of.circuit) for trace in of.traces], zones, np.random.default_rng(0)
    )
    assert 0.01 < spread.error_s < 0.5
