"""Laps of one car: by official timing where there is one, else by the feed's crossings, else by the car's counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from analysis.timing.crossings import UNKNOWN, Crossing, number_crossings
from conf.arrays import FloatArray, IntArray
from conf.laps import ReasonLimits, caution_of_flag

_NEAR_US = 1_000_000
_QUICK_PERCENT, _FEWEST_LAPS = 10.0, 10


@dataclass(frozen=True)
class OfficialTimingLap:
    """A lap of the official timing; times in milliseconds, ``None`` where the source has none.

    Attributes:
        end_us: End of the lap in the time of the telemetry, microseconds since the epoch; ``None`` where the official
            clock is not tied to it.
    """

    number: int
    lap_time_ms: int | None
    sectors_ms: tuple[int | None, int | None, int | None]
    end_us: int | None
    flag: str | None = None
    in_pit: bool | None = None
    pit_time_ms: int | None = None
    top_speed_kmh: float | None = None
    avg_speed_kmh: float | None = None
    track_limits: bool | None = None


@dataclass(frozen=True)
class JudgedLap:
    """One lap, with the reasons against using it (see ``conf/laps.yaml``)."""

    number: int
    source: str
    start_us: int | None
    end_us: int | None
    lap_time_ms: int | None
    sectors_ms: tuple[int | None, int | None, int | None] = (None, None, None)
    number_timing: int | None = None
    flag: str | None = None
    in_pit: bool | None = None
    pit_time_ms: int | None = None
    top_speed_kmh: float | None = None
    avg_speed_kmh: float | None = None
    feed_time_ms: int | None = None
    feed_lap_time_ms: int | None = None
    reasons: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


def build_official_laps(
    rows: Sequence[OfficialTimingLap], crossings: Sequence[Crossing], limits: ReasonLimits
) -> list[JudgedLap]:
    """Laps of the official timing, with what the feed says of the same ones beside.

    Args:
        rows: The car's official laps, in any order.
        crossings: The car's crossings in the feed.
        limits: From ``conf/laps.yaml``.
    """
    ordered = sorted(rows, key=lambda r: r.number)
    numbers = number_crossings(crossings)
    laps = [_official(row, crossings, numbers, limits, is_first=row is ordered[0]) for row in ordered]
    before = zip([None, *laps[:-1]], [None, *ordered[:-1]], strict=True)
    return [_reasons_from_previous(lap, *previous) for lap, previous in zip(laps, before, strict=True)] if laps else []


def _official(
    row: OfficialTimingLap,
    crossings: Sequence[Crossing],
    numbers: Sequence[int],
    limits: ReasonLimits,
    *,
    is_first: bool,
) -> JudgedLap:
    start = None if row.end_us is None or row.lap_time_ms is None else row.end_us - row.lap_time_ms * 1000
    last = _matching_crossing(row.end_us, crossings)
    follows = last is not None and last > 0 and numbers[last] == numbers[last - 1] + 1
    if is_first:  # the race began on the way round, or with the lap before
        follows = follows and _matching_crossing(start, crossings) == (last or 0) - 1
    feed_ms = _to_ms(crossings[last].time_us - crossings[last - 1].time_us) if last is not None and follows else None
    said = None if last is None or last == 0 else crossings[last].lap_time_ms
    reasons, conflicts = _official_reasons(row, limits), []
    if (
        feed_ms is not None
        and row.lap_time_ms is not None
        and abs(feed_ms - row.lap_time_ms) > limits.feed_tolerance_ms
    ):
        reasons.append("feed_disagrees")
        conflicts.append(f"official {_to_s(row.lap_time_ms)}, crossings of the feed {_to_s(feed_ms)}")
    if last is not None:
        conflicts += _feed_conflicts(crossings[last], numbers[last], feed_ms)
    return JudgedLap(
        number=row.number,
        source="official",
        start_us=start,
        end_us=row.end_us,
        lap_time_ms=row.lap_time_ms,
        sectors_ms=row.sectors_ms,
        number_timing=None if last is None else numbers[last],
        flag=row.flag,
        in_pit=bool(row.in_pit),
        pit_time_ms=row.pit_time_ms,
        top_speed_kmh=row.top_speed_kmh,
        avg_speed_kmh=row.avg_speed_kmh,
        feed_time_ms=feed_ms,
        feed_lap_time_ms=said,
        reasons=tuple(reasons),
        conflicts=tuple(conflicts),
    )


def _official_reasons(row: OfficialTimingLap, limits: ReasonLimits) -> list[str]:
    known = [s for s in row.sectors_ms if s is not None]
    off = None if len(known) < 3 or row.lap_time_ms is None else abs(sum(known) - row.lap_time_ms)
    checks = {
        "incomplete": row.lap_time_ms is None,
        "track_limits": bool(row.track_limits),
        "yellow_flag": caution_of_flag(row.flag) is not None,
        "pit_lap": bool(row.in_pit),
        "sector_sum_mismatch": off is not None and off > limits.sector_sum_tolerance_ms,
    }
    return [name for name, holds in checks.items() if holds]


def _reasons_from_previous(lap: JudgedLap, before: JudgedLap | None, row_before: OfficialTimingLap | None) -> JudgedLap:
    """What the lap before says of this one: begun in the pits or under yellow, the clock gone back, a lap missing."""
    if before is None or row_before is None:
        return lap
    reasons, conflicts = list(lap.reasons), list(lap.conflicts)
    if row_before.in_pit:  # a time in the pits stands on the in-lap with some, on the out-lap with others
        reasons.append("out_lap")
    if caution_of_flag(row_before.flag) and "yellow_flag" not in reasons:
        reasons.append("yellow_flag")
    if None not in (lap.end_us, before.end_us) and lap.end_us <= before.end_us:  # type: ignore[operator]
        conflicts.append(f"ends before lap {before.number} does")
    elif lap.number == before.number + 1 and lap.start_us is not None and before.end_us is not None:
        gap_ms = _to_ms(lap.start_us - before.end_us)
        if abs(gap_ms) > 5:
            conflicts.append(f"begins {_to_s(gap_ms)} after lap {before.number} ends")
    return replace(lap, reasons=tuple(reasons), conflicts=tuple(conflicts))


def build_feed_laps(crossings: Sequence[Crossing]) -> list[JudgedLap]:
    """Laps between the crossings of a feed without official timing."""
    numbers = number_crossings(crossings)
    laps = []
    for (start, n0), (end, n1) in pairwise(zip(crossings, numbers, strict=True)):
        feed_ms = _to_ms(end.time_us - start.time_us)
        reasons = ["incomplete"] if n1 - n0 > 1 else []
        conflicts = [f"crossings of laps {n0 + 1} to {n1 - 1} are missing"] if n1 - n0 > 1 else []
        conflicts += _feed_conflicts(end, n1, feed_ms)
        laps.append(
            JudgedLap(
                number=n1,
                source="start_end",
                start_us=start.time_us,
                end_us=end.time_us,
                lap_time_ms=feed_ms,
                number_timing=n1,
                feed_time_ms=feed_ms,
                feed_lap_time_ms=end.lap_time_ms,
                reasons=tuple(reasons),
                conflicts=tuple(conflicts),
            )
        )
    return laps


def _feed_conflicts(crossing: Crossing, number: int, feed_ms: int | None) -> list[str]:
    found = []
    if crossing.lap_ended not in (UNKNOWN, number):
        found.append(f"feed calls it lap {crossing.lap_ended}, by count it is {number}")
    if crossing.repeats:
        found.append(f"feed repeats the crossing {crossing.repeats} times within seconds")
    said = crossing.lap_time_ms
    if said is not None and feed_ms is not None and abs(said - feed_ms) > _NEAR_US / 1000:
        found.append(f"feed reports a lap time of {_to_s(said)}, its crossings are {_to_s(feed_ms)} apart")
    return found


def build_counter_laps(t_us: IntArray, counter: FloatArray) -> list[JudgedLap]:
    """Laps by the car's own counter, for a car without any timing.

    Args:
        t_us: Event time of each sample, ascending, shape (n,).
        counter: Lap counter, NaN where it was lost, shape (n,).
    """
    known = np.flatnonzero(np.isfinite(counter))
    if not len(known):
        return []
    values, times = counter[known].astype(np.int64), t_us[known]
    edges = np.flatnonzero(np.diff(values) != 0) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(values)]])
    laps: dict[int, JudgedLap] = {}
    for i, (a, b) in enumerate(zip(starts, ends, strict=True)):
        number, last = int(values[a]), i == len(starts) - 1
        end_us = int(times[-1]) if last else int(times[b])
        whole = i > 0 and not last and values[b] == number + 1 and values[a - 1] == number - 1
        lap = JudgedLap(
            number=number,
            source="telemetry",
            start_us=int(times[a]),
            end_us=end_us,
            lap_time_ms=_to_ms(end_us - int(times[a])),
            reasons=() if whole else ("incomplete",),
        )
        twice = laps.get(number)
        if twice is not None:
            kept = max(twice, lap, key=lambda x: (x.end_us or 0) - (x.start_us or 0))
            lap = replace(kept, conflicts=(*twice.conflicts, f"the counter shows lap {number} more than once"))
        laps[number] = lap
    return list(laps.values())


def add_lap_reasons(
    laps: Sequence[JudgedLap],
    limits: ReasonLimits,
    *,
    field_slow: Mapping[int, bool] | None = None,
    field_quick_ms: float | None = None,
) -> list[JudgedLap]:
    """Add the reasons that follow from the car's laps as a whole, and from the field's.

    Args:
        laps: Laps of one car.
        limits: From ``conf/laps.yaml``.
        field_slow: By lap number, whether at least half of the field was slow during it (see :func:`find_slow_field`).
        field_quick_ms: What a quick lap of the field takes (see :func:`quick_lap_ms`).
    """
    usual = median_lap_ms(laps)
    first = min((lap.number for lap in laps), default=0)
    judged = []
    for lap in laps:
        time_ms = lap.lap_time_ms
        checks = {
            "lap_number_gt_1000": lap.number > limits.max_lap_number or lap.number < 0,
            "lap_time_lt_30s": time_ms is not None and time_ms < limits.min_lap_time_s * 1000,
            "short_lap": time_ms is not None
            and field_quick_ms is not None
            and time_ms < limits.short_lap_ratio * field_quick_ms,
            "missing_sector": None in lap.sectors_ms,
            "slow_field": bool(field_slow and field_slow.get(lap.number)) and "yellow_flag" not in lap.reasons,
            "slow_lap": time_ms is not None and usual is not None and time_ms > limits.slow_lap_ratio * usual,
            "first_lap": lap.number == first and lap.source != "telemetry",
        }
        added = tuple(name for name, holds in checks.items() if holds and name not in lap.reasons)
        judged.append(replace(lap, reasons=(*lap.reasons, *added)))
    return judged


def median_lap_ms(laps: Sequence[JudgedLap]) -> float | None:
    """Median lap time of a car, ``None`` where no lap has one."""
    times = [lap.lap_time_ms for lap in laps if lap.lap_time_ms and "incomplete" not in lap.reasons]
    return float(np.median(times)) if times else None


def quick_lap_ms(field: Mapping[str, Sequence[JudgedLap]], limits: ReasonLimits) -> float | None:
    """Return the lap time below which a tenth of a session's laps stay; ``None`` without ten laps.

    Laps that are shorter than any can be do not count, nor do those not driven from line to line.

    Args:
        field: Laps of all cars of a session, by vehicle.
        limits: From ``conf/laps.yaml``.
    """
    times = [
        lap.lap_time_ms
        for laps in field.values()
        for lap in laps
        if lap.lap_time_ms and lap.lap_time_ms >= limits.min_lap_time_s * 1000 and "incomplete" not in lap.reasons
    ]
    return float(np.percentile(times, _QUICK_PERCENT)) if len(times) >= _FEWEST_LAPS else None


def find_slow_field(field: Mapping[str, Sequence[JudgedLap]], limits: ReasonLimits) -> dict[str, dict[int, bool]]:
    """Which laps were slow while at least half of the field was.

    A lap is slow that takes longer than ``slow_field_ratio`` of the car's median. Of the cars that were lapping at its
    middle, at least half (and three) must have been on a slow lap too.

    Args:
        field: Laps of all cars of a session, by vehicle.
        limits: From ``conf/laps.yaml``.

    Returns:
        By vehicle and lap number.
    """
    vehicle, number, start, end, slow = [], [], [], [], []
    for name, laps in field.items():
        usual = median_lap_ms(laps)
        for lap in laps:
            if usual is None or None in (lap.start_us, lap.end_us, lap.lap_time_ms):
                continue
            vehicle.append(name)
            number.append(lap.number)
            start.append(lap.start_us)
            end.append(lap.end_us)
            slow.append(float(lap.lap_time_ms or 0) > limits.slow_field_ratio * usual)
    found: dict[str, dict[int, bool]] = {name: {} for name in field}
    begins, ends, is_slow = np.array(start, np.int64), np.array(end, np.int64), np.array(slow, bool)
    for i in np.flatnonzero(is_slow):
        middle = (begins[i] + ends[i]) // 2
        together = (begins <= middle) & (middle < ends)
        n, n_slow = int(together.sum()), int((together & is_slow).sum())
        found[vehicle[i]][number[i]] = n_slow >= 3 and 2 * n_slow >= n
    return found


def _matching_crossing(time_us: int | None, crossings: Sequence[Crossing]) -> int | None:
    """Index of the crossing within a second of an official one."""
    if time_us is None or not crossings:
        return None
    distance = [abs(c.time_us - time_us) for c in crossings]
    nearest = int(np.argmin(distance))
    return nearest if distance[nearest] <= _NEAR_US else None


def _to_ms(us: int) -> int:
    return round(us / 1000)


def _to_s(ms: int) -> str:
    return f"{ms / 1000:.3f} s"
