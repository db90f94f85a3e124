"""Laps against the official results: every way in which an entry can differ has its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serving.lake.reader import LakeReader
from serving.queries.laps import LapRow, read_laps
from serving.queries.result_check import check_entry, check_results
from tests.unit.serving.race_lake import SESSION, race, race_lake, write_rows

FIT = ("pace", "sectors")


def lap(number, time_ms, *reasons, source="official", samples=100):
    fit = () if reasons else FIT
    return LapRow(
        "s",
        "GR86-001-7",
        number,
        7,
        None,
        None,
        time_ms,
        (None, None, None),
        source,
        not reasons,
        reasons,
        fit,
        "GF",
        False,
        None,
        None,
        samples,
        None,
        (),
        False,
        "7",
    )


LAPS = [lap(1, 99_000, "first_lap"), lap(2, 91_000), lap(3, 90_500), lap(4, 120_000, "yellow_flag")]
SHEET = {
    "session_id": "s",
    "vehicle_number": 7,
    "car_number": "7",
    "vehicle_id": "GR86-001-7",
    "position": 2,
    "status": "Classified",
    "laps": 4,
    "fl_lap": 3,
    "fl_time_s": 90.5,
    "is_official": True,
    "conflicts": [],
}


def check(driven=LAPS, /, **sheet):
    return check_entry(SHEET | sheet, driven)


def test_the_simulated_race_agrees_with_its_own_results():
    found = check_results(race_lake(), SESSION)
    assert [one.position for one in found] == list(range(1, len(race().cars) + 1))
    assert all(one.agrees for one in found), [one.exceptions for one in found]
    assert {one.vehicle_id for one in found} == {car.vehicle_id for car in race().cars}
    assert check_results(race_lake()) == found


def test_an_entry_that_agrees():
    one = check()
    assert one.agrees
    assert one.remarks == ()
    assert (one.laps, one.official_laps, one.official_best_ms, one.best.lap_number) == (4, 4, 90_500, 3)


@pytest.mark.parametrize(
    ("laps", "sheet", "words"),
    [
        (LAPS[:3], {}, "3 laps here, 4 on the sheet"),
        ([*LAPS[:3], lap(4, None, "incomplete")], {"laps": 3}, "4 laps here, 3 on the sheet (lap 4 incomplete)"),
        (LAPS, {"fl_time_s": 90.4, "fl_lap": 3}, "best lap 1:30.500 (lap 3) here, 1:30.400 (lap 3) on the sheet"),
        (LAPS, {"fl_time_s": 90.501}, "best lap 1:30.500 (lap 3) here, 1:30.501 (lap 3) on the sheet"),
        (LAPS, {"fl_time_s": None, "fl_lap": None}, "best lap 1:30.500 (lap 3) here, none on the sheet"),
        (
            [*LAPS[:3], lap(4, 90_000, "yellow_flag", "no_telemetry")],
            {"fl_time_s": 90.0, "fl_lap": 4},
            "best lap 1:30.500 (lap 3) here, 1:30.000 (lap 4) on the sheet: lap 4 is unfit for pace here (yellow_flag)",
        ),
        (
            [LAPS[0], lap(2, 91_000, "slow_field")],
            {"laps": 2, "fl_time_s": 91.0, "fl_lap": 2},
            "no lap fit for pace here, 1:31.000 (lap 2) on the sheet: lap 2 is unfit for pace here (slow_field)",
        ),
        ([], {}, "0 laps here, 4 on the sheet"),
    ],
)
def test_exceptions_have_their_reason(laps, sheet, words):
    one = check(laps, **sheet)
    assert not one.agrees
    assert words in one.exceptions


def test_a_car_of_which_the_officials_count_no_lap():
    sheet = {"laps": 0, "fl_lap": None, "fl_time_s": None}
    alone = check([replace(one, lap_time_source="start_end") for one in LAPS], **sheet)
    assert alone.exceptions == ("the officials count no lap of this car; its laps come from the feed alone",)
    assert check(**sheet).exceptions == ("the officials count no lap of this car",)
    absent = check([], **sheet, status="Not started", vehicle_id=None)
    assert (absent.agrees, absent.remarks) == (True, ("not started",))


def test_remarks_do_not_make_an_exception():
    said = "total_time_ms: official results 2758258, provisional results 2728258"
    one = check(
        [replace(lap, sample_count=0) for lap in LAPS], is_official=False, conflicts=["position: a 3, b 4", said]
    )
    assert one.agrees
    assert one.remarks == (
        "result from the provisional sheet",
        "the sheets differ: position: a 3, b 4",
        "the sheets differ: total time: official results 45:58.258, provisional results 45:28.258",
        "no telemetry",
    )


def test_equal_best_times_on_two_laps():
    one = check([*LAPS[:3], lap(4, 90_500)], fl_lap=4)
    assert one.agrees
    assert one.remarks == ("the sheet has the best time on lap 4, here it is lap 3",)


def test_a_car_on_no_sheet():
    one = check_entry(None, LAPS)
    assert one.exceptions == ("not on the result sheet",)
    assert one.agrees is False
    alone = check_entry(None, LAPS, has_sheet=False)
    assert (alone.agrees, alone.exceptions) == (None, ())
    assert (one.session_id, one.vehicle_number, one.position, one.official_laps) == ("s", 7, None, None)


def test_cars_without_a_number_are_told_apart_by_their_id(home):
    row = {"session_id": "s", "lap_number": 1, "lap_time_ms": 90_000, "fit_for": ["pace"], "invalid_reasons": []}
    write_rows(home, "silver.laps", [row | {"vehicle_id": name} for name in ("a", "b")])
    assert len(read_laps(LakeReader(home), "s")) == 2
    found = check_results(LakeReader(home))
    assert [(one.vehicle_id, one.agrees) for one in found] == [("a", None), ("b", None)]
