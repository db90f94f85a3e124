"""Which laps a track is built from, sector ends, what a stop costs, and a circuit as a row."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.laps.trace import LapTrace
from analysis.track_build.rows import (
    MOST_LAPS,
    TrackError,
    choose_track_laps,
    circuit_from_row,
    circuit_row,
    fit_sector_ends,
    lap_key,
    load_own_circuit,
    measure_pit_loss,
    refuse_own_track,
    spread_evenly,
)
from analysis.tracks.circuit import circuit_from_track, name_corners
from conf.contract import load_contract
from conf.track import load_track, track_names

CIRCUIT = circuit_from_track(load_track("alder-ridge"))
NOON = datetime(2025, 9, 6, 12, tzinfo=UTC)


def lap(number: int, vehicle: str = "a", reasons: tuple[str, ...] = (), **columns: Any) -> dict[str, Any]:
    fit = [] if "incomplete" in reasons else ["wear"] if reasons else ["pace", "ghost", "wear"]
    return {
        "session_id": "s-R1",
        "vehicle_id": vehicle,
        "lap_number": number,
        "sample_count": 2000,
        "telemetry_gap_s": 0.2,
        "lap_start_ts": NOON,
        "lap_end_ts": NOON,
        "lap_time_ms": 100_000,
        "fit_for": fit,
        "unfit_for": {} if "wear" in fit else {"wear": list(reasons)},
        "invalid_reasons": list(reasons),
        "sector_1_time": None,
        "sector_2_time": None,
        "sector_3_time": None,
    } | columns


def test_laps_driven_in_earnest_come_first() -> None:
    slow = [lap(n, reasons=("yellow_flag",)) for n in range(3)]
    quick = [lap(n, "b") for n in range(3)]
    assert choose_track_laps([*slow, *quick]) == quick
    assert choose_track_laps([*slow, *quick[:2]]) == [*slow, *quick[:2]]  # too few: all that were driven whole


def test_laps_without_telemetry_or_with_a_long_silence_do_not_count() -> None:
    good = [lap(n) for n in range(3)]
    bad = [lap(4, sample_count=0), lap(5, telemetry_gap_s=12.0), lap(6, lap_end_ts=None)]
    assert choose_track_laps([*bad, *good]) == good


def test_no_lap_that_fits_is_an_error_with_the_reasons() -> None:
    laps = [lap(1, reasons=("incomplete",)), lap(2, reasons=("incomplete",)), lap(3, telemetry_gap_s=60.0)]
    with pytest.raises(TrackError, match=r"of 3 laps with telemetry 2 have it throughout, .*\(incomplete 2\)"):
        choose_track_laps(laps)
    with pytest.raises(TrackError, match=r"of 0 laps with telemetry .*\(none\)"):
        choose_track_laps([])


@given(st.integers(1, 500), st.randoms())
def test_many_laps_are_thinned_evenly_whatever_their_order(n: int, random: Any) -> None:
    laps = [lap(k) for k in range(n)]
    shuffled = laps[:]
    random.shuffle(shuffled)
    chosen = [row["lap_number"] for row in choose_track_laps(shuffled)]
    assert chosen == [row["lap_number"] for row in choose_track_laps(laps)]
    assert len(chosen) == min(n, MOST_LAPS)
    assert (chosen[0], chosen[-1]) == (0, n - 1)
    assert np.ptp(np.diff(chosen)) <= 1 if n > 1 else True


def test_spread_takes_none_of_none() -> None:
    assert spread_evenly([], 5) == []
    assert spread_evenly([1, 2, 3], 5) == [1, 2, 3]


def trace(speed_mps: float, late_s: float = 0.0) -> LapTrace:
    """A lap at a steady speed, its line crossed a little late."""
    time = CIRCUIT.length_m / speed_mps
    t = np.arange(0.0, time, 0.05)
    return LapTrace(t + late_s, t * speed_mps, {}, time + late_s, CIRCUIT.length_m)


def timed(speed_mps: float, ends: tuple[float, float], off_s: float = 0.0) -> dict[str, Any]:
    edges = np.diff([0.0, *ends, CIRCUIT.length_m]) / speed_mps
    return lap(1, sector_1_time=edges[0] + off_s, sector_2_time=edges[1] - off_s, sector_3_time=edges[2])


def test_sector_ends_are_where_the_official_times_say() -> None:
    ends = (700.0, 1500.0)
    laps = [(trace(v), timed(v, ends)) for v in (30.0, 31.0, 32.0, 33.0)]
    found = fit_sector_ends(laps)
    assert found is not None
    assert found.ends_m == pytest.approx(ends, abs=0.01)
    assert found.laps == 4
    assert found.residual_p95_s == pytest.approx(0.0, abs=1e-3)


def test_the_residual_is_that_of_laps_the_ends_were_not_found_on() -> None:
    """A lap whose official time is off by 0.3 s is off by all of it, not by what is left after fitting it."""
    ends = (700.0, 1500.0)
    laps = [(trace(32.0), timed(32.0, ends)), (trace(32.0), timed(32.0, ends, off_s=0.3))]
    found = fit_sector_ends(laps)
    assert found is not None
    assert found.residual_p95_s == pytest.approx(0.3, abs=0.01)


def test_without_official_sectors_there_are_no_ends() -> None:
    assert fit_sector_ends([(trace(32.0), lap(1))]) is None
    assert fit_sector_ends([(trace(32.0), lap(1, sector_1_time=20.0, sector_2_time=20.0))]) is None
    one = fit_sector_ends([(trace(32.0), timed(32.0, (700.0, 1500.0)))])
    assert one is not None
    assert (one.residual_p95_s, one.laps) == (None, 1)


def test_a_stop_costs_what_its_two_laps_take_longer() -> None:
    pace = [lap(n) for n in (1, 2, 3, 6)]
    into, out = lap(4, reasons=("pit_lap",), lap_time_ms=118_000), lap(5, reasons=("out_lap",), lap_time_ms=112_500)
    found = measure_pit_loss([out, *pace, into])
    assert found is not None
    assert (found.seconds, found.stops) == (pytest.approx(30.5), 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"lap_number": 7},  # laps are missing between in and out
        {"invalid_reasons": ["out_lap", "yellow_flag"]},
        {"invalid_reasons": []},
    ],
)
def test_a_stop_that_tells_nothing_does_not_count(changed: dict[str, Any]) -> None:
    pace = [lap(n) for n in (1, 2, 3)]
    into, out = lap(4, reasons=("pit_lap",)), lap(5, reasons=("out_lap",)) | changed
    assert measure_pit_loss([*pace, into, out]) is None
    assert (
        measure_pit_loss([*pace[:2], into, lap(5, reasons=("out_lap",))]) is None
    )  # too few laps to know the usual one


@pytest.mark.parametrize("name", track_names())
def test_a_circuit_survives_its_row(name: str) -> None:
    circuit = replace(
        name_corners(circuit_from_track(load_track(name)), {1: "First"}), origin_deg=(33.5, -86.6), source="gps"
    )
    row = circuit_row(circuit)
    assert set(row) <= set(load_contract("silver.tracks").column_names)
    again = circuit_from_row(row)
    for axis in ("s_m", "x_m", "y_m", "curvature_per_m"):
        assert np.array_equal(getattr(again.line, axis), getattr(circuit.line, axis))
    assert replace(again, line=circuit.line) == circuit


def test_a_circuit_without_sectors_or_place_has_neither_afterwards() -> None:
    again = circuit_from_row(circuit_row(replace(CIRCUIT, sector_ends_m=(), origin_deg=None)))
    assert (again.sector_ends_m, again.origin_deg) == ((), None)


def test_our_own_tracks_are_known_by_name() -> None:
    own = load_own_circuit("alder-ridge")
    assert own is not None
    assert own.corners == CIRCUIT.corners
    assert load_own_circuit("elsewhere") is None
    refuse_own_track("elsewhere")
    with pytest.raises(TrackError, match=r"conf/tracks/alder-ridge\.yaml: choose another --name"):
        refuse_own_track("alder-ridge")


def test_keys_are_in_the_order_of_the_table() -> None:
    assert lap_key(lap(3, "b")) == ("s-R1", "b", 3)
