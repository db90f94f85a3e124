from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.replay.pacing import due_times_s


def frame(times: list[int | None], sessions: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {"meta_time_us": times, "session_id": sessions}, schema={"meta_time_us": pl.Int64, "session_id": pl.String}
    )


def test_keeps_distances_and_scales_them():
    times = [10_000_000, 10_500_000, 12_000_000]
    assert due_times_s(frame(times, ["s"] * 3), 1.0).tolist() == [0, 0.5, 2.0]
    assert due_times_s(frame(times, ["s"] * 3), 4.0).tolist() == [0, 0.125, 0.5]


def test_no_time_passes_between_sessions():
    day = 86_400_000_000
    assert due_times_s(frame([0, 1_000_000, day, day + 1_000_000], ["a", "a", "b", "b"]), 1.0).tolist() == [0, 1, 1, 2]


def test_unknown_arrival_goes_with_the_one_before():
    assert due_times_s(frame([None, 0, None, 1_000_000], ["a"] * 4), 1.0).tolist() == [0, 0, 0, 1]


@given(st.lists(st.integers(0, 10**12), max_size=30).map(sorted), st.floats(0.01, 1000))
def test_never_goes_back(times: list[int], speed: float):
    due = due_times_s(frame(list(times), ["s"] * len(times)), speed)
    assert due.shape == (len(times),)
    assert (due[1:] >= due[:-1]).all()


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_speed_must_be_positive(speed: float):
    with pytest.raises(ValueError, match="must be a positive number"):
        due_times_s(frame([0], ["s"]), speed)
