"""The whole field in one row, and its sentences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.drivers.fleet import SessionConditions, summarise_fleet
from analysis.drivers.formatting import format_count, format_lap_time, format_ranges, join_names
from analysis.drivers.summary import summarise_driver
from conf.contract import load_contract
from tests.unit.analysis.drivers.laps import any_laps, made, published

fields = st.integers(0, 4).flatmap(lambda n: st.tuples(*[any_laps(max_size=10, vehicle=f"car-{i}") for i in range(n)]))


def field(drivers, **given):
    drivers = [summarise_driver(d) for d in drivers]
    return summarise_fleet("session-1", drivers, **given).row()


def test_the_columns_are_those_of_the_contract():
    row = field([])
    assert set(row) == set(load_contract("gold.fleet_summary").column_names) - {"updated_ts", "run_id"}
    assert row["fleet_best_ms"] is row["fastest_vehicle_id"] is row["avg_consistency"] is None
    assert row["top3"] == row["trends"] == row["highlights"] == []
    assert row["insights_text"] == "0 drivers drove 0 laps, 0 of them fit for pace."


@given(fields)
@settings(max_examples=40, deadline=None)
def test_figures_are_those_of_all_laps_fit_for_pace(drivers):
    row = field(drivers)
    times = np.concatenate([np.empty(0), *[d.times_s("pace") for d in drivers]])
    times = times[np.isfinite(times)]
    assert (row["n_drivers"], row["n_laps"], row["n_valid_laps"]) == (len(drivers), sum(map(len, drivers)), times.size)
    if times.size:
        assert row["fleet_best_ms"] == round(times.min() * 1000)
        assert row["fleet_avg_ms"] == pytest.approx(times.mean() * 1000, abs=0.51)
        assert row["fleet_median_ms"] == pytest.approx(np.median(times) * 1000, abs=0.51)
        assert row["top3"][0] == {
            "rank": 1,
            "vehicle_id": row["fastest_vehicle_id"],
            "best_lap_ms": row["fleet_best_ms"],
        }
    bests = [entry["best_lap_ms"] for entry in row["top3"]]
    assert bests == sorted(bests)
    assert len(bests) <= 3


def test_sentences_name_driver_lap_and_unit():
    rng = np.random.default_rng(8)
    quick = made(128 + 0.02 * np.arange(12), "car-1")
    other = made(130 + rng.normal(0, 0.4, 12), "car-2", flag_at_finish=["GF"] * 5 + ["SC"] * 2 + ["GF"] * 5)
    text = field([quick, other])["insights_text"]
    assert "2 drivers drove 24 laps, 24 of them fit for pace." in text
    assert "car-1 set the best lap, 2:08.000 on lap 1" in text
    assert "The fastest 5 consecutive laps are those of car-1, laps 1 to 5, 128.040 s on average." in text
    assert "car-1 has the highest consistency score" in text
    assert "above that of car-2 (95 % interval" in text
    assert "Under caution in part or whole: safety car, laps 6-8." in text
    assert "beyond noise they rose for 1, fell for 0" in text


def test_a_lead_within_noise_is_called_so():
    rng = np.random.default_rng(9)
    twins = [made(130 + rng.normal(0, 0.4, 12), f"car-{i}") for i in (1, 2)]
    assert "within noise of that of car-" in field(twins)["insights_text"]


def test_weather_is_passed_on():
    row = field([], conditions=SessionConditions(air_temp_c=24.5, track_condition="dry"))
    assert (row["air_temp_c"], row["track_temp_c"], row["track_condition"]) == (24.5, None, "dry")


def test_who_does_not_belong_is_refused():
    driver = summarise_driver(made([130.0]))
    with pytest.raises(ValueError, match=r"session-1\|car-1: not of session_id elsewhere"):
        summarise_fleet("elsewhere", [driver])
    with pytest.raises(ValueError, match="comes twice"):
        summarise_fleet("session-1", [driver, driver])


def test_a_real_field_of_twenty_three_cars(data_dir):
    drivers = [summarise_driver(d) for d in published(data_dir, "vir", 1).values()]
    row = summarise_fleet("vir-R1", drivers).row()
    assert (row["n_drivers"], row["n_laps"], row["fleet_best_ms"]) == (23, 415, 128_432)
    assert [entry["vehicle_id"] for entry in row["top3"]] == ["13", "55", "72"]
    assert "Under caution in part or whole: full course yellow, laps 2-4." in row["highlights"]
    assert "Into the pits: 15 (1 time) and 71 (1 time)." in row["highlights"]


def test_wording():
    assert format_lap_time(128.4324) == "2:08.432"
    assert format_lap_time(59.9999) == "1:00.000"
    assert [join_names(x) for x in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert [format_count(n, "lap") for n in (0, 1, 2)] == ["0 laps", "1 lap", "2 laps"]
    assert format_ranges([2, 3, 4, 7]) == "2-4 and 7"
