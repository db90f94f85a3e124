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

from analysis.timing.entries import DAY_US, LEAST_MATCHES, OfficialClock, fit_clock
from conf.arrays import IntArray

Key = TypeVar("Key", bound=Hashable)
Kind = Literal["utc", "local", "relative"]

COUNTER_NEAR_US: Final = 750_000
"""A counter's crossing is late by no more than the time between two of its samples."""
_AGREES_US: Final = 1_000_000
_QUARTER_US: Final = 900_000_000
_HOUR_US: Final = 4 * _QUARTER_US
_LEAST_BACK_US: Final = 300_000_000  # less is two lines that contradict each other, not a clock that was put back
_PUT_BY_US: Final = (-_HOUR_US, _HOUR_US, -2 * _QUARTER_US, 2 * _QUARTER_US)
_MOST_NUMBERS_OFF: Final = 5
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
    """Ends of laps in order of their numbers, since that of the first whose clock is known; ``None`` without a link."""
    clocked = [i for i, lap in enumerate(laps) if lap.end_us is not None or lap.day_us is not None]
    elapsed = [i for i, lap in enumerate(laps) if lap.elapsed_us is not None]
    first = [*clocked, *elapsed, 0][0]
    since: list[int | None] = [0 if i == first else None for i in range(len(laps))]
    for _ in range(2):  # what is found backwards may be a link forwards
        _link_forward(laps, since)
        _link_back(laps, since)
    return since


def _link_forward(laps: Sequence[SheetLap], since: list[int | None]) -> None:
    """Fill in ends by what was before, in this order: UTC, elapsed time, lap time, time of day; but what two say."""
    last: dict[str, tuple[int, int]] = {}  # of each, the last that is known, and since when
    for i, lap in enumerate(laps):
        own = {name: getattr(lap, name) for name in ("end_us", "elapsed_us", "day_us")}
        apart = {k: us - last[k][0] for k, us in own.items() if us is not None and k in last}
        before = since[i - 1] if i and lap.number == laps[i - 1].number + 1 else None
        if since[i] is None:
            links = {k: last[k][1] + us for k, us in apart.items() if k != "elapsed_us" or us > 0}
            said = [
                links.get("end_us"),
                links.get("elapsed_us"),
                None if before is None or lap.lap_us is None else before + lap.lap_us,
                last["day_us"][1] + _forward_us(apart["day_us"]) if "day_us" in apart else None,
            ]
            since[i] = _agreed([us for us in said if us is not None])
        at = since[i]
        if at is not None:
            last |= {k: (us, at) for k, us in own.items() if us is not None}


def _agreed(said: Sequence[int]) -> int | None:
    """What two say, else what the first says."""
    for i, one in enumerate(said):
        if any(abs(one - other) <= _AGREES_US for other in (*said[:i], *said[i + 1 :])):
            return one
    return said[0] if said else None


def _link_back(laps: Sequence[SheetLap], since: list[int | None]) -> None:
    """Fill in ends by the lap time of the next lap, or by the elapsed time of a later one."""
    later: tuple[int, int] | None = None  # elapsed time, and since when
    for i in range(len(laps) - 1, -1, -1):
        lap, elapsed, at = laps[i], laps[i].elapsed_us, since[i]
        if at is None and i + 1 < len(laps) and laps[i + 1].number == lap.number + 1:
            after, took = since[i + 1], laps[i + 1].lap_us
            at = None if after is None or took is None else after - took
        if at is None and later is not None and elapsed is not None and elapsed < later[0]:
            at = later[1] - (later[0] - elapsed)
        since[i] = at
        if at is not None and elapsed is not None:
            later = (elapsed, at)


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
    middle = local_us[len(local_us) // 2 :][:1]
    usual = int((clock.to_feed_us(middle) - middle)[0])

    def fits(later_us: int) -> int:
        at = local_us + later_us
        after = np.clip(np.searchsorted(seen_us, at), 1, len(seen_us) - 1)
        apart = np.minimum(np.abs(seen_us[after] - at), np.abs(seen_us[after - 1] - at))
        return int((apart < near_us).sum())

    def best_day(put_by: int) -> tuple[int, int]:
        days = range(-_LONGEST_DAYS, _LONGEST_DAYS + 1)
        matched, _, later = max((fits(at := usual + put_by + d * DAY_US), -abs(d), at) for d in days)
        return matched, later

    matched, later = best_day(0)
    for put_by in _PUT_BY_US:
        other, also = best_day(put_by)
        if other >= max(LEAST_MATCHES, len(local_us) / 2) and other > 2 * matched:
            matched, later = other, also
    return later


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
        enough = matched >= max(LEAST_MATCHES, len(apart) / 2)
        if enough and (best is None or matched > best[0]):
            best, found = (matched, off), middle
    return found
