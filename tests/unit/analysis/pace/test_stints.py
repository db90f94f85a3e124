"""Stints and segments: where a session is cut, and the pace between the cuts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

from analysis.pace.stints import classify_laps, split_stints
from conf.contract import load_contract
from tests.unit.analysis.drivers.laps import any_laps, made, published


def cuts(laps):
    return [(s.stint_number, s.segment, s.kind, s.first_lap, s.last_lap, s.ended_by) for s in split_stints(laps)]


def test_the_columns_are_those_of_the_contract():
    (segment,) = split_stints(made([130.0]))
    assert set(segment.row()) == set(load_contract("gold.stints").column_names) - {"updated_ts", "run_id"}


@given(any_laps())
@settings(deadline=None)
def test_every_lap_is_in_one_segment_and_the_parts_fit(laps):
    found = split_stints(laps)
    assert sum(s.n_laps for s in found) == len(laps)
    assert [s.first_lap for s in found] == sorted(s.first_lap for s in found)
    kinds = dict(zip(laps.lap_number.tolist(), classify_laps(laps), strict=True))
    for s in found:
        inside = [n for n in laps.lap_number.tolist() if s.first_lap <= n <= s.last_lap]
        assert inside == list(range(s.first_lap, s.last_lap + 1))  # no lap is missing within
        assert {kinds[n] for n in inside} == {s.kind}
        assert not any(laps.pit_in[laps.lap_number == n][0] for n in inside[:-1])
        assert s.n_pace_laps == np.isfinite(laps.times_s("pace")[np.isin(laps.lap_number, inside)]).sum()
    assert len({(s.stint_number, s.segment) for s in found}) == len(found)
    stops = int(laps.pit_in[:-1].sum()) if len(laps) else 0
    assert max((s.stint_number for s in found), default=0) == (stops + 1 if len(laps) else 0)


@given(any_laps(min_size=1))
@settings(deadline=None)
def test_why_a_segment_ended(laps):
    *before, last = split_stints(laps)
    assert last.ended_by == ("pit" if laps.pit_in[-1] else "end")
    assert "end" not in {s.ended_by for s in before}


def test_pits_cautions_and_gaps_cut_in_that_order_of_importance():
    laps = made(
        [130] * 10,
        lap_number=[1, 2, 3, 4, 5, 6, 7, 8, 10, 11],
        pit_in=[False, False, True, False, False, False, False, False, False, False],
        flag_at_finish=["GF", "GF", "GF", "GF", "GF", "SC", "GF", "GF", "GF", "FF"],
    )
    assert cuts(laps) == [
        (1, 1, "racing", 1, 3, "pit"),
        (2, 1, "racing", 4, 5, "flag"),
        (2, 2, "sc", 6, 7, "flag"),  # lap 7 began behind the safety car
        (2, 3, "racing", 8, 8, "gap"),
        (2, 4, "racing", 10, 11, "end"),
    ]


def test_a_caution_does_not_reach_over_missing_laps_and_kinds_are_their_own():
    laps = made([130] * 4, lap_number=[1, 5, 6, 7], flag_at_finish=["FCY", None, "red", "yellow"])
    assert classify_laps(laps) == ("fcy", "racing", "red", "fcy")


def test_pace_and_slope_come_from_the_laps_fit_for_pace():
    times = [150.0, *(130 + 0.1 * k for k in range(8)), 170.0]
    fit = [[], *[["pace"]] * 8, []]
    (segment,) = split_stints(made(times, fit_for=fit))
    assert (segment.n_laps, segment.n_pace_laps) == (10, 8)
    assert segment.pace_s.value == pytest.approx(130.35)
    assert segment.pace_s.low < 130.35 < segment.pace_s.high
    assert segment.slope_s_per_lap.value == pytest.approx(0.1)
    assert segment.slope_s_per_lap.sign == 1
    assert (segment.best.time_s, segment.best.lap_number) == (130.0, 2)


def test_a_segment_without_pace_laps_has_no_pace():
    (segment,) = split_stints(made([130, 131], fit_for=[[], []], flag_at_finish=["FCY", "FCY"]))
    assert math.isnan(segment.pace_s.value)
    row = segment.row()
    assert (row["kind"], row["pace_mean_s"], row["slope_s_per_lap"], row["best_lap_number"]) == (
        "fcy",
        None,
        None,
        None,
    )


def test_a_real_race_with_a_caution_and_two_stops(data_dir):
    drivers = published(data_dir, "vir", 1)
    assert cuts(drivers["72"]) == [
        (1, 1, "racing", 1, 1, "flag"),
        (1, 2, "fcy", 2, 4, "flag"),
        (1, 3, "racing", 5, 20, "end"),
    ]
    assert cuts(drivers["15"])[1:] == [(1, 2, "fcy", 2, 3, "pit"), (2, 1, "racing", 4, 11, "end")]
    assert cuts(drivers["71"])[2:] == [(1, 3, "racing", 5, 12, "pit"), (2, 1, "racing", 13, 20, "end")]


def test_laps_begun_under_caution_and_ended_under_green_are_slow_in_reality(data_dir):
    ratios = []
    for laps in published(data_dir, "vir", 1).values():
        kinds = classify_laps(laps)
        slow = [
            t for t, kind, flag in zip(laps.lap_time_s, kinds, laps.flag, strict=True) if kind == "fcy" and flag == "GF"
        ]
        if slow and np.isfinite(laps.times_s("pace")).any():
            ratios.append(slow[0] / np.nanmedian(laps.times_s("pace")))
    assert len(ratios) == 21
    assert min(ratios) > 1.4
