"""Laps from the columns of the lap table: order, nulls, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.pace.driver_laps import build_driver_laps
from tests.unit.analysis.drivers.laps import made, published

VIR_ROWS = {1: (415, 0), 2: (441, 31)}


def test_rows_in_any_order_become_laps_in_order():
    laps = made(
        [130.0, 131.0, 129.5], lap_number=[3, 1, 2], pit_in=[True, False, None], flag_at_finish=["FF", "GF", None]
    )
    assert laps.lap_number.tolist() == [1, 2, 3]
    assert laps.lap_time_s.tolist() == [131.0, 129.5, 130.0]
    assert laps.flag == ("GF", None, "FF")
    assert laps.pit_in.tolist() == [False, False, True]
    assert laps.name == "session-1|car-1"


def test_null_and_nan_are_missing_values():
    laps = made([None, math.nan, 130.0], fit_for=[["pace"], None, ["pace"]], top_speed_kmh=[None, math.nan, 200.0])
    assert np.isnan(laps.lap_time_s[:2]).all()
    assert np.isnan(laps.times_s("pace")).tolist() == [True, True, False]
    assert np.isnan(laps.sector_times_s("sectors")).all()
    assert laps.top_speed_kmh[2] == 200.0


def test_only_the_lap_table_says_what_a_lap_is_fit_for():
    odd = made([4.0, 9_000.0], lap_number=[1, 40_000])  # kept: nothing here filters
    assert odd.times_s("pace").tolist() == [4.0, 9_000.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lap_number": [1, 1]}, "lap_number 1 is out of order or repeated"),
        ({"lap_number": [1, None]}, "a lap has no lap_number"),
        ({"top_speed_kmh": [1.0]}, "differ in length"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        made([130.0, 131.0], **change)


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match=r"columns lack lap_time_ms, .*read them from silver\.laps"):
        build_driver_laps("s", "v", {"lap_number": [1]})


@pytest.mark.parametrize("race", [1, 2])
def test_real_sectors_add_up_to_the_lap_to_the_millisecond(data_dir, race):
    drivers = published(data_dir, "vir", race)
    whole = np.concatenate([np.rint(d.sectors_s.sum(axis=1) * 1000) for d in drivers.values()])
    laps = np.concatenate([np.rint(d.lap_time_s * 1000) for d in drivers.values()])
    known = np.isfinite(whole)
    assert (laps.size, int((~known).sum())) == VIR_ROWS[race]
    assert whole[known].tolist() == laps[known].tolist()
