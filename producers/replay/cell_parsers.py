"""What stands in a cell of a published sheet: numbers, durations, gaps and times as the sheets write them.

Each function takes a cell that is not empty and returns its value, or raises :class:`CellError` with what it should
have been: ``an integer``, ``a duration``. A comma in a number is a decimal comma: no sheet groups thousands.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from conf.errors import InputError
from conf.text_table.header import NUMBER

INTEGER = re.compile(r"([+-]?[0-9]{1,18})(?:[.,]0*)?")
DURATION = re.compile(
    r"(?:([0-9]{1,3}) days? )?(?:(?:([0-9]{1,6}):)?([0-9]{1,6})[:'])?([0-9]{1,9})(?:[.,]([0-9]{1,9}))?"
)
LAPS = re.compile(r"\+?\s*([0-9]{1,6})\s*laps?", re.IGNORECASE)
INSTANT = re.compile(
    r"(\d{4})([-/])(\d\d)\2(\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
UTC_NAMES = frozenset({"", "Z", "UTC", "GMT"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CAR_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,11}")
NO_GAP = "-"
BLANK = frozenset({"", "-", "--", "---", "\u2013", "\u2014"})
MISSING = BLANK | frozenset(
    [
        "n/a",
        "n.a.",
        "na",
        "<na>",
        "nan",
        "-nan",
        "nan(ind)",
        "-nan(ind)",
        "1.#qnan",
        "-1.#ind",
        "nat",
        "nil",
        "none",
        "null",
        "(null)",
        "\\n",
        "undefined",
        "#n/a",
        "#nv",
        "#value!",
        "#div/0!",
        "#num!",
        "#ref!",
        "#name?",
    ]
)
"""How spreadsheets, databases, C, R and pandas write that there is no value, in small letters."""

PIT_MARKS = {
    **dict.fromkeys(("b", "p", "1", "y", "yes", "true"), True),
    **dict.fromkeys(("0", "n", "no", "false"), False),
}

INT_LIMIT = 2**31

YEAR_2000_S, YEAR_2100_S = 946_684_800, 4_102_444_800
EPOCH_UNITS_PER_S = (1, 10**3, 10**6, 10**9)
"""Seconds of this century are no milliseconds of it, and so on: a number since the epoch says its unit by its size."""


class CellError(InputError):
    """A cell that cannot be parsed; says what it should have been."""


@dataclass(frozen=True)
class TimingGap:
    """Distance to another car: in time on the same lap, in laps otherwise; neither for the leader.

    Attributes:
        ms: Milliseconds.
        laps: Whole laps.
    """

    ms: int | None = None
    laps: int | None = None


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.lower() in MISSING


def parse_text(cell: str) -> str:
    """The cell as it stands."""
    return cell


def parse_big_integer(cell: str) -> int:
    """A whole number of up to 18 digits; ``1.0`` is one, as a spreadsheet writes it."""
    found = INTEGER.fullmatch(cell)
    if found is None:
        raise CellError("an integer")
    return int(found[1])


def parse_integer(cell: str) -> int:
    """A whole number that 32 bits hold."""
    value = parse_big_integer(cell)
    if not -INT_LIMIT <= value < INT_LIMIT:
        raise CellError("an integer")
    return value


def parse_car_number(cell: str) -> str:
    """A car number as it stands: ``03`` is not ``3``; a spreadsheet's ``3.0`` is."""
    whole = INTEGER.fullmatch(cell)
    if whole is not None:
        return whole[1].lstrip("+")
    if CAR_NUMBER.fullmatch(cell) is None:
        raise CellError("a car number")
    return cell


def parse_car_digits(cell: str) -> int:
    """What a car number is without letters and leading zeros; 0 for one without digits."""
    if INTEGER.fullmatch(cell):
        return parse_integer(cell)
    return parse_integer(re.sub(r"[^0-9]", "", parse_car_number(cell)) or "0")


def parse_positive(cell: str) -> int | None:
    """A whole number of which 0 means that there is none, such as the lap of a fastest lap that was never driven."""
    return parse_integer(cell) or None


