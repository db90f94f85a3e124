"""Laps of one car: by official timing where there is one, else by the feed's crossings, else by the car's counter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from analysis.timing.crossings import APART_US, MISSED, UNKNOWN, Crossing, end_one_lap, number_crossings, outing_starts
from conf.arrays import FloatArray, IntArray
from conf.laps import ReasonLimits, caution_of_flag

_NEAR_US = 1_000_000


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
    """One lap, with the reasons against using it (see ``conf/laps.yaml``).

    Attributes:
        is_confirmed: Whether its official time has a second witness, the feed's crossings or the sheet's own three
            sectors, and none against it.
    """

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
    is_confirmed: bool = False
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
    is_summed = row.lap_time_ms is None and None not in row.sectors_ms
    row = replace(row, lap_time_ms=sum(s or 0 for s in row.sectors_ms)) if is_summed else row
    start = None if row.end_us is None or row.lap_time_ms is None else row.end_us - row.lap_time_ms * 1000
    last = _matching_crossing(row.end_us, crossings)
    between = _feed_interval(_matching_crossing(start, crossings), last, row, crossings, numbers)
    if is_first and between is not None and not between.is_whole:
        between = None  # the race began on the way round, or with the lap before
    feed_ms = None if between is None else between.time_ms
    off = None if feed_ms is None or row.lap_time_ms is None else abs(feed_ms - row.lap_time_ms)
    said = None if last is None or last == 0 else crossings[last].lap_time_ms
    sectors_off = _sectors_off_ms(row)
    feed_agrees, feed_disagrees = off is not None and off <= limits.feed_tolerance_ms, False
    reasons, conflicts = _official_reasons(row, limits), []
    if is_summed:
        conflicts.append("the sheet has no lap time: it is the sum of its sectors")
    if off is not None and feed_ms is not None and row.lap_time_ms is not None and not feed_agrees:
        feed_disagrees = True
        reasons.append("feed_disagrees")
        conflicts.append(f"official {_to_s(row.lap_time_ms)}, crossings of the feed {_to_s(feed_ms)}")
    if sectors_off is not None and sectors_off > limits.feed_tolerance_ms and not feed_agrees:
        reasons.append("sectors_disagree")
    if last is not None:
        conflicts += _feed_conflicts(crossings[last], numbers[last], feed_ms)
    sectors_agree = not is_summed and sectors_off is not None and sectors_off <= limits.sector_sum_tolerance_ms
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
        is_confirmed=feed_agrees or (sectors_agree and not feed_disagrees),
        reasons=tuple(reasons),
        conflicts=tuple(conflicts),
    )


@dataclass(frozen=True)
class _FeedInterval:
    """Time between two crossings of the feed; whole if the official lap begins and ends with them."""

    time_ms: int
    is_whole: bool


def _feed_interval(
    first: int | None,
    last: int | None,
    row: OfficialTimingLap,
    crossings: Sequence[Crossing],
    numbers: Sequence[int],
) -> _FeedInterval | None:
    """What the feed takes for an official lap of which it has one end or both; ``None`` where it does not say."""
    if first is not None and last is not None and last > first:
        return _FeedInterval(_to_ms(crossings[last].time_us - crossings[first].time_us), is_whole=True)
    one_lap = end_one_lap(crossings, numbers)
    if last is not None:
        apart_us = crossings[last].time_us - crossings[last - 1].time_us
        return _FeedInterval(_to_ms(apart_us), is_whole=False) if one_lap[last] else None
    if first is None or first + 1 == len(crossings) or not one_lap[first + 1]:
        return None
    time_ms = _to_ms(crossings[first + 1].time_us - crossings[first].time_us)
    missed = crossings[first + 1].lap_ended == UNKNOWN or time_ms > MISSED * (row.lap_time_ms or 0)
    return None if missed else _FeedInterval(time_ms, is_whole=False)


def _sectors_off_ms(row: OfficialTimingLap) -> int | None:
    known = [s for s in row.sectors_ms if s is not None]
    return None if len(known) < 3 or row.lap_time_ms is None else abs(sum(known) - row.lap_time_ms)


def _is_part(lap_time_ms: int, sectors_ms: Sequence[int], limits: ReasonLimits) -> bool:
    """Whether a lap time is the sum of one or two sectors, and so not that of the lap."""
    return 0 < len(sectors_ms) < 3 and abs(sum(sectors_ms) - lap_time_ms) <= limits.sector_sum_tolerance_ms


def _official_reasons(row: OfficialTimingLap, limits: ReasonLimits) -> list[str]:
    known, off = [s for s in row.sectors_ms if s is not None], _sectors_off_ms(row)
    checks = {
        "incomplete": row.lap_time_ms is None or _is_part(row.lap_time_ms, known, limits),
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
    if lap.lap_time_ms is None and lap.end_us is not None and lap.number == before.number + 1:
        lap = replace(lap, start_us=before.end_us)
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
    numbers, starts = number_crossings(crossings), outing_starts(crossings)
    laps = []
    numbered = list(zip(crossings, numbers, starts, strict=True))
    for (start, n0, _), (end, n1, new_outing) in pairwise(numbered):
        if n1 == n0:  # in the garage: the outing begins with this crossing
            continue
        feed_ms = _to_ms(end.time_us - start.time_us)
        reasons = ["incomplete"] if n1 - n0 > 1 or new_outing else []
        conflicts = [f"crossings of laps {n0 + 1} to {n1 - 1} are missing"] if n1 - n0 > 1 else []
        conflicts += ["a new outing began in it"] if new_outing else []
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
    if crossing.too_many:
        found.append(f"feed has {crossing.too_many} more crossings here that its counter does not count")
    said = crossing.lap_time_ms
    if said is not None and feed_ms is not None and abs(said - feed_ms) > _NEAR_US / 1000:
        found.append(f"feed reports a lap time of {_to_s(said)}, its crossings are {_to_s(feed_ms)} apart")
    return found


def build_counter_laps(t_us: IntArray, counter: FloatArray, limits: ReasonLimits) -> list[JudgedLap]:
    """Laps by the car's own counter, for a car without any timing.

    Where the counter goes back a new outing begins: the lap before it ends with its last sample, and those behind are
    numbered on. A lap is whole between two counts by one, each between samples that follow on each other.

    Args:
        t_us: Event time of each sample, ascending, shape (n,).
        counter: Lap counter, NaN where it was lost, shape (n,).
        limits: From ``conf/laps.yaml``.
    """
    known = np.flatnonzero(np.isfinite(counter))
    if not len(known):
        return []
    values, times = counter[known].astype(np.int64), t_us[known]
    starts, ends = _drop_glitches(values, times)
    shown = values[starts]
    seen = times[starts[1:]] - times[ends[:-1] - 1] <= limits.telemetry_gap_s * 1e6
    is_edge = np.concatenate([[False], (np.diff(shown) == 1) & seen, [False]])
    laps: list[JudgedLap] = []
    earlier = 0
    for i, number in enumerate(shown.tolist()):
        restarts = i > 0 and number < shown[i - 1]
        if restarts:
            earlier = laps[-1].number + (number == 0)
        goes_on = i + 1 < len(shown) and shown[i + 1] > number
        start_us, end_us = int(times[starts[i]]), int(times[starts[i + 1] if goes_on else ends[i] - 1])
        laps.append(
            JudgedLap(
                number=number + earlier,
                source="telemetry",
                start_us=start_us,
                end_us=end_us,
                lap_time_ms=_to_ms(end_us - start_us),
                reasons=() if is_edge[i] and is_edge[i + 1] else ("incomplete",),
                conflicts=(f"the counter goes back to {number}: a new outing",) if restarts else (),
            )
        )
    return laps


def _drop_glitches(values: IntArray, times: IntArray) -> tuple[IntArray, IntArray]:
    """First samples of the laps that a counter shows, and those behind their last, without what it shows in passing.

    Args:
        values: Counter, shape (n,).
        times: Of the samples, ascending, shape (n,).

    Returns:
        Two arrays of the same shape (m,).
    """
    edges = np.flatnonzero(np.diff(values) != 0) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(values)]])
    shown, lasts_us = values[starts], times[ends - 1] - times[starts]
    before, now, behind = shown[:-2], shown[1:-1], shown[2:]
    passing = ((now < before) | (behind < now)) & (behind >= before) & (lasts_us[1:-1] < APART_US)
    stays = np.concatenate([[True], ~passing, [True]])[: len(shown)]
    kept = np.flatnonzero(stays)
    changes = np.flatnonzero(np.concatenate([[True], np.diff(shown[kept]) != 0]))
    lasts = np.concatenate([changes[1:] - 1, [len(kept) - 1]])
    return starts[kept[changes]], ends[kept[lasts]]


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
