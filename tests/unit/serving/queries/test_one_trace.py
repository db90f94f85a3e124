"""A lap is the same trace, or refused for the same reason, whether a batch job reads it or a command."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.tracks.circuit import circuit_from_track
from conf.reasons import RefusalError
from conf.settings import AppConfig
from conf.track import load_track
from medallion.per_vehicle import order_by_time
from medallion.silver import lap_traces as batch
from serving.lake.reader import LakeReader
from serving.queries.lap_traces import load_lap_trace
from serving.queries.laps import LapError, read_laps
from tests.unit.serving.race_lake import write_rows

CIRCUIT = circuit_from_track(load_track("alder-ridge"))
START_US = 1_757_181_600_123_456
SPEED_MPS = 30.0
END_US = START_US + round(CIRCUIT.length_m / SPEED_MPS * 1e6)
SHARED = ("speed_kmh", "throttle_pct", "brake_front_bar", "gear", "lap_distance_m")


def lap_rows(stopped_share: float) -> list[dict[str, Any]]:
    """A lap at a steady speed, 20 Hz, with the clock standing still over a share of it; in order of time."""
    t_us = np.arange(START_US, END_US, 50_000)
    return [
        {
            "session_id": "s",
            "vehicle_id": "a",
            "lap_number": 3,
            "ecu_ts": t,
            "event_ts": t,
            "ecu_seq": k,
            "clock_source": "arrival" if k < stopped_share * len(t_us) else "car",
            "throttle_source": "pedal",
            "speed_kmh": SPEED_MPS * 3.6 + k % 3,
            "throttle_pct": 40.0 + k % 7,
            "brake_front_bar": None if k % 2 else 3.0,
            "gear": 4,
            "lap_distance_m": None if k % 5 else (t - START_US) * 3e-5,
        }
        for k, t in enumerate(t_us.tolist())
    ]


def as_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a batch job's worker gets them."""
    frame = (
        pd.DataFrame(rows)
        .rename(columns={"event_ts": "t_us"})
        .reindex(columns=[*batch.CHANNELS, "t_us", "ecu_seq", "clock_source"])
    )
    return frame.astype(dict.fromkeys(batch.CHANNELS, np.float64)).assign(start_us=START_US, end_us=END_US)


def in_lake(home: AppConfig, rows: list[dict[str, Any]]) -> Any:
    """The rows as a command finds them; the lap's row."""
    write_rows(
        home,
        "silver.laps",
        [
            {
                "session_id": "s",
                "vehicle_id": "a",
                "lap_number": 3,
                "lap_time_ms": (END_US - START_US) // 1000,
                "fit_for": ["pace"],
                "lap_start_ts": START_US,
                "lap_end_ts": END_US,
                "sample_count": len(rows),
                "telemetry_gap_s": 0.05,
            }
        ],
    )
    write_rows(home, "silver.telemetry", list(reversed(rows)))
    return read_laps(LakeReader(home), "s")[0]


@pytest.mark.parametrize("stopped_share", [0.0, 0.05, 0.099])
def test_both_readers_give_the_same_trace(home: AppConfig, stopped_share: float) -> None:
    rows = lap_rows(stopped_share)
    ours = batch.build_trace(order_by_time(as_frame(rows)), CIRCUIT)
    theirs = load_lap_trace(LakeReader(home), in_lake(home, rows), CIRCUIT).trace
    assert len(ours.t_s) == sum(row["clock_source"] == "car" for row in rows)
    assert np.array_equal(ours.t_s, theirs.t_s)
    assert np.array_equal(ours.distance_m, theirs.distance_m)
    for name in SHARED:
        assert np.array_equal(ours.channels[name], theirs.channels[name], equal_nan=True), name
    for name in ("lap_time_s", "length_m", "distance_source", "driven_m", "speed_gaps", "passed_over"):
        assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize("stopped_share", [0.11, 0.5, 1.0])
def test_both_readers_refuse_a_lap_whose_clock_stood_still_for_over_a_tenth_of_it(
    home: AppConfig, stopped_share: float
) -> None:
    rows = lap_rows(stopped_share)
    with pytest.raises(RefusalError, match="clock stood still") as ours:
        batch.build_trace(order_by_time(as_frame(rows)), CIRCUIT)
    with pytest.raises(LapError) as theirs:
        load_lap_trace(LakeReader(home), in_lake(home, rows), CIRCUIT)
    assert str(theirs.value) == f"s/a/3: {ours.value}"
