"""The target lap: its bounds, the ruling on the seed's formula, few laps, speed, and real drivers."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings

from analysis.pace.siwtl import compute_siwtl
from analysis.statistics.lap_moments import MIN_LAPS
from conf.contract import load_contract
from tests.unit.analysis.drivers.laps import any_laps, made, published

STAMPS = {"updated_ts", "run_id"}
rng = np.random.default_rng(20)


def sectors(n, sd, best=(45.9, 48.9, 35.2)):
    """Normal sectors whose best is as given and whose population deviation is ``sd``."""
    x = np.abs(rng.normal(size=(n, 3)))
    x = (x - x.min(axis=0)) / x.std(axis=0)
    return (np.array(best) + sd * x).tolist()


def driver(rows, **given):
    return made([sum(row) for row in rows], sectors=rows, **given)


def test_the_columns_are_those_of_the_contract():
    assert set(compute_siwtl(made([])).row()) == set(load_contract("gold.siwtl").column_names) - STAMPS


@given(any_laps(max_size=25))
@settings(max_examples=80, deadline=None)
def test_the_target_lies_between_the_best_and_the_mean_sectors(laps):
    found = compute_siwtl(laps)
    for sector in found.sectors:
        assert sector.weight.value == 1.0 if sector.n < 2 else 0 < sector.weight.value <= 1
        assert math.isnan(sector.potential_s) if sector.n == 0 else sector.potential_s >= 0
    if min(s.n for s in found.sectors) == 0:
        assert math.isnan(found.target_s.value)
        return
    assert found.blend_s.value >= found.sum_best_sectors_s  # exactly: never below, not even by rounding
    assert found.blend_s.value <= sum(s.mean_s.value for s in found.sectors) + 1e-9
    assert found.seed_formula_s <= found.sum_best_sectors_s + 1e-9
    enough = min(s.n for s in found.sectors) >= MIN_LAPS
    assert 0 < found.achievability.value <= 1 if enough else math.isnan(found.achievability.value)
    assert found.insufficient_laps == any(s.n < 2 for s in found.sectors)


@given(any_laps(max_size=25))
@settings(max_examples=40, deadline=None)
def test_a_target_is_never_slower_than_the_best_lap_driven(laps):
    found = compute_siwtl(laps)
    best_s, target = found.current_best.time_s, found.target_s
    if math.isnan(best_s) or math.isnan(target.value):
        assert target == found.blend_s or math.isnan(target.value)
        return
    assert target.value == min(found.blend_s.value, best_s)
    assert found.potential_gain_s >= 0
    assert math.isnan(target.high) or target.low <= target.value <= target.high <= best_s
    assert found.row()["siwtl_blend_s"] == found.blend_s.value


@pytest.mark.parametrize("n", [0, 1, 2, 4, 5])
def test_few_laps_are_no_even_driver(n):
    """Two laps within a tenth of each other: 99.9 of 100, and worth nothing."""
    rows = [[45.9 + 0.01 * k, 48.9 + 0.02 * k, 35.2] for k in range(n)]
    found = compute_siwtl(driver(rows))
    assert found.n_consistency_laps == n
    for figure in (found.consistency, found.achievability):
        assert math.isnan(figure.value) == math.isnan(figure.low) == (n < MIN_LAPS)


@given(any_laps(min_size=5, max_size=25))
@settings(deadline=None)
def test_intervals_hold_their_figure_and_stay_within_what_is_possible(laps):
    found = compute_siwtl(laps)
    figures = [found.target_s, found.blend_s, found.achievability, found.consistency]
    for sector in found.sectors:
        figures += [sector.mean_s, sector.var_s2, sector.weight]
    for figure in figures:
        assert math.isnan(figure.low) == math.isnan(figure.high)
        assert math.isnan(figure.low) or figure.low - 1e-9 <= figure.value <= figure.high + 1e-9
    if not math.isnan(found.blend_s.low):
        assert found.blend_s.low >= found.sum_best_sectors_s
        assert found.achievability.low > 0
        assert found.achievability.high <= 1
    if not math.isnan(found.consistency.value):
        assert 0 <= found.consistency.value <= 100


@given(any_laps(min_size=5, max_size=15))
@settings(deadline=None)
def test_the_order_of_the_sectors_makes_no_difference_to_the_target(laps):
    turned = made(
        [None if math.isnan(t) else t for t in laps.lap_time_s],
        sectors=[[None if math.isnan(s) else s for s in row[::-1]] for row in laps.sectors_s],
        lap_number=laps.lap_number.tolist(),
        fit_for=[[p for p in laps.fit_for if laps.fit_for[p][i]] for i in range(len(laps))],
    )
    a, b = compute_siwtl(laps), compute_siwtl(turned)
    assert a.target_s.value == pytest.approx(b.target_s.value, nan_ok=True)
    assert a.achievability.value == pytest.approx(b.achievability.value, nan_ok=True)


def test_a_driver_who_repeats_his_best_is_asked_for_no_less_and_a_ragged_one_for_less_than_his_bests():
    even = compute_siwtl(driver([[45.9, 48.9, 35.2]] * 10))
    assert even.target_s.value == even.sum_best_sectors_s == even.current_best.time_s
    assert (even.potential_gain_s, even.achievability.value, even.consistency.value) == (0.0, 1.0, 100.0)
    assert even.focus_sector is None
    calm, ragged = compute_siwtl(driver(sectors(20, 0.3))), compute_siwtl(driver(sectors(20, 1.0)))
    assert calm.sum_best_sectors_s == pytest.approx(ragged.sum_best_sectors_s)
    assert calm.blend_s.value < ragged.blend_s.value
    # The seed's own sum does the reverse (BX2): the more ragged, the faster the target.
    assert ragged.seed_formula_s < calm.seed_formula_s < calm.sum_best_sectors_s - 4


def test_figures_by_hand():
    rows = [[46.0, 49.0, 35.0], [46.6, 49.2, 35.1], [46.2, 49.0, 36.4], [46.4, 49.6, 35.5], [46.2, 49.4, 35.3]]
    found = compute_siwtl(driver(rows, top_speed_kmh=[None] * 5))
    var = np.var(rows, axis=0)
    w = 1 / (1 + var)
    assert [s.var_s2.value for s in found.sectors] == pytest.approx(var)
    assert [s.weight.value for s in found.sectors] == pytest.approx(w)
    assert found.achievability.value == pytest.approx(np.prod(w) ** (1 / 3))
    best, mean = np.min(rows, axis=0), np.mean(rows, axis=0)
    assert found.blend_s.value == pytest.approx(np.sum(w * best + (1 - w) * mean))
    assert found.seed_formula_s == pytest.approx(np.sum(w * best))
    assert found.potential_gain_s == pytest.approx(130.0 - found.target_s.value)
    totals = np.sum(rows, axis=1)
    assert found.consistency.value == pytest.approx(100 * (1 - totals.std() / totals.mean()))
    assert found.focus_sector == 3
    assert [s.best.lap_number for s in found.sectors] == [1, 1, 1]
    assert [s.best.gap_second_s for s in found.sectors] == pytest.approx([0.2, 0.0, 0.1])


def test_one_lap_has_weights_of_one_and_says_that_it_is_not_enough():
    row = compute_siwtl(driver([[45.9, 48.9, 35.2]])).row()
    assert row["insufficient_laps"] is True
    assert [row[f"weight_s{i}"] for i in (1, 2, 3)] == [1.0, 1.0, 1.0]
    assert row["var_s1"] is None
    assert row["best_s1_gap_second_s"] is None
    assert row["consistency_score"] is None
    assert row["focus_sector"] is None
    assert row["siwtl_lap"] == row["sum_best_sectors_s"] == pytest.approx(130.0)


def test_no_lap_is_unavailable_and_not_zero():
    row = compute_siwtl(driver(sectors(6, 0.3), fit_for=[[]] * 6)).row()
    assert row["n_valid_laps"] == 0
    assert row["insufficient_laps"] is True
    known = {k for k, v in row.items() if v is not None}
    assert known == {
        *("session_id", "vehicle_id", "n_valid_laps", "insufficient_laps", "n_s1", "n_s2", "n_s3"),
        "n_consistency_laps",
        *("weight_s1", "weight_s2", "weight_s3"),
    }


def test_a_best_lap_whose_sectors_are_unknown_still_is_the_best_lap():
    rows = [*sectors(8, 0.3), [None, None, None]]
    times = [*[sum(r) for r in rows[:8]], 129.0]
    laps = made(times, sectors=rows, fit_for=[["pace", "sectors", "target_lap"]] * 8 + [["pace"]])
    found = compute_siwtl(laps)
    assert (found.current_best.time_s, found.current_best.lap_number) == (129.0, 9)
    assert found.n_valid_laps == 8


def test_a_very_erratic_driver_is_clipped_at_zero_consistency():
    assert compute_siwtl(made([1.0, 1.0, 1.0, 1.0, 100.0])).consistency.value == 0.0


def test_the_interval_is_the_same_each_time_and_differs_by_driver():
    rows = sectors(15, 0.4)
    a, b = driver(rows), driver(rows, vehicle="car-2")
    assert compute_siwtl(a).row() == compute_siwtl(a).row()
    assert compute_siwtl(a).blend_s.value == compute_siwtl(b).blend_s.value
    assert compute_siwtl(a).blend_s != compute_siwtl(b).blend_s


def test_ten_thousand_laps_take_less_than_a_second():
    laps = driver(sectors(10_000, 0.5))
    start = time.perf_counter()
    compute_siwtl(laps)
    assert time.perf_counter() - start < 1.0


@pytest.mark.parametrize("race", [1, 2])
def test_real_drivers(data_dir, race):
    found = [compute_siwtl(laps) for laps in published(data_dir, "vir", race).values()]
    judged = [t for t in found if not t.insufficient_laps]
    assert len(judged) == 21
    for target in judged:
        assert target.blend_s.value >= target.sum_best_sectors_s
        assert 0 <= target.potential_gain_s < 2.5  # targets are realistic...
        assert target.seed_formula_s < target.sum_best_sectors_s - 3  # ...and the literal ones are not
        assert 96 < target.consistency.value < 100 or target.n_consistency_laps < MIN_LAPS
