"""The questions that analysts ask, against answers found another way."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import groupby

import numpy as np
import pytest
from scipy.stats import chi2

from serving.lake.reader import LakeReader
from serving.lake.views import view_names, view_question
from tests.unit.serving.race_lake import race_lake

LAPS = "select * from silver.laps"


@pytest.fixture(scope="module")
def lake():
    return race_lake()


@pytest.fixture(scope="module")
def fit(lake):
    rows = lake.query(LAPS).to_pylist()
    found = [row for row in rows if "pace" in row["fit_for"] and row["lap_time_ms"]]
    return {
        vehicle: list(own)
        for vehicle, own in groupby(sorted(found, key=lambda r: r["vehicle_id"]), lambda r: r["vehicle_id"])
    }


def answer(lake, view):
    return lake.query(f"from analysis.{view}").to_pylist()


def test_every_view_asks_something():
    assert len(view_names()) >= 12
    assert all(view_question(name).endswith("?") or "? " in view_question(name) for name in view_names())


def test_best_laps(lake, fit):
    found = answer(lake, "best_laps")
    best = {vehicle: min(row["lap_time_ms"] for row in rows) / 1000 for vehicle, rows in fit.items()}
    assert {row["vehicle_id"]: row["lap_time_s"] for row in found} == best
    assert [row["place"] for row in found] == list(range(1, len(found) + 1))
    assert [row["place"] for row in answer(lake, "top_speeds")] == list(range(1, len(found) + 1))
    assert found[0]["gap_s"] == 0.0
    assert found[-1]["gap_s"] == pytest.approx(max(best.values()) - min(best.values()))


def test_fastest_laps_are_all_of_them(lake, fit):
    found = answer(lake, "fastest_laps")
    assert len(found) == sum(map(len, fit.values()))
    assert [row["lap_time_s"] for row in found] == sorted(row["lap_time_s"] for row in found)


def test_the_best_sectors_add_up_to_the_theoretical_best(lake):
    sectors = answer(lake, "sector_bests")
    for row in answer(lake, "theoretical_best"):
        own = [s["sector_s"] for s in sectors if s["vehicle_id"] == row["vehicle_id"]]
        assert len(own) == 3
        assert row["theoretical_best_s"] == pytest.approx(sum(own), abs=1e-3)
        assert row["left_in_the_lap_s"] == pytest.approx(row["best_lap_s"] - sum(own), abs=1e-3)
        assert row["left_in_the_lap_s"] >= 0
    rows = lake.query(LAPS).to_pylist()
    quickest = min(row["sector_2_time"] for row in rows if "sectors" in row["fit_for"])
    assert next(s["sector_s"] for s in sectors if s["sector"] == 2 and s["place"] == 1) == quickest


def test_the_spread_has_the_interval_of_a_normal_one(home, write_table):
    drawn = {
        "few": [80.0, 80.5, 81.0, 80.2],
        "even": [80.0, *np.linspace(80.2, 80.6, 20)],
        "slow": [80.0, 81, 82, 83, 84],
    }
    drawn["even"].append(95.0)  # behind a safety car, or off the road
    laps = [
        {"session_id": "s", "vehicle_id": car, "lap_number": n, "lap_time_ms": round(1000 * time), "fit_for": ["pace"]}
        for car, times in drawn.items()
        for n, time in enumerate(times)
    ]
    write_table("silver.laps", laps)
    found = {row["vehicle_id"]: row for row in answer(LakeReader(home), "consistency")}
    assert found["few"]["spread_s"] is found["few"]["spread_low_s"] is found["few"]["place"] is None
    assert [found[car]["place"] for car in ("even", "slow")] == [1, 2]
    for car, times in (("even", drawn["even"][:-1]), ("slow", drawn["slow"])):
        row, spread, k = found[car], np.std(np.round(times, 3), ddof=1), len(times) - 1
        assert row["n_laps"] == len(times)
        assert row["median_lap_s"] == pytest.approx(np.median(times), abs=1e-3)
        assert row["spread_s"] == pytest.approx(spread)
        assert row["spread_low_s"] == pytest.approx(spread * np.sqrt(k / chi2.ppf(0.975, k)), rel=0.01)
        assert row["spread_high_s"] == pytest.approx(spread * np.sqrt(k / chi2.ppf(0.025, k)), rel=0.04)


@pytest.mark.parametrize(
    ("view", "figure", "spread", "best"),
    [
        ("brake_points_by_corner", "brake_before_apex_m", "spread_m", min),
        ("min_speeds_by_corner", "min_speed_kmh", "spread_kmh", max),
    ],
)
def test_corners_by_driver_are_medians_over_laps_fit_for_pace(lake, fit, view, figure, spread, best):
    own = {(vehicle, row["lap_number"]) for vehicle, rows in fit.items() for row in rows}
    passed = defaultdict(list)
    for row in lake.query("select * from gold.corner_passes").to_pylist():
        if (row["vehicle_id"], row["lap_number"]) in own and row[figure] is not None:
            passed[row["corner"], row["vehicle_id"]].append(row[figure])
    found = {(row["corner"], row["vehicle_id"]): row for row in answer(lake, view)}
    assert found.keys() == passed.keys()
    for key, values in passed.items():
        assert found[key]["n_laps"] == len(values)
        assert found[key][figure] == pytest.approx(np.median(values))
        expected = np.std(values, ddof=1) if len(values) >= 5 else None
        assert found[key][spread] == (expected if expected is None else pytest.approx(expected))
        field = [row[figure] for row in found.values() if row["corner"] == key[0]]
        assert (found[key]["place"] == 1) == (found[key][figure] == best(field))
    assert max(len(values) for values in passed.values()) >= 2


def test_five_laps_have_a_spread(home, write_table):
    key = {"session_id": "s", "vehicle_id": "a"}
    write_table("silver.laps", [key | {"lap_number": n, "fit_for": ["pace"] if n else []} for n in range(7)])
    metres = [300.0, 90.0, 92.0, 94.0, 96.0, 98.0, None]
    write_table(
        "gold.corner_passes",
        [key | {"lap_number": n, "corner": 1, "brake_before_apex_m": m} for n, m in enumerate(metres)],
    )
    (row,) = answer(LakeReader(home), "brake_points_by_corner")
    assert (row["n_laps"], row["brake_before_apex_m"], row["earlier_than_latest_m"]) == (5, 94.0, 0.0)
    assert row["spread_m"] == pytest.approx(np.std(metres[1:6], ddof=1))
    assert (row["earliest_before_apex_m"], row["latest_before_apex_m"]) == (98.0, 90.0)


def test_top_speeds(lake):
    rows = lake.query(LAPS).to_pylist()
    for row in answer(lake, "top_speeds"):
        assert row["top_speed_kmh"] == max(r["top_speed_kmh"] for r in rows if r["vehicle_id"] == row["vehicle_id"])


def test_weather_is_the_last_before_the_end_of_the_lap(home, write_table):
    at = datetime(2026, 5, 1, 10, tzinfo=UTC)
    ends = [
        {"session_id": "s", "vehicle_id": "a", "lap_number": n, "lap_end_ts": at + timedelta(minutes=n)}
        for n in (0, 2, 3)
    ]
    write_table("silver.laps", ends)
    measured = [
        {"session_id": session, "event_ts": at + timedelta(minutes=minute), "air_temp_c": temp_c}
        for session, minute, temp_c in (("s", 1, 20.0), ("s", 2.5, 21.0), ("other", 2.9, 35.0))
    ]
    write_table("silver.environment", measured)
    found = answer(LakeReader(home), "lap_weather")
    assert [row["air_temp_c"] for row in found] == [None, 20.0, 21.0]
    assert [row["measured_before_s"] for row in found] == [None, 60, 30]


def test_reasons_against_laps_are_counted(lake):
    rows = lake.query(LAPS).to_pylist()
    expected = sum("first_lap" in dict(row["unfit_for"]).get("pace", ()) for row in rows)
    found = {(row["purpose"], row["reason"]): row["n_laps"] for row in answer(lake, "unfit_laps")}
    assert found["pace", "first_lap"] == expected > 0


def test_a_view_joins_with_tables_and_other_views(lake):
    sql = "select count(*) as n from analysis.best_laps b join analysis.top_speeds t using (session_id, vehicle_id)"
    assert lake.query(sql)["n"].to_pylist() == [len(answer(lake, "best_laps"))]


def test_each_view_is_listed_and_described(lake):
    listed = lake.query("show tables")["name"].to_pylist()
    assert set(view_names()) <= set(listed)
    assert "gap_s" in lake.query("describe analysis.best_laps")["column_name"].to_pylist()
