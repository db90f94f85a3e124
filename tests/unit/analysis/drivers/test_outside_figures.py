"""Our figures beside a published computation of both VIR races: every difference has its laps."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from tests.unit.analysis.drivers.laps import made, published
from tests.unit.analysis.outside_figures import differences, figures, within_deviations

COLUMNS = {
    "Laps": "n_laps",
    "BestLap(s)": "best_lap_s",
    "AvgLap(s)": "avg_lap_s",
    "StdDev(s)": "std_lap_s",
    "S1Best": "best_s1_s",
    "S2Best": "best_s2_s",
    "S3Best": "best_s3_s",
    "TheoreticalBest(s)": "sum_best_s",
}


@pytest.fixture(scope="module")
def both(data_dir):
    """Laps and outside figures of each driver of both races."""
    races = {f"vir{race}": published(data_dir, "vir", race) for race in (1, 2)}
    with (data_dir / "grcup" / "vir" / "reference_driver_session_stats.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [
        (races[row["SOURCE_DIR"]][row["NUMBER"]], {name: float(row[c] or "nan") for c, name in COLUMNS.items()})
        for row in rows
    ]


def theirs(laps):
    return within_deviations(laps, np.array([flag != "FCY" for flag in laps.flag]))


def test_the_outside_rule_gives_all_its_figures(both):
    assert len(both) == 44
    for laps, outside in both:
        found = figures(laps, theirs(laps))
        for name, value in outside.items():
            assert found[name] == pytest.approx(value, abs=6e-4, nan_ok=True), (laps.name, name)


def test_no_other_number_of_deviations_does(both):
    kept, dropped = [], []
    for laps, outside in both:
        eligible = np.array([flag != "FCY" for flag in laps.flag])
        middle = np.median(laps.lap_time_s[eligible])
        spread = np.median(np.abs(laps.lap_time_s[eligible] - middle))
        if spread == 0:
            continue
        n, far = int(outside["n_laps"]), np.sort((laps.lap_time_s[eligible] - middle) / spread)
        kept.append(far[n - 1])
        dropped += far[n:].tolist()
    assert 2.9 < max(kept) < 3.0 < min(dropped) < 3.03


@pytest.mark.parametrize("purpose", ["pace", "sectors", "all"])
def test_every_difference_is_explained_by_named_laps(both, purpose):
    found = []
    for laps, outside in both:
        ours = np.isfinite(laps.lap_time_s) if purpose == "all" else laps.fit_for[purpose]
        found += differences(laps, ours, theirs(laps), outside)
    assert found
    unexplained = [d.text for d in found if not d.explained]
    assert unexplained == []
    assert all(d.laps for d in found)
    assert {"n_laps", "avg_lap_s", "best_s1_s"} <= {d.figure for d in found}


def test_a_best_is_traced_to_the_lap_that_the_other_side_leaves_out():
    laps = made(
        [130.0, 130.2, 130.1, 131.9], sectors=[[46, 49, 35], [46.1, 49.1, 35], [46, 49.1, 35], [49.8, 48.1, 34]]
    )
    ours, other = np.ones(4, dtype=bool), np.array([True, True, True, False])
    (found,) = differences(laps, ours, other, {"best_s2_s": 49.0})
    assert found.explained
    assert found.laps == (4,)
    assert found.text == "best_s2_s: 48.1 here, 49 outside: lap 4, 131.900 s, which the outside computation leaves out"


def test_a_difference_that_the_laps_do_not_explain_says_so():
    laps = made([130.0, 131.0, 132.0])
    everything = np.ones(3, dtype=bool)
    (found,) = differences(laps, everything, everything, {"avg_lap_s": 129.0, "n_laps": 3.0, "std_lap_s": 1.0})
    assert not found.explained
    assert "not explained" in found.text


def test_one_lap_has_no_deviation_and_no_lap_no_figures():
    assert math.isnan(figures(made([130.0]), np.array([True]))["std_lap_s"])
    nothing = figures(made([130.0]), np.array([False]))
    assert nothing.pop("n_laps") == 0
    assert all(math.isnan(v) for v in nothing.values())
    assert within_deviations(made([130.0]), np.array([False])).tolist() == [False]
