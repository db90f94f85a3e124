"""Line crossings from what a timing feed reports: repeated within a second, with counters that are lost at times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

APART_US = 5_000_000
"""Events of one car that are no farther apart than this are one crossing: nobody laps in five seconds."""
UNKNOWN = -1
LOST_COUNTER = 32_768
_MISSED = 1.6  # an interval of so many usual ones holds more than one lap


@dataclass(frozen=True)
class FeedEvent:
    """One event of the feed.

    Attributes:
        kind: ``lap_start``, ``lap_end`` or ``lap_time``.
        time_us: When the car crossed the line, microseconds since the epoch.
        lap: Lap counter as reported.
        lap_time_ms: Lap time as reported (``lap_time`` only).
    """

    kind: str
    time_us: int
    lap: int
    lap_time_ms: int | None = None


@dataclass(frozen=True)
class Crossing:
    """One crossing of the line.

    Attributes:
        time_us: Microseconds since the epoch.
        lap_ended: Number of the lap that ended here as reported; ``UNKNOWN`` where the counter was lost.
        lap_time_ms: Lap time as reported, the longest of several.
        repeats: Events beyond one of each kind.
    """

    time_us: int
    lap_ended: int
    lap_time_ms: int | None
    repeats: int


def find_crossings(events: Sequence[FeedEvent]) -> list[Crossing]:
    """The crossings of one car, in order, from its events in any order."""
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
    times = [e.lap_time_ms for e in cluster if e.lap_time_ms is not None]
    kinds = len({e.kind for e in cluster})
    number = ended if _is_lap(ended) or ended == 0 else UNKNOWN
    return Crossing(cluster[0].time_us, number, max(times, default=None), len(cluster) - kinds)


def _is_lap(number: int) -> bool:
    return 0 < number < LOST_COUNTER


def number_crossings(crossings: Sequence[Crossing]) -> list[int]:
    """Number of the lap that ends at each crossing.

    The reported number is believed where it follows on the one before: by one, or by more where the interval holds as
    many laps. Elsewhere the laps are counted on. The first crossing's is counted back from the first number reported.
    """
    if not crossings:
        return []
    times = np.array([c.time_us for c in crossings], dtype=np.int64)
    usual_us = float(np.median(np.diff(times))) if len(times) > 1 else np.inf
    known = next((i for i, c in enumerate(crossings) if c.lap_ended != UNKNOWN), None)
    numbers = [0 if known is None else crossings[known].lap_ended - known]
    for i in range(1, len(crossings)):
        expected, reported = numbers[-1] + 1, crossings[i].lap_ended
        laps = round(float(times[i] - times[i - 1]) / usual_us) if usual_us > 0 else 1
        skips = times[i] - times[i - 1] > _MISSED * usual_us and expected < reported <= numbers[-1] + laps
        numbers.append(reported if skips else expected)
    return numbers