def parse_number(cell: str) -> float:
    """A finite decimal number."""
    value = float(cell.replace(",", ".")) if NUMBER.fullmatch(cell) else math.nan
    if not math.isfinite(value):
        raise CellError("a number")
    return value


def is_above_zero(cell: str) -> bool:
    """Whether a number is above 0."""
    return parse_number(cell) > 0


def parse_duration_ms(cell: str) -> int:
    """Milliseconds of ``33.413``, ``1:37.428``, ``1'14.985``, ``1:02:03.4`` or ``1:02'03.4``, half of one rounded up.

    Seconds are below 60 where minutes stand before them, and minutes where hours do. A time of day is a duration too:
    since midnight. Before all may stand ``0 days``, as pandas writes it.
    """
    found = DURATION.fullmatch(cell)
    if found is None:
        raise CellError("a duration")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[:4])
    if (found[3] and seconds >= 60) or (found[2] and minutes >= 60):
        raise CellError("a duration")
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + _thousandths(found[5] or "0")


def _thousandths(digits: str) -> int:
    """The fraction ``0.<digits>`` in thousandths, in integers so that every published time is exact."""
    whole: int = 10 ** len(digits)
    return (int(digits) * 2000 + whole) // (2 * whole)


def parse_gap(cell: str) -> TimingGap:
    """A gap: ``+2.740``, ``+1:14.985``, ``+1'14.985``, ``1 Lap``, ``14 Laps``, or ``-`` for the leader."""
    if cell == NO_GAP:
        return TimingGap()
    laps = LAPS.fullmatch(cell)
    if laps is not None:
        return TimingGap(laps=int(laps[1]))
    try:
        return TimingGap(ms=parse_duration_ms(cell.removeprefix("+")))
    except CellError as error:
        raise CellError("a gap") from error


def parse_gap_ms(cell: str) -> int | None:
    """Milliseconds of a gap, None where it is in laps."""
    return parse_gap(cell).ms


def parse_gap_laps(cell: str) -> int | None:
    """Laps of a gap, None where it is in time."""
    return parse_gap(cell).laps


def parse_instant_us(cell: str) -> int:
    """Microseconds since the epoch of a date and time, UTC without a zone, or of a number since the epoch.

    Besides ISO 8601: ``2025/09/07``, a zone behind a space, and ``UTC`` or ``+00``, as databases write them.
    """
    found = INSTANT.fullmatch(cell)
    if found is None:
        number = _epoch_number_us(cell)
        if number is None:
            raise CellError("a time")
        return number
    year, _, month, day, clock, zone = found.groups("")
    zone = "+00:00" if zone.upper() in UTC_NAMES else zone
    try:
        moment = datetime.fromisoformat(f"{year}-{month}-{day}T{clock}{zone}")
    except ValueError as error:
        raise CellError("a time") from error
    return (moment - EPOCH) // timedelta(microseconds=1)


def parse_epoch_us(cell: str) -> int:
    """Microseconds since the epoch of seconds since the epoch, or of thousandths of them and so on."""
    number = _epoch_number_us(cell)
    if number is not None:
        return number
    seconds = parse_number(cell)
    if not abs(seconds) < 1e12:
        raise CellError("a time in seconds")
    return round(seconds * 1_000_000)


def _epoch_number_us(cell: str) -> int | None:
    """Microseconds since the epoch of seconds, or thousandths and so on of them; None beyond this century."""
    if not NUMBER.fullmatch(cell):
        return None
    number = Decimal(cell.replace(",", "."))
    unit = next((each for each in EPOCH_UNITS_PER_S if YEAR_2000_S * each <= number < YEAR_2100_S * each), None)
    return None if unit is None else round(number * 10**6 / unit)


def parse_in_pit(cell: str) -> bool:
    """Whether a mark says that a lap ends in the pits: ``B``, ``P`` and ``1`` do; others leave their cells empty."""
    mark = cell.lower().removesuffix(".0")
    if mark not in PIT_MARKS:
        raise CellError("a mark of the pits")
    return PIT_MARKS[mark]
