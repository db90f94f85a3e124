"""A lap's samples as a trace, on the even grid, and judged: what is trusted and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.dptad import CATEGORIES
from analysis.tracks.circuit import circuit_from_track
from conf.contract import load_contract
from conf.laps import load_lap_rules
from conf.reasons import RefusalError
from conf.track import load_track
from medallion.gold.dptad import ScoringContext
from medallion.gold.dptad_thresholds import UNCALIBRATED
from medallion.gold.lap_analyses import analyse_lap_frame
from medallion.keys import LapKey
from medallion.per_vehicle import order_by_time
from medallion.silver.lap_traces import CHANNELS, build_trace, build_traces
from medallion.silver.telemetry_100hz import resample_lap_frame

CIRCUIT = circuit_from_track(load_track("alder-ridge"))
START_US = 1_757_181_600_123_456
SPEED_MPS = 30.0
LAP_S = CIRCUIT.length_m / SPEED_MPS


def frame(**columns: Any) -> pd.DataFrame:
    """A lap at a steady speed, 20 Hz."""
    t_us = START_US + np.arange(0, int(LAP_S * 1e6), 50_000)
    rows = pd.DataFrame({name: np.full(len(t_us), np.nan) for name in CHANNELS})
    rows = rows.assign(
        session_id="s-1",
        vehicle_id="a",
        lap_number=3,
        start_us=START_US,
        end_us=START_US + round(LAP_S * 1e6),
        t_us=t_us,
        ecu_seq=0,
        clock_source="car",
        is_synthetic=True,
        speed_kmh=SPEED_MPS * 3.6,
        against=[np.array([], dtype=object)] * len(t_us),
    )
    return rows.assign(**columns)


def test_a_trace_has_the_laps_time_and_the_circuits_length() -> None:
    trace = build_trace(frame(), CIRCUIT)
    assert trace.lap_time_s == pytest.approx(LAP_S, abs=1e-6)
    assert trace.end_m == pytest.approx(CIRCUIT.length_m)
    assert (trace.distance_source, trace.t_s[0], trace.t_s[1]) == ("integrated", 0.0, 0.05)
    alone = build_trace(frame(), None)
    assert alone.end_m == pytest.approx(SPEED_MPS * LAP_S, rel=1e-6)


@pytest.mark.parametrize(("share", "trusted"), [(0.05, True), (0.5, False), (1.0, False)])
def test_samples_of_a_clock_that_stood_still_do_not_count(share: float, trusted: bool) -> None:
    rows = frame()
    still = np.arange(len(rows)) < share * len(rows)
    rows.loc[still, "clock_source"] = "arrival"
    rows.loc[still, "speed_kmh"] = 250.0
    if trusted:
        assert np.nanmax(build_trace(rows, CIRCUIT).channels["speed_kmh"]) == pytest.approx(SPEED_MPS * 3.6)
    else:
        with pytest.raises(RefusalError, match="clock stood still"):
            build_trace(rows, CIRCUIT)


def test_speed_may_be_missing_for_a_tenth_of_the_lap() -> None:
    rows = frame()
    at_s = (rows["t_us"] - START_US) / 1e6
    assert build_trace(rows.assign(speed_kmh=rows["speed_kmh"].where(at_s >= 0.08 * LAP_S)), CIRCUIT).unseen_s > 0.0
    with pytest.raises(RefusalError, match=r"^speed is missing for 20% of the lap, more than 10%$"):
        build_trace(rows.assign(speed_kmh=rows["speed_kmh"].where(at_s >= 0.2 * LAP_S)), CIRCUIT)
    with pytest.raises(RefusalError, match="no distance"):
        build_trace(rows.assign(speed_kmh=np.nan), CIRCUIT)


def test_the_order_of_samples_does_not_matter() -> None:
    rows = frame(gear=3.0)
    mixed = pd.concat([rows.assign(lap_number=4), rows], ignore_index=True).sample(frac=1.0, random_state=1)
    laps = [order_by_time(lap) for _, lap in mixed.groupby("lap_number")]
    found = build_traces(laps, {"s-1": CIRCUIT})
    assert [lap for lap, _ in found] == [LapKey("s-1", "a", 3), LapKey("s-1", "a", 4)]
    straight = build_trace(order_by_time(rows), CIRCUIT)
    assert np.array_equal(found[0][1].distance_m, straight.distance_m)


def test_the_even_grid_has_the_columns_of_its_table_and_places_on_the_earth() -> None:
    circuit = replace(CIRCUIT, origin_deg=(33.5, -86.6))
    rows = frame(gear=4.0)
    even = resample_lap_frame(rows, circuit)
    assert even is not None
    names = set(load_contract("silver.telemetry_100hz").column_names)
    assert set(even.columns) == names - {"run_id"}
    assert even["x_m"].isna().all()  # no positions, so no place
    steps = np.diff(even["event_ts"].astype("int64").to_numpy())
    assert set(steps) == {steps[0]}
    assert even["lap_distance_m"].iloc[-1] == pytest.approx(CIRCUIT.length_m, abs=0.5)
    assert sorted(even["sector_id"].unique()) == [1.0, 2.0, 3.0]
    assert even["is_interpolated"].mean() == pytest.approx(0.8, abs=0.01)
    placed = resample_lap_frame(rows.assign(lat_deg=33.5, lon_deg=np.linspace(-86.6, -86.59, len(rows))), circuit)
    assert placed is not None
    assert placed["x_m"].iloc[-2] == pytest.approx(929.0, abs=5.0)
    assert placed["y_m"].abs().max() == pytest.approx(0.0, abs=1e-6)


def test_a_lap_that_cannot_be_trusted_is_not_put_on_the_grid() -> None:
    assert resample_lap_frame(frame(clock_source="arrival"), CIRCUIT) is None


def test_without_sector_ends_no_sample_is_in_a_sector() -> None:
    even = resample_lap_frame(frame(), replace(CIRCUIT, sector_ends_m=()))
    assert even is not None
    assert even["sector_id"].isna().all()


def test_a_lap_is_judged_by_what_its_session_is_judged_by() -> None:
    row = analyse_lap_frame(frame(), ScoringContext(CIRCUIT, UNCALIBRATED))
    assert (row["session_id"], row["vehicle_id"], row["lap_number"], row["is_synthetic"]) == ("s-1", "a", 3, True)
    assert (row["thresholds_version"], row["is_calibrated"]) == ("uncalibrated", False)
    assert row["reasons"]["brake"] == "brake_front_bar is missing"
    assert row["compute_ms"] > 0.0


def test_every_lap_passes_the_corners_of_its_circuit() -> None:
    row = analyse_lap_frame(frame(), ScoringContext(CIRCUIT, UNCALIBRATED))
    assert [one["corner"] for one in row["passes"]] == [corner.number for corner in CIRCUIT.corners]
    assert {round(one["min_speed_kmh"], 6) for one in row["passes"]} == {SPEED_MPS * 3.6}
    unfit = frame()
    unfit["against"] = [np.array(["yellow_flag"], dtype=object)] * len(unfit)
    assert analyse_lap_frame(unfit, ScoringContext(CIRCUIT, UNCALIBRATED))["passes"] == row["passes"]
    still = analyse_lap_frame(frame(clock_source="arrival"), ScoringContext(CIRCUIT, UNCALIBRATED))["passes"]
    assert [one["corner"] for one in still] == [corner.number for corner in CIRCUIT.corners]
    assert all("clock stood still" in one["reason"] for one in still)
    half = frame().assign(end_us=START_US + round(0.5 * LAP_S * 1e6))
    assert all(
        "integrated: measures" in one["reason"]
        for one in analyse_lap_frame(half, ScoringContext(CIRCUIT, UNCALIBRATED))["passes"]
    )
    assert analyse_lap_frame(frame(), ScoringContext(None, UNCALIBRATED))["passes"] == []


def test_a_lap_that_is_not_judged_says_why_in_words() -> None:
    rows = frame()
    rows["against"] = [np.array(["incomplete", "yellow_flag"], dtype=object)] * len(rows)
    row = analyse_lap_frame(rows, ScoringContext(None, UNCALIBRATED))
    texts = [load_lap_rules().reasons[reason].text.lower() for reason in ("incomplete", "yellow_flag")]
    assert row["insights"] == [f"Not judged: {'; '.join(texts)}"]
    assert set(row["reasons"]) == set(CATEGORIES)
    assert row["events"] == []
    assert "overall_score" not in row
