"""What speaks against a lap in the light of the car's other laps, of the field's, and of the result sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.timing.laps import JudgedLap
from conf.laps import LapRules, ReasonLimits

_QUICK_PERCENT, _FEWEST_LAPS = 10.0, 10
_FEWEST_OWN = 3
_SLOWEST_CLASS = 0.6  # what a quick lap of the field takes, to a lap of its quickest class: less is half a lap


@dataclass(frozen=True)
class FastestLap:
    """A car's fastest lap on the result sheet.

    Attributes:
        time_ms: Lap time.
        number: Lap, ``None`` where the sheet does not say.
    """

    time_ms: int
    number: int | None = None


@dataclass(frozen=True)
class FieldPace:
    """What laps of a session's field take.

    Attributes:
        shortest_ms: Less is no lap.
        quick_ms: What a tenth of the laps stay below; ``None`` without ten laps.
    """

    shortest_ms: float
    quick_ms: float | None = None


def add_lap_reasons(
    laps: Sequence[JudgedLap],
    limits: ReasonLimits,
    *,
    field_slow: Mapping[int, bool] | None = None,
    field_pace: FieldPace | None = None,
    fastest: FastestLap | None = None,
) -> list[JudgedLap]:
    """Add the reasons that follow from the car's laps as a whole, from the field's, and from the result sheet.

    A limit from other laps judges a time that one source alone gives. It does not overrule an official time that the
    feed, the sheet's own sectors or the result sheet bears out.

    Args:
        laps: Laps of one car.
        limits: From ``conf/laps.yaml``.
        field_slow: By lap number, whether at least half of the field was slow during it (see :func:`find_slow_field`).
        field_pace: What laps of the field take (see :func:`find_field_pace`).
        fastest: The car's fastest lap on the result sheet.
    """
    pace = field_pace or FieldPace(limits.min_lap_time_s * 1000)
    usual, quick = median_lap_ms(laps), _quick_lap_ms(laps, pace.quick_ms)
    first, counted = min((lap.number for lap in laps), default=0), _counted_numbers(laps, limits)
    judged = []
    for given in laps:
        time_ms, is_fastest = given.lap_time_ms, _is_fastest(given, fastest, limits)
        named = is_fastest and fastest is not None and fastest.number == given.number
        lap = _outvote_feed(given, limits) if named else given
        stands = lap.is_confirmed or (is_fastest and "feed_disagrees" not in lap.reasons)
        checks = {
            "lap_number_gt_1000": lap.number not in counted,
            "lap_time_lt_30s": time_ms is not None and not stands and time_ms < pace.shortest_ms,
            "short_lap": time_ms is not None
            and not stands
            and quick is not None
            and time_ms < limits.short_lap_ratio * quick,
            "missing_sector": None in lap.sectors_ms,
            "slow_field": bool(field_slow and field_slow.get(lap.number)) and "yellow_flag" not in lap.reasons,
            "slow_lap": time_ms is not None and usual is not None and time_ms > limits.slow_lap_ratio * usual,
            "first_lap": lap.number == first and lap.source != "telemetry" and not named,
        }
        added = tuple(name for name, holds in checks.items() if holds and name not in lap.reasons)
        judged.append(replace(lap, reasons=(*lap.reasons, *added)))
    return judged


def add_result_reason(laps: Sequence[JudgedLap], fastest: FastestLap | None, rules: LapRules) -> list[JudgedLap]:
    """Name the laps that are otherwise fit for pace and quicker than the car's fastest on the result sheet.

    Args:
        laps: Laps of one car, with all other reasons.
        fastest: The car's fastest lap on the result sheet.
        rules: From ``conf/laps.yaml``.
    """
    if fastest is None:
        return list(laps)
    return [
        replace(
            lap,
            reasons=(*lap.reasons, "result_disagrees"),
            conflicts=(*lap.conflicts, f"the result sheet's fastest lap is {fastest.time_ms / 1000:.3f} s"),
        )
        if lap.lap_time_ms is not None
        and lap.lap_time_ms < fastest.time_ms - _tolerance_ms(lap, rules.limits)
        and "pace" in rules.fit_for(lap.reasons)
        else lap
        for lap in laps
    ]


def _outvote_feed(lap: JudgedLap, limits: ReasonLimits) -> JudgedLap:
    """A lap that is the fastest on the result sheet: with its three sectors, that is three against the feed."""
    known = [s for s in lap.sectors_ms if s is not None]
    adds_up = len(known) == 3 and abs(sum(known) - (lap.lap_time_ms or 0)) <= limits.sector_sum_tolerance_ms
    if not adds_up or "feed_disagrees" not in lap.reasons:
        return lap
    return replace(lap, reasons=tuple("feed_outvoted" if r == "feed_disagrees" else r for r in lap.reasons))


def _is_fastest(lap: JudgedLap, fastest: FastestLap | None, limits: ReasonLimits) -> bool:
    """Whether a lap has the time of the car's fastest on the result sheet."""
    if fastest is None or lap.lap_time_ms is None:
        return False
    return abs(lap.lap_time_ms - fastest.time_ms) <= _tolerance_ms(lap, limits)


def _tolerance_ms(lap: JudgedLap, limits: ReasonLimits) -> float:
    """How far a lap time may be from that of an official sheet and still be the same."""
    return limits.sector_sum_tolerance_ms if lap.source == "official" else limits.feed_tolerance_ms


def _counted_numbers(laps: Sequence[JudgedLap], limits: ReasonLimits) -> set[int]:
    """Numbers that can be laps: up to the limit, and beyond it where the car's laps lead there one by one."""
    counted: set[int] = set()
    for number in sorted({lap.number for lap in laps}):
        if 0 <= number <= limits.max_lap_number or (number > limits.max_lap_number and number - 1 in counted):
            counted.add(number)
    return counted


def _quick_lap_ms(laps: Sequence[JudgedLap], field_quick_ms: float | None) -> float | None:
    """What a quick lap of a car's class takes: the field's, or the car's own where it is of a quicker class."""
    times = _complete_times(laps)
    if field_quick_ms is None or len(times) < _FEWEST_OWN:
        return field_quick_ms
    own = float(np.median(times))
    return own if _SLOWEST_CLASS * field_quick_ms <= own < field_quick_ms else field_quick_ms


def find_field_pace(field: Mapping[str, Sequence[JudgedLap]], limits: ReasonLimits) -> FieldPace:
    """Find what laps of a session's field take.

    Where half of the laps are shorter than the shortest elsewhere, the track is (karts): half of their median is the
    shortest here. Laps that are shorter than that do not count, nor do those not driven from line to line.

    Args:
        field: Laps of all cars of a session, by vehicle.
        limits: From ``conf/laps.yaml``.
    """
    times = [time_ms for laps in field.values() for time_ms in _complete_times(laps)]
    shortest = limits.min_lap_time_s * 1000
    if len(times) >= _FEWEST_OWN and np.median(times) < shortest:
        shortest = float(np.median(times)) / 2
    counted = [time_ms for time_ms in times if time_ms >= shortest]
    quick = float(np.percentile(counted, _QUICK_PERCENT)) if len(counted) >= _FEWEST_LAPS else None
    return FieldPace(shortest, quick)


def _complete_times(laps: Sequence[JudgedLap]) -> list[int]:
    return [lap.lap_time_ms for lap in laps if lap.lap_time_ms and "incomplete" not in lap.reasons]


def median_lap_ms(laps: Sequence[JudgedLap]) -> float | None:
    """Median lap time of a car, ``None`` where no lap has one."""
    times = _complete_times(laps)
    return float(np.median(times)) if times else None


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
