"""Two drivers side by side: mirrored figures, and sentences that claim nothing within noise."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings

from analysis.drivers.comparison import FIGURES, driver_figures
from analysis.drivers.head_to_head import build_head_to_head
from analysis.drivers.summary import summarise_driver
from conf.contract import load_contract
from tests.unit.analysis.drivers.laps import any_laps, made, published

rng = np.random.default_rng(4)
MIRRORED = {"strengths", "weaknesses", "valid_laps"}


def ready(laps, **given):
    return driver_figures(summarise_driver(laps), **given)


def noisy(middle, sd, vehicle, n=16):
    rows = [(np.array(middle) + sd * rng.normal(size=3)).tolist() for _ in range(n)]
    return made([sum(r) for r in rows], vehicle, sectors=rows, top_speed_kmh=[200.0 + k % 3 for k in range(n)])


def test_the_columns_are_those_of_the_contract():
    row = build_head_to_head(ready(made([])), ready(made([], "car-2"))).row()
    assert set(row) == set(load_contract("gold.driver_comparison").column_names) - {"updated_ts", "run_id"}
    assert row["faster_vehicle"] is None
    assert row["analysis_text"] == (
        "There is no average lap to compare: car-1 and car-2 drove none that is fit for pace."
    )


@given(any_laps(max_size=15), any_laps(max_size=15, vehicle="car-2"))
@settings(max_examples=40, deadline=None)
def test_turned_round_every_difference_changes_its_sign_and_strengths_change_sides(a, b):
    one, two = ready(a), ready(b)
    there, back = build_head_to_head(one, two), build_head_to_head(two, one)
    for figure in FIGURES:
        assert there.deltas[figure.name].value == pytest.approx(-back.deltas[figure.name].value, nan_ok=True)
    row, turned = there.row(), back.row()
    assert row["faster_vehicle"] == turned["faster_vehicle"]
    for name in MIRRORED:
        assert (row[f"{name}_1"], row[f"{name}_2"]) == (turned[f"{name}_2"], turned[f"{name}_1"])
    assert len(row["strengths_1"]) == len(row["weaknesses_2"])
    assert not any(isinstance(v, float) and math.isnan(v) for v in row.values())


@given(any_laps(max_size=15), any_laps(max_size=15, vehicle="car-2"))
@settings(max_examples=40, deadline=None)
def test_only_differences_beyond_noise_are_claimed(a, b):
    found = build_head_to_head(ready(a), ready(b))
    row = found.row()
    beyond = [d for d in found.deltas.values() if d.low > 0 or d.high < 0]
    assert len(row["strengths_1"]) + len(row["strengths_2"]) == len(beyond)
    for text in row["strengths_1"] + row["strengths_2"] + row["weaknesses_1"] + row["weaknesses_2"]:
        low, high = map(float, re.search(r"interval (\S+) to (\S+) (?:s|points|km/h)\)$", text).groups())
        assert 0 <= low <= high
    within = [d for d in found.deltas.values() if d.low <= 0 <= d.high]
    assert ("Within noise" in row["analysis_text"]) == bool(within)


def test_a_quicker_driver_is_called_so_with_size_unit_and_interval():
    quick, slow = noisy((45.9, 48.9, 35.2), 0.1, "car-1"), noisy((45.9, 49.9, 35.2), 0.1, "car-2")
    row = build_head_to_head(ready(quick), ready(slow)).row()
    assert row["faster_vehicle"] == "car-1"
    assert any(
        re.fullmatch(
            r"Quicker in sector 2 by 1\.0\d\d s|Quicker in sector 2 by (0\.9|1\.)\d+ s \(95 % interval .* s\)", t
        )
        for t in row["strengths_1"]
    )
    assert any(t.startswith("Slower in sector 2 by") for t in row["weaknesses_2"])
    assert not any("sector 2" in t for t in row["strengths_2"])
    assert "car-1 is the quicker one" in row["analysis_text"]
    assert row["avg_lap_delta_s"] < 0
    assert row["avg_top_speed_delta_kmh"] == 0.0
    assert "top speed (95 % interval" in row["analysis_text"].split("Within noise, car-1 less car-2: ")[1]


def test_with_few_laps_nothing_is_claimed():
    row = build_head_to_head(ready(made([120.0] * 3)), ready(made([150.0] * 3, "car-2"))).row()
    assert row["avg_lap_delta_s"] == -30.0
    assert row["faster_vehicle"] is None
    assert row["strengths_1"] == row["weaknesses_2"] == []
    assert "it cannot be said whether that is noise" in row["analysis_text"]


def test_anomaly_scores_are_compared_where_both_have_one():
    one = ready(made([130.0]), dptad={"brake": 20.0, "speed": 5.0})
    two = ready(made([130.0], "car-2"), dptad={"brake": 35.0})
    row = build_head_to_head(one, two).row()
    assert row["dptad_delta_brake"] == -15.0
    assert row["dptad_delta_speed"] is None
    assert row["dptad_delta_steering"] is None


def test_sessions_are_not_mixed(data_dir):
    vir, barber = (published(data_dir, place, 1)["13"] for place in ("vir", "barber"))
    with pytest.raises(ValueError, match="session_id differs"):
        build_head_to_head(ready(vir), ready(barber))


def test_real_drivers(data_dir):
    drivers = published(data_dir, "vir", 1)
    row = build_head_to_head(ready(drivers["13"]), ready(drivers["12"])).row()
    assert row["faster_vehicle"] == "13"
    assert row["best_lap_delta_s"] == pytest.approx(128.432 - 133.822)
    assert row["top_speed_delta_kmh"] is None  # VIR has no speed trap
    assert "top speed" not in row["analysis_text"]
    row = build_head_to_head(ready(drivers["13"]), ready(drivers["55"])).row()
    assert row["faster_vehicle"] is None
    assert "which is within noise" in row["analysis_text"]


def test_few_laps_have_no_consistency_to_compare():
    few, many = ready(noisy((45.9, 48.9, 35.2), 0.1, "car-1", n=2)), ready(noisy((45.9, 48.9, 35.2), 0.3, "car-2"))
    row = build_head_to_head(few, many).row()
    assert row["consistency_gap"] is None
    assert row["avg_lap_delta_s"] is not None
