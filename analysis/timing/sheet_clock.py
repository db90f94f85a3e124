"""When official laps ended, in the time of the telemetry: a sheet's clock, its elapsed time and its lap times together.

A sheet says up to three things of the end of a lap: the local time of day, which may be put forward or back, pass
midnight or be counted on beyond 24 hours; the time since the start; and how long the lap took. Of these any may be
missing or wrong in a line. What two agree on stands, and one bridges where the others are missing.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import numpy as np

from analysis.timing.entries import DAY_US, OfficialClock, fit_clock
from conf.arrays import IntArray

Key = TypeVar("Key", bound=Hashable)
Kind = Literal["utc", "local", "relative"]

COUNTER_NEAR_US: Final = 750_000
"""A counter's crossing is late by no more than the time between two of its samples."""
_AGREES_US: Final = 1_000_000
_QUARTER_US: Final = 900_000_000
_HOUR_US: Final = 4 * _QUARTER_US
_LEAST_BACK_US: Final = 300_000_000  # less is two lines that contradict each other, not a clock that was put back
_PUT_BY_US: Final = (0, -_HOUR_US, _HOUR_US, -2 * _QUARTER_US, 2 * _QUARTER_US)
_MOST_NUMBERS_OFF: Final = 5
_FEWEST: Final = 3
_LONGEST_DAYS: Final = 7


@dataclass(frozen=True)
class SheetLap:
    """What a line of an official sheet says of the end of a lap, in microseconds; ``None`` where it says nothing.

    Attributes:
        number: Official lap number.
        lap_us: What the lap took.
        elapsed_us: Since the start of the race.
        day_us: Local time of day.
        end_us: Since the epoch.
    """

    number: int
    lap_us: int | None = None
    elapsed_us: int | None = None
    day_us: int | None = None
    end_us: int | None = None


@dataclass(frozen=True)
class CarCrossings:
    """When a car crossed the line, as its feed or its own counter says.

    Attributes:
        time_us: Since the epoch, ascending, shape (n,).
        lap_ended: Number of the lap that ended, shape (n,).
        near_us: How far they may be from the truth.
    """

    time_us: IntArray
    lap_ended: Sequence[int]
    near_us: int


@dataclass(frozen=True)
class SheetTimes:
    """Ends of a sheet's laps on one axis without jumps, microseconds; ``None`` where nothing says.

    Attributes:
        ends_us: In the order of the lines.
        kind: ``utc``, ``local`` (since a local midnight) or ``relative`` (since any instant).
    """

    ends_us: tuple[int | None, ...]
    kind: Kind


