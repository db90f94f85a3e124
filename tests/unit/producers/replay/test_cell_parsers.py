from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.replay import cell_parsers as cells
from producers.replay.casting import cast_readings
from producers.replay.cell_parsers import CellError, TimingGap
from producers.replay.lines import NullCells

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("cell", "ms"),
    [
        ("33.413", 33_413),
        ("39.57", 39_570),
        ("11.8", 11_800),
        ("0", 0),
        ("1:37.428", 97_428),
        ("0:33.413", 33_413),
        ("45:15.035", 2_715_035),
        ("1:02:03.4", 3_723_400),
        ("0:00:35.158", 35_158),
        ("13:42:35.322", 49_355_322),
        ("1'14.985", 74_985),
        ("5:44'41.101", 20_681_101),
        ("75:00", 4_500_000),
        ("0.0005", 1),
        ("0.00049", 0),
        ("59.9996", 60_000),
        ("1:37,428", 97_428),
        ("0 days 00:01:37.428000", 97_428),
        ("1 days 00:00:38.019", 86_438_019),
    ],
)
def test_durations(cell: str, ms: int):
    assert cells.parse_duration_ms(cell) == ms


@pytest.mark.parametrize(
    "cell", ["1:60.0", "1:60:00", "1:2:3:4", "-1.5", "1.", ".5", "1:37,4.2", "1e3", "abc", ":", "٣"]
)
def test_what_is_no_duration(cell: str):
    with pytest.raises(CellError, match=r"^a duration$"):
        cells.parse_duration_ms(cell)


def written(ms: int, mark: str) -> str:
    """As the sheets write it: only the units it needs."""
    seconds, rest = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}{mark}{seconds:02d}.{rest:03d}"
    return f"{minutes}{mark}{seconds:02d}.{rest:03d}" if minutes else f"{seconds}.{rest:03d}"


DURATIONS = st.integers(0, 7 * DAY_MS)
MARKS = st.sampled_from(":'")


@given(DURATIONS, MARKS)
def test_every_duration_round_trips_to_the_millisecond(ms: int, mark: str):
    assert cells.parse_duration_ms(written(ms, mark)) == ms
    assert cells.parse_duration_ms(written(ms, mark).rstrip("0").rstrip(".") if ms % 1000 else written(ms, mark)) == ms


@given(DURATIONS, MARKS)
def test_every_gap_in_time_round_trips(ms: int, mark: str):
    assert cells.parse_gap(f"+{written(ms, mark)}") == cells.parse_gap(written(ms, mark)) == TimingGap(ms=ms)


@given(st.integers(0, 999_999), st.sampled_from(["{} Lap", "{} Laps", "+{} Lap", "{} laps", "{}Laps"]))
def test_every_gap_in_laps_round_trips(laps: int, form: str):
    assert cells.parse_gap(form.format(laps)) == TimingGap(laps=laps)
    assert (cells.parse_gap_ms(form.format(laps)), cells.parse_gap_laps(form.format(laps))) == (None, laps)


def test_the_leader_has_no_gap():
    assert cells.parse_gap("-") == TimingGap(None, None)


@pytest.mark.parametrize("cell", ["--", "1 Runde", "Lap", "+", "+ 2.740", "-2.740"])
def test_what_is_no_gap(cell: str):
    with pytest.raises(CellError, match=r"^a gap$"):
        cells.parse_gap(cell)


@given(st.text(max_size=12))
def test_any_text_gives_a_value_or_a_complaint(cell: str):
    parsers: list[Callable[[str], Any]] = [
        cells.parse_duration_ms,
        cells.parse_gap,
        cells.parse_integer,
        cells.parse_big_integer,
        cells.parse_positive,
        cells.parse_number,
        cells.is_above_zero,
        cells.parse_instant_us,
        cells.parse_epoch_us,
        cells.parse_in_pit,
    ]
    for parse in parsers:
        with suppress(CellError):
            assert isinstance(parse(cell), int | float | TimingGap | None)


@given(st.integers(-(2**31), 2**31 - 1))
def test_integers(value: int):
    assert (
        cells.parse_integer(str(value))
        == cells.parse_integer(f"{value}.0")
        == cells.parse_big_integer(str(value))
        == value
    )


