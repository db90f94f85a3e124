"""A driver's session in one row."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from analysis.drivers.summary import ExternalFigures, rank_by_best_lap, summarise_driver
from conf.contract import load_contract
from tests.unit.analysis.drivers.laps import any_laps, made, published


def test_the_columns_are_those_of_the_contract():
    contract = set(load_contract("gold.driver_summary").column_names)
    assert set(summarise_driver(made([])).row()) == contract - {"updated_ts", "run_id"}


@given(any_laps(max_size=20))
@settings(max_examples=50, deadline=None)
def test_a_row_is_json_and_agrees_with_itself(laps):
    row = summarise_driver(laps).row()
    assert not any(isinstance(v, float) and math.isnan(v) for v in row.values())
    assert row["total_laps"] == len(laps) >= row["valid_laps"]
    if row["valid_laps"]:
        assert row["best_lap_ms"] <= row["median_lap_ms"]
        assert row["best_lap_ms"] <= row["avg_lap_ms"]
        assert row["best_lap_number"] in laps.lap_number
    else:
        assert row["best_lap_ms"] is row["avg_lap_ms"] is row["median_lap_ms"] is None
    records = [row[f"best_{n}_laps_mean_s"] for n in (3, 5, 10)]
    driven = [r for r in records if r is not None]
    assert all(r * 1000 >= row["best_lap_ms"] - 1 for r in driven)


def test_what_other_tables_know_is_passed_on_and_the_rest_stays_unknown():
    row = summarise_driver(made([130, 131]), ExternalFigures(driver_id="d-7", position=3, gap_first_s=4.25)).row()
    assert (row["driver_id"], row["position"], row["gap_first_s"]) == ("d-7", 3, 4.25)
    assert row["karma_overall_last"] is None
    assert row["top_speed_kmh"] is None
    assert row["avg_lap_ms_low"] is None  # two laps give no interval


def test_the_trend_is_that_of_the_longest_run_without_caution():
    times = [130, 131, 132, *[140] * 6, *(129 + 0.2 * k for k in range(7))]
    laps = made(times, flag_at_finish=["GF"] * 3 + ["FCY"] * 6 + ["GF"] * 7)
    row = summarise_driver(laps).row()
    assert row["trend_s_per_lap"] == pytest.approx(0.2)


def test_ranking_leaves_out_who_has_no_lap_and_breaks_ties_by_name():
    drivers = [
        summarise_driver(made(t, vehicle=v)) for t, v in (([130.0], "b"), ([], "c"), ([130.0], "a"), ([129.0], "d"))
    ]
    assert [d.vehicle_id for d in rank_by_best_lap(drivers)] == ["d", "a", "b"]


def test_a_real_driver(data_dir):
    row = summarise_driver(published(data_dir, "barber", 1)["2"]).row()
    assert row["top_speed_kmh"] > 180
    assert row["avg_lap_ms_low"] < row["avg_lap_ms"] < row["avg_lap_ms_high"]
    assert row["best_lap_ms"] < row["best_3_laps_mean_s"] * 1000 < row["best_10_laps_mean_s"] * 1000 < row["avg_lap_ms"]