def join_sheet_times(lines: Sequence[SheetLap]) -> SheetTimes:
    """Put the ends of a car's official laps on one axis.

    Args:
        lines: The car's lines, in any order.
    """
    order = sorted(range(len(lines)), key=lambda i: lines[i].number)
    since = _link_laps([lines[i] for i in order])
    for kind, stamps in (("utc", [lines[i].end_us for i in order]), ("local", [lines[i].day_us for i in order])):
        apart = sorted(at - us for at, us in zip(stamps, since, strict=True) if at is not None and us is not None)
        if apart:
            base = apart[len(apart) // 2]
            ends = [_end_us(us, at, base, kind) for us, at in zip(since, stamps, strict=True)]
            return SheetTimes(_in_order_of_lines(ends, order), kind)  # type: ignore[arg-type]
    return SheetTimes(_in_order_of_lines(since, order), "relative")


def _in_order_of_lines(values: Sequence[int | None], order: Sequence[int]) -> tuple[int | None, ...]:
    found = dict(zip(order, values, strict=True))
    return tuple(found[i] for i in range(len(order)))


def _end_us(since_us: int | None, at_us: int | None, base_us: int, kind: str) -> int | None:
    """A lap's end from what its own clock says, unless that is contradicted."""
    joined = None if since_us is None else since_us + base_us
    if at_us is None or joined is None or kind == "utc":
        return joined if at_us is None else at_us
    put_by = round((at_us - joined) / _QUARTER_US) * _QUARTER_US  # put forward or back, or a day later
    return at_us - put_by if abs(at_us - put_by - joined) <= _AGREES_US else joined


def _link_laps(laps: Sequence[SheetLap]) -> list[int | None]:
    """Ends of laps in order of their numbers, since that of the first that says something."""
    timed = [i for i, lap in enumerate(laps) if any(us is not None for us in (lap.end_us, lap.elapsed_us, lap.day_us))]
    first = timed[0] if timed else 0
    since: list[int | None] = [None] * first + [0] * bool(laps)
    for i in range(first + 1, len(laps)):
        said = [us for us in _links(laps, since, i) if us is not None]
        agreed = (a for k, a in enumerate(said) if any(abs(a - b) <= _AGREES_US for b in said[:k] + said[k + 1 :]))
        since.append(next(agreed, said[0] if said else None))
    for i in range(len(laps) - 2, -1, -1):
        after, lap_us = since[i + 1], laps[i + 1].lap_us
        if since[i] is None and None not in (after, lap_us) and laps[i + 1].number == laps[i].number + 1:
            since[i] = after - lap_us  # type: ignore[operator]
    return since


def _links(laps: Sequence[SheetLap], since: Sequence[int | None], i: int) -> tuple[int | None, ...]:
    """When a lap ended by its elapsed time, its lap time, and its clock, each beside the last that has the same."""
    lap = laps[i]

    def apart_from_last(attribute: str) -> tuple[int, int] | None:
        own = getattr(lap, attribute)
        for k in range(i - 1, -1, -1):
            before, at = getattr(laps[k], attribute), since[k]
            if own is not None and before is not None and at is not None:
                return at, own - before
        return None

    elapsed, utc, clock = (apart_from_last(name) for name in ("elapsed_us", "end_us", "day_us"))
    follows = i > 0 and lap.number == laps[i - 1].number + 1 and since[i - 1] is not None and lap.lap_us is not None
    return (
        None if utc is None else sum(utc),
        None if elapsed is None or elapsed[1] <= 0 else sum(elapsed),
        since[i - 1] + lap.lap_us if follows else None,  # type: ignore[operator]
        None if clock is None else clock[0] + _forward_us(clock[1]),
    )


def _forward_us(apart_us: int) -> int:
    """From one time of day to a later one: the clock was put back, or midnight passed."""
    if apart_us > -_LEAST_BACK_US:
        return apart_us
    return apart_us + (_HOUR_US if apart_us > -_HOUR_US else -(apart_us // DAY_US) * DAY_US)


def place_sheets(
    sheets: Mapping[Key, Sequence[SheetLap]],
    field: Sequence[CarCrossings],
    own: Mapping[Key, CarCrossings],
) -> dict[Key, list[int | None]]:
    """When official laps ended, in the time of the telemetry; sheets that nothing ties to it are left out.

    Args:
        sheets: Lines of each number.
        field: Crossings of all cars that the sheets' clock is fitted to.
        own: Crossings of the car that says a number, which tie a sheet without a clock.

    Returns:
        Microseconds since the epoch, by number in the order of the lines; ``None`` where nothing says.
    """
    joined = {key: join_sheet_times(lines) for key, lines in sheets.items()}
    local = {key: times for key, times in joined.items() if times.kind == "local"}
    nothing = np.empty(0, np.int64)
    seen = np.sort(np.concatenate([nothing, *(car.time_us for car in field)]))
    near_us = max((car.near_us for car in field), default=0)
    said = np.array([us for times in local.values() for us in times.ends_us if us is not None], np.int64)
    clock = fit_clock(seen, said, near_us)
    placed: dict[Key, list[int | None]] = {}
    for key, times in joined.items():
        if times.kind == "utc":
            placed[key] = list(times.ends_us)
            continue
        if times.kind == "local" and clock is not None:
            later: int | None = _later_by_us(np.array(_known(times), np.int64), clock, seen, near_us)
        else:
            later = _tied_later_by_us(sheets[key], times, own[key]) if key in own else None
        if later is not None:
            placed[key] = [None if us is None else us + later for us in times.ends_us]
    return placed


def _known(times: SheetTimes) -> list[int]:
    return [us for us in times.ends_us if us is not None]


def _later_by_us(local_us: IntArray, clock: OfficialClock, seen_us: IntArray, near_us: int) -> int:
    """From a car's local times to the feed's: on which day, and on which side of a change of the clock they are."""
    at = local_us + clock.zone_us + clock.lag_us
    middle = int(np.median(at))
    usual = round((clock.middle_us - middle) / DAY_US)

    def fits(later_us: int) -> int:
        after = np.clip(np.searchsorted(seen_us, at + later_us), 1, len(seen_us) - 1)
        apart = np.minimum(np.abs(seen_us[after] - at - later_us), np.abs(seen_us[after - 1] - at - later_us))
        return int((apart < near_us).sum())

    def best_day(put_by: int) -> tuple[int, int]:
        days = range(usual - _LONGEST_DAYS, usual + _LONGEST_DAYS + 1)
        matched, _, later = max((fits(d * DAY_US + put_by), -abs(d - usual), d * DAY_US + put_by) for d in days)
        return matched, later

    matched, later = best_day(0)
    for put_by in _PUT_BY_US[1:]:
        other, also = best_day(put_by)
        if other >= max(_FEWEST, len(at) / 2) and other > 2 * matched:
            matched, later = other, also
    return clock.zone_us + clock.lag_us + later


def _tied_later_by_us(lines: Sequence[SheetLap], times: SheetTimes, car: CarCrossings) -> int | None:
    """What ties a sheet to one car's crossings: lap by lap they are as far apart, the numbers at most five off."""
    ends = {line.number: us for line, us in zip(lines, times.ends_us, strict=True) if us is not None}
    best: tuple[int, int] | None = None
    found: int | None = None
    for off in sorted(range(-_MOST_NUMBERS_OFF, _MOST_NUMBERS_OFF + 1), key=abs):
        crossed = zip(car.time_us.tolist(), car.lap_ended, strict=True)
        apart = sorted(at - ends[lap + off] for at, lap in crossed if lap + off in ends)
        if not apart:
            continue
        middle = apart[len(apart) // 2]
        matched = sum(abs(us - middle) <= car.near_us for us in apart)
        enough = matched >= max(_FEWEST, len(apart) / 2)
        if enough and (best is None or matched > best[0]):
            best, found = (matched, off), middle
    return found