@pytest.mark.parametrize("cell", ["1.5", "2147483648", "-2147483649", "1_000", "", "x"])
def test_what_is_no_integer_of_32_bits(cell: str):
    with pytest.raises(CellError, match=r"^an integer$"):
        cells.parse_integer(cell)


def test_lap_0_is_no_lap():
    assert (cells.parse_positive("0"), cells.parse_positive("8")) == (None, 8)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers(value: float):
    assert cells.parse_number(repr(value)) == value


def test_a_decimal_comma():
    assert [cells.parse_number("29,8"), cells.parse_number("-0,125"), cells.parse_integer("7,0")] == [29.8, -0.125, 7]
    assert cells.parse_gap_ms("+2,740") == 2_740


@pytest.mark.parametrize(
    "cell", ["1735689600,25", "1735689600250", "1735689600250000", "1735689600250000000", "1.73568960025e12"]
)
def test_a_number_since_the_epoch_says_its_unit_by_its_size(cell: str):
    assert cells.parse_instant_us(cell) == cells.parse_epoch_us(cell) == 1_735_689_600_250_000


@pytest.mark.parametrize("cell", ["12", "300000", "99999999999", "1e30"])
def test_a_number_of_another_century_is_no_time(cell: str):
    with pytest.raises(CellError, match=r"^a time$"):
        cells.parse_instant_us(cell)


@pytest.mark.parametrize("cell", ["", "nan", "NULL", "NA", "<NA>", "n/a", "None", r"\N", "-", "#NV", "#VALUE!"])
def test_missing_values_have_many_spellings(cell: str):
    assert cells.is_missing(cell)


@pytest.mark.parametrize("cell", ["nan", "inf", "1e999", "1,234.5", "1_0", ""])
def test_what_is_no_number(cell: str):
    with pytest.raises(CellError, match=r"^a number$"):
        cells.parse_number(cell)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_instants(moment: datetime, offset_min: int):
    there = moment.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    since = there - datetime(1970, 1, 1, tzinfo=UTC)
    assert cells.parse_instant_us(there.isoformat()) == since // timedelta(microseconds=1)
    plain = moment.isoformat()
    assert (
        cells.parse_instant_us(plain)
        == cells.parse_instant_us(plain + "Z")
        == cells.parse_instant_us(plain.replace("T", " "))
    )


@pytest.mark.parametrize(
    "cell",
    [
        "2025-09-07 20:18:57.5 UTC",
        "2025-09-07t20:18:57.5z",
        "2025/09/07 20:18:57,5 GMT",
        "2025-09-07 20:18:57.5+00",
        "2025-09-07 16:18:57.5 -0400",
        "2025-09-07T16:18:57.500000000-04:00",
    ],
)
def test_instants_as_databases_write_them_are_the_same_in_sheets_and_telemetry(cell: str):
    assert cells.parse_instant_us(cell) == 1_757_276_337_500_000
    text = pl.DataFrame({"line": [2], "timestamp": [f" {cell}"]})
    assert cast_readings(text, NullCells())[0]["timestamp_us"].to_list() == [1_757_276_337_500_000]


def test_short_fractions_of_a_second():
    assert cells.parse_instant_us("1970-01-01T00:00:01.5Z") == 1_500_000


@pytest.mark.parametrize("cell", ["yesterday", "20250906", "2025-13-01T00:00:00Z", "2025-09-06", "2025-W36-6"])
def test_what_is_no_instant(cell: str):
    with pytest.raises(CellError, match=r"^a time$"):
        cells.parse_instant_us(cell)


def test_seconds_since_the_epoch():
    assert cells.parse_epoch_us("1757184078") == 1_757_184_078_000_000
    assert cells.parse_epoch_us("1.5") == 1_500_000
    with pytest.raises(CellError, match="a time in seconds"):
        cells.parse_epoch_us("1e20")


def test_marks():
    assert all(cells.parse_in_pit(mark) for mark in ("B", "P", "p", "1", "1.0"))
    assert not cells.parse_in_pit("0")
    with pytest.raises(CellError, match="a mark of the pits"):
        cells.parse_in_pit("?")
    assert (cells.is_above_zero("0"), cells.is_above_zero("0.2")) == (False, True)
