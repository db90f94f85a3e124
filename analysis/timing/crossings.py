"""Line crossings from what a timing feed reports: repeated within a second, with counters that are lost at times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

APART_US = 5_000_000
"""Events of one car that are no farther apart than this are one crossing: nobody laps in five seconds."""
UNKNOWN = -1
LOST_COUNTER = 32_768
MISSED = 1.6  # an interval of so many usual ones holds more than one lap
_TOO_SHORT = 0.6  # an interval of so little of the usual one holds none


@dataclass(frozen=True)
class FeedEvent:
    """One event of the feed.

    Attributes:
        kind: ``lap_start``, ``lap_end`` or ``lap_time``.
        time_us: When the car crossed the line, microseconds since the epoch.
        lap: Lap counter as reported.
        lap_time_ms: Lap time as reported (``lap_time`` only).
        outing: The car's outing, whose laps the counter may count anew.
    """

    kind: str
    time_us: int
    lap: int
    lap_time_ms: int | None = None
    outing: int | None = None


@dataclass(frozen=True)
class Crossing:
    """One crossing of the line.

    Attributes:
        time_us: Microseconds since the epoch.
        lap_ended: Number of the lap that ended here as reported; ``UNKNOWN`` where the counter was lost.
        lap_time_ms: Lap time as reported, the longest of several.
        repeats: Events beyond one of each kind.
        outing: The car's outing, ``None`` where the feed does not say.
        too_many: Crossings beside this one that count no lap.
    """

    time_us: int
    lap_ended: int
    lap_time_ms: int | None
    repeats: int
    outing: int | None = None
    too_many: int = 0


def find_crossings(events: Sequence[FeedEvent]) -> list[Crossing]:
    """The crossings of one car, in order, from its events in any order; each counts a lap, but for the first."""
    return _merge_repeated(_cluster_events(events))


def _cluster_events(events: Sequence[FeedEvent]) -> list[Crossing]:
    found: list[Crossing] = []
    cluster: list[FeedEvent] = []
    for event in sorted(events, key=lambda e: (e.time_us, e.kind, e.lap)):
        if cluster and event.time_us - cluster[-1].time_us > APART_US:
            found.append(_crossing(cluster))
            cluster = []
        cluster.append(event)
    return [*found, _crossing(cluster)] if cluster else found


def _crossing(cluster: Sequence[FeedEvent]) -> Crossing:
    """The first event that ends a lap says which; what repeats within the second contradicts itself."""
    ended = next((e.lap for e in cluster if e.kind != "lap_start"), None)
    if ended is None:
        ended = cluster[0].lap - 1 if _is_lap(cluster[0].lap) else UNKNOWN
    times = [e.lap_time_ms for e in cluster if e.lap_time_ms]  # 0 is none
    kinds = len({e.kind for e in cluster})
    number = ended if _is_lap(ended) or ended == 0 else UNKNOWN
    outing = next((e.outing for e in cluster if e.outing is not None), None)
    return Crossing(cluster[0].time_us, number, max(times, default=None), len(cluster) - kinds, outing)


def _merge_repeated(crossings: Sequence[Crossing]) -> list[Crossing]:
    """Crossings without those that the counter does not count and that lie much closer to another than a lap."""
    kept = list(crossings)
    usual_us = float(np.median(np.diff([c.time_us for c in kept]))) if len(kept) > 2 else 0.0
    a = 0
    for _ in crossings[1:]:
        b = next((i for i in range(a + 1, len(kept)) if kept[i].lap_ended != UNKNOWN), None)
        if b is None:
            break
        first = _find_repeated_within_lap(kept, a, usual_us)
        if first is None:
            a = b
            continue
        stays = kept[_regular_one(kept, first, usual_us)]
        too_many = kept[first].too_many + kept[first + 1].too_many + 1
        kept[first : first + 2] = [replace(stays, too_many=too_many)]
    return kept


def _find_repeated_within_lap(crossings: Sequence[Crossing], a: int, usual_us: float) -> int | None:
    """The first of two crossings between one that the counter counts and another, the next or within a lap."""
    for b in range(a + 1, len(crossings)):
        if crossings[b].lap_ended == UNKNOWN:
            continue
        first = _find_repeated(crossings, a, b, usual_us)
        if first is not None or crossings[b].time_us - crossings[a].time_us > MISSED * usual_us:
            return first
    return None


def _find_repeated(crossings: Sequence[Crossing], a: int, b: int, usual_us: float) -> int | None:
    """The first of two crossings, between two that the counter counts, of which it counts but one."""
    start, end = crossings[a], crossings[b]
    if start.lap_ended == UNKNOWN or start.outing != end.outing or not 0 <= end.lap_ended - start.lap_ended < b - a:
        return None
    apart_us, first = min((crossings[i + 1].time_us - crossings[i].time_us, i) for i in range(a, b))
    return first if apart_us < _TOO_SHORT * usual_us else None


def _regular_one(crossings: Sequence[Crossing], first: int, usual_us: float) -> int:
    """Which of two crossings leaves laps that are like the others; the first, where that does not tell."""
    pair = (first, first + 1)
    known = [i for i in pair if crossings[i].lap_ended != UNKNOWN]
    if len(known) == 1:
        return known[0]

    def uneven_us(i: int) -> float:
        kept = [*crossings[max(first - 1, 0) : first], crossings[i], *crossings[first + 2 : first + 3]]
        return sum(abs(after.time_us - before.time_us - usual_us) for before, after in pairwise(kept))

    return min(pair, key=uneven_us)


def _is_lap(number: int) -> bool:
    return 0 < number < LOST_COUNTER


def outing_starts(crossings: Sequence[Crossing]) -> list[bool]:
    """Whether a new outing began between each crossing and the one before.

    The feed says so, or its counter goes back and counts on from there: a single number that is wrong does not.
    """
    found = [False] * len(crossings)
    last: int | None = None
    for i, crossing in enumerate(crossings):
        before = crossings[i - 1].outing if i else None
        changed = None not in (before, crossing.outing) and before != crossing.outing
        found[i] = changed or (last is not None and UNKNOWN < crossing.lap_ended < last and _counts_on(crossings, i))
        last = crossing.lap_ended if crossing.lap_ended != UNKNOWN else None if found[i] else last
    return found


def _counts_on(crossings: Sequence[Crossing], i: int) -> bool:
    """Whether the counter goes on from what it says at a crossing, or says at the last one that no lap has ended."""
    following = next((j for j in range(i + 1, len(crossings)) if crossings[j].lap_ended != UNKNOWN), None)
    if following is None:
        return crossings[i].lap_ended <= 1
    return crossings[following].lap_ended - crossings[i].lap_ended == following - i


def number_crossings(crossings: Sequence[Crossing]) -> list[int]:
    """Number of the lap that ends at each crossing.

    The reported number is believed where it follows on the one before: by one, or by more where the interval holds as
    many laps. Elsewhere the laps are counted on. The first crossing's is counted back from the first number reported.
    Where the counter restarts with an outing, the laps of the one before are added to what it says.
    """
    if not crossings:
        return []
    times = np.array([c.time_us for c in crossings], dtype=np.int64)
    usual_us = float(np.median(np.diff(times))) if len(times) > 1 else np.inf
    known = next((i for i, c in enumerate(crossings) if c.lap_ended != UNKNOWN), None)
    numbers = [0 if known is None else crossings[known].lap_ended - known]
    starts, earlier = outing_starts(crossings), 0
    for i in range(1, len(crossings)):
        said = crossings[i].lap_ended
        if starts[i] and UNKNOWN < said <= numbers[-1] - earlier:
            earlier = numbers[-1]
            numbers.append(earlier + said)
            continue
        expected, reported = numbers[-1] + 1, said + earlier
        laps = round(float(times[i] - times[i - 1]) / usual_us) if usual_us > 0 else 1
        skips = times[i] - times[i - 1] > MISSED * usual_us and expected < reported <= numbers[-1] + laps
        numbers.append(reported if skips else expected)
    return numbers


def end_one_lap(crossings: Sequence[Crossing], numbers: Sequence[int]) -> list[bool]:
    """Whether one lap, and no more, lies between each crossing and the one before.

    Args:
        crossings: In order.
        numbers: Of the laps that end there, see :func:`number_crossings`.
    """
    starts = outing_starts(crossings)
    return [i > 0 and numbers[i] == numbers[i - 1] + 1 and not starts[i] for i in range(len(crossings))]
