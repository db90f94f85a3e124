"""The limit of the cars of a session, from the lake."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.car_limits.fitted_envelope import QUANTILE, EnvelopeError
from analysis.car_limits.observed_limit import observed_limit_lap
from conf.settings import AppConfig
from conf.vehicle import load_vehicle
from physics.limit_lap.friction_circle import build_friction_circle_envelope
from physics.limit_lap.lap import solve_limit_lap
from physics.vehicle import Vehicle
from serving.lake.reader import LakeReader
from serving.queries.circuits import CircuitError, find_session_circuit, session_track
from serving.queries.lap_traces import load_lap_trace
from serving.queries.laps import rank_by_time, read_laps
from serving.queries.observed_limit import compute_observed_limit
from tests.unit.serving.race_lake import SESSION, race_lake


def test_it_lies_between_the_best_lap_and_what_the_car_can_do() -> None:
    found = compute_observed_limit(race_lake(), SESSION)
    figures = found.answer.model_dump()
    can = solve_limit_lap(build_friction_circle_envelope(Vehicle(load_vehicle("gr86-cup"))), found.line).lap_time_s
    assert can < found.lap.lap_time_s < figures["best_lap_time_s"]
    assert figures["gap_s"] == pytest.approx(figures["best_lap_time_s"] - found.lap.lap_time_s, abs=1e-3)
    assert figures["best_lap"].startswith(SESSION)
    assert len(figures["sector_times_s"]) == 3
    assert sum(figures["sector_times_s"]) == pytest.approx(figures["lap_time_s"], abs=1e-3)


def test_one_car_alone() -> None:
    cars = {compute_observed_limit(race_lake(), SESSION, vehicle).vehicle for vehicle in ("sim-54", "54")}
    assert cars == {"sim-54"}


def test_an_envelope_below_the_humans_is_refused() -> None:
    with pytest.raises(EnvelopeError, match=r"slower than sim-oaks-R1/sim-54/\d+ .*--quantile above 0.6"):
        compute_observed_limit(race_lake(), SESSION, quantile=0.6)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CircuitError, match="nothing says on which track nowhere"):
        compute_observed_limit(race_lake(), "nowhere")
    with pytest.raises(CircuitError):
        compute_observed_limit(LakeReader(AppConfig(slipstream_home=tmp_path, _env_file=None)), SESSION)


def test_a_limit_slower_than_what_was_shown_takes_a_wider_envelope() -> None:
    circuit = find_session_circuit(race_lake(), SESSION, session_track(race_lake(), SESSION))
    rows = [lap for lap in rank_by_time(read_laps(race_lake(), SESSION)) if "ghost" in lap.fit_for]
    traces = [load_lap_trace(race_lake(), row, circuit).trace for row in rows]
    usual = observed_limit_lap(traces, circuit)
    assert observed_limit_lap(traces, circuit, not_above_s=usual.lap.lap_time_s).fitted.quantile == QUANTILE
    wider = observed_limit_lap(traces, circuit, not_above_s=usual.lap.lap_time_s - 0.01)
    assert wider.fitted.quantile > QUANTILE
    assert wider.lap.lap_time_s < usual.lap.lap_time_s
