"""Steps of a car's clock: where it was set, or stood still, so that another offset applies from there on.

Arrival minus car clock, the lateness, is the clock's offset plus a delay that is never negative. A step moves all of
it, a queue some of it for a while: what waited comes faster than it was measured, so its lateness falls, while behind
a step messages go on at their own pace with one lateness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

from conf.arrays import BoolArray, IntArray

STEP_US: Final = 5_000_000
"""A change of the envelope by more than this is a step of the clock."""
BEFORE_US: Final = 300_000_000
AFTER_US: Final = 120_000_000
"""A lasting step is the envelope of the two minutes after it against that of the five minutes before it."""
PUNCTUAL_US: Final = 1_000_000
"""A message that is later than the envelope by no more than this came without a queue."""
KEPT_US: Final = 5_000_000
"""A lateness that is kept for less than this is a burst of late messages."""
LEVEL_US: Final = 500_000
"""The envelope of a brief offset falls by no more than this, that of a queue by more."""
LONG_US: Final = 15_000_000
"""No queue is kept at one length for longer than this."""
QUEUE_US: Final = 120_000_000
"""No queue is longer than this."""
_FEWEST: Final = 5


@dataclass(frozen=True)
class _Stretch:
    """Messages ``first`` to ``end`` in order of arrival, with the least of their lateness."""

    first: int
    end: int
    level_us: int


def find_clock_steps(arrival_us: IntArray, lateness_us: IntArray) -> list[int]:
    """Indices at which a new clock segment begins, of segments of any length.

    Args:
        arrival_us: Arrival times, ascending, shape (n,).
        lateness_us: Arrival minus car clock, shape (n,).
    """
    brief = _find_brief_steps(arrival_us, lateness_us)
    steps = set(brief)
    for lo, hi in pairwise([0, *brief, len(arrival_us)]):
        steps |= {lo + step for step in _find_lasting_steps(arrival_us[lo:hi], lateness_us[lo:hi])}
    return sorted(steps)


def number_segments(arrival_us: IntArray, lateness_us: IntArray, steps: Sequence[int]) -> IntArray:
    """Segment of every message, from 0.

    Messages overtake each other, and those of a frame arrive together: beside a step some are of its other side. Their
    lateness tells, that of the higher side's envelope: what is below it cannot be of it.

    Args:
        arrival_us: Arrival times, ascending, shape (n,).
        lateness_us: Arrival minus car clock, shape (n,).
        steps: Where new segments begin, see :func:`find_clock_steps`.

    Returns:
        Shape (n,).
    """
    n = len(arrival_us)
    number = np.repeat(np.arange(len(steps) + 1), np.diff([0, *steps, n]))
    for i, (start, step, end) in enumerate(zip([0, *steps], steps, [*steps[1:], n], strict=False)):
        at = arrival_us[step]
        first, last = np.searchsorted(arrival_us, [at - AFTER_US, at + AFTER_US])
        sides = [slice(min(max(start, first), step - 1), step), slice(step, max(min(end, last), step + 1))]
        levels = [int(lateness_us[side].min()) for side in sides]
        higher = int(levels[1] > levels[0])
        near = slice(*np.clip(np.searchsorted(arrival_us, [at - KEPT_US, at + KEPT_US + 1]), start, end))
        of_other = np.abs(lateness_us[near] - levels[higher]) <= PUNCTUAL_US
        number[near] = np.where(of_other & (number[near] == i + 1 - higher), i + higher, number[near])
    return number


# ---- offsets that last for two minutes, however late most of their messages are


def _find_lasting_steps(arrival_us: IntArray, lateness_us: IntArray) -> list[int]:
    steps: list[int] = []
    start = 0
    while True:
        step = _next_step(arrival_us, lateness_us, start)
        if step is None:
            return steps
        steps.append(step)
        start = step


def _next_step(arrival_us: IntArray, lateness_us: IntArray, start: int) -> int | None:
    arrival, late = arrival_us[start:], lateness_us[start:]
    n = len(arrival)
    if n < 2 or arrival[-1] - arrival[0] < AFTER_US:
        return None
    before = _window_min(arrival, late, BEFORE_US, backward=True)
    after = _window_min(arrival, late, AFTER_US, backward=False)
    full = arrival + AFTER_US <= arrival[-1]
    jump = np.zeros(n, dtype=np.int64)
    jump[1:] = after[1:] - before[:-1]
    # A lower envelope early in the data is the first punctual message, not a clock that jumped ahead: a step down
    # needs two minutes of history at the old level.
    jumps = full & ((jump > STEP_US) | ((jump < -STEP_US) & (arrival - arrival[0] >= AFTER_US)))
    lasting = np.flatnonzero(jumps & _keeps_level(arrival, late, jump))
    if len(lasting) == 0:
        return None
    first = int(lasting[0])
    alike = jumps & (np.sign(jump) == np.sign(jump[first]))
    first = int(np.flatnonzero(~alike[:first])[-1]) + 1  # there is no jump to the first message
    ambiguous = _rise(late, after, first) if jump[first] > 0 else _drop(arrival, late, int(before[first - 1]), first)
    # Between the last punctual message of the old level and the first of the new, the largest jump is the step.
    rises = np.diff(late)[ambiguous - 1] * np.sign(jump[first])
    return int(start + ambiguous[int(np.argmax(rises))])


def _keeps_level(arrival: IntArray, late: IntArray, jump: IntArray) -> BoolArray:
    """Whether the higher lateness beside a jump is the same in either minute: in a queue it is not, however long."""
    minute, last = AFTER_US // 2, len(late) - 1
    ahead = _window_min(arrival, late, minute, backward=False)
    behind = np.roll(_window_min(arrival, late, minute, backward=True), 1)  # up to the message before
    later = np.minimum(np.searchsorted(arrival, arrival + minute), last)
    earlier = np.maximum(np.searchsorted(arrival, arrival - minute, side="right") - 1, 0)
    change = np.where(jump > 0, ahead - ahead[later], behind - behind[earlier])
    kept: BoolArray = np.abs(change) <= _level_us(np.abs(jump))
    return kept


def _level_us(jump_us: Any) -> Any:
    """By how much the envelope of an offset may change: where it is no queue's anyhow, many messages may be late."""
    return np.where(jump_us > QUEUE_US, jump_us // 10, LEVEL_US)


def _rise(late: IntArray, after: IntArray, first: int) -> IntArray:
    """Where a step up may be: from where no message of the old level follows, to the first punctual one."""
    punctual = late[first:] <= after[first:] + PUNCTUAL_US
    return np.arange(first, first + int(np.argmax(punctual)) + 1)


def _drop(arrival: IntArray, late: IntArray, level: int, first: int) -> IntArray:
    """Where a step down may be: behind the last punctual message of the old level, to the first below it."""
    ahead = late[first : int(np.searchsorted(arrival, arrival[first] + AFTER_US, side="right"))]
    below = first + int(np.argmax(ahead <= (level + int(ahead.min())) // 2))
    old = np.flatnonzero(late[:below] <= level + PUNCTUAL_US)
    return np.arange(int(old[-1]) + 1, below + 1)


# ---- offsets that last for seconds, among messages of which some are punctual


def _find_brief_steps(arrival: IntArray, late: IntArray) -> list[int]:
    """Steps between offsets of which one at least lasts less than two minutes."""
    if not (np.abs(np.diff(late)) > STEP_US).any():
        return []
    kept = _kept_lateness(arrival, late)
    edges = [0, *(np.flatnonzero(np.abs(np.diff(kept)) > STEP_US) + 1).tolist(), len(late)]
    stretches = _join_alike([_Stretch(lo, hi, int(late[lo:hi].min())) for lo, hi in pairwise(edges)])
    stretches = _join_alike(_without_bursts(stretches, arrival))
    car = arrival - late
    in_order = np.sort(car)
    lasts = [_is_offset(stretches, i, arrival, car, in_order) for i in range(len(stretches))]
    is_ahead = _are_ahead(stretches, lasts, car)
    offsets = [own for own, *holds in zip(stretches, lasts, is_ahead, strict=True) if any(holds)]
    steps = {_step_between(a, b, late) for a, b in pairwise(offsets) if abs(b.level_us - a.level_us) > STEP_US}
    # Few messages before or behind those whose clock was ahead are by no means theirs.
    ahead = [own for own, holds in zip(stretches, is_ahead, strict=True) if holds]
    steps |= {edge for own in ahead for edge in (own.first, own.end) if 0 < edge < len(late)}
    return sorted(steps)


def _kept_lateness(arrival: IntArray, late: IntArray) -> IntArray:
    """The lateness that messages around each one have at least, for as long as ``KEPT_US``: bursts are cut off."""

    def kept(*, backward: bool) -> IntArray:
        least = _window_min(arrival, late, KEPT_US, backward=backward)
        return -_window_min(arrival, -least, KEPT_US, backward=not backward)

    return np.maximum(kept(backward=False), kept(backward=True))  # exact where it rises, and where it falls


def _join_alike(stretches: Sequence[_Stretch]) -> list[_Stretch]:
    """Stretches that follow on each other at one level are one."""
    joined: list[_Stretch] = []
    for own in stretches:
        if joined and abs(own.level_us - joined[-1].level_us) <= STEP_US:
            last = joined.pop()
            joined.append(_Stretch(last.first, own.end, min(last.level_us, own.level_us)))
        else:
            joined.append(own)
    return joined


def _without_bursts(stretches: Sequence[_Stretch], arrival: IntArray) -> list[_Stretch]:
    """Stretches but for those of late messages that are too few to say more."""
    return [
        own
        for i, own in enumerate(stretches)
        if _is_long_enough(own, arrival) or all(own.level_us < other.level_us for other in _beside(stretches, i))
    ]


def _is_long_enough(stretch: _Stretch, arrival: IntArray) -> bool:
    lasts = arrival[stretch.end - 1] - arrival[stretch.first]
    return stretch.end - stretch.first >= _FEWEST and bool(lasts >= KEPT_US)


def _beside(stretches: Sequence[_Stretch], i: int) -> list[_Stretch]:
    return [*stretches[max(i - 1, 0) : i], *stretches[i + 1 : i + 2]]


def _is_offset(stretches: Sequence[_Stretch], i: int, arrival: IntArray, car: IntArray, in_order: IntArray) -> bool:
    """Whether a stretch is no queue: its lateness stays, and for longer than it would in one."""
    own, beside = stretches[i], _beside(stretches, i)
    at = arrival[own.first : own.end]
    late = at - car[own.first : own.end]
    lasts = int(at[-1] - at[0])
    if lasts > AFTER_US:
        return True
    if not _is_long_enough(own, arrival):
        return False
    jumps_us = [abs(other.level_us - own.level_us) for other in beside]
    half = int(np.searchsorted(at, at[0] + lasts // 2, side="right"))
    if abs(int(late[:half].min()) - int(late[half:].min())) > _level_us(min(jumps_us, default=0)):
        return False
    beyond_queues = all(jump > QUEUE_US for jump in jumps_us)
    set_back = any(_goes_back(car, a, b) for a, b in pairwise(stretches[max(i - 1, 0) : i + 2]))
    return (lasts >= LONG_US or beyond_queues or set_back) and not _fills_hole(car[own.first : own.end], in_order)


def _goes_back(car: IntArray, a: _Stretch, b: _Stretch) -> bool:
    """Whether the clock goes back from one stretch to the next: whatever waits in a queue keeps its order."""
    return bool(car[b.first] < car[a.end - 1] - PUNCTUAL_US)


def _fills_hole(own: IntArray, in_order: IntArray) -> bool:
    """Whether messages are just those that the others lack: they were sent again, whenever they arrived.

    Args:
        own: Their car clocks, shape (m,).
        in_order: The car clocks of all messages, ascending, shape (n,).
    """
    first, last = int(own.min()), int(own.max())
    before = int(np.searchsorted(in_order, first)) - 1
    after = int(np.searchsorted(in_order, last, side="right"))
    if before < 0 or after == len(in_order) or after - before - 1 != len(own):
        return False
    return bool(in_order[after] - in_order[before] < last - first + STEP_US)


def _are_ahead(stretches: Sequence[_Stretch], lasts: Sequence[bool], car: IntArray) -> list[bool]:
    """Whether the clock of stretches between lasting offsets was ahead: no message arrives before it is sent."""
    before: list[_Stretch | None] = []
    after: list[_Stretch | None] = []
    for found, way in ((before, 1), (after, -1)):
        nearest: _Stretch | None = None
        for own, holds in list(zip(stretches, lasts, strict=True))[::way]:
            found.append(nearest)
            nearest = own if holds else nearest
    after.reverse()
    return [
        not holds
        and (a is not None or b is not None)
        and all(other is None or own.level_us < other.level_us - STEP_US for other in (a, b))
        and (b is None or _goes_back(car, own, b))
        for own, holds, a, b in zip(stretches, lasts, before, after, strict=True)
    ]


def _step_between(a: _Stretch, b: _Stretch, late: IntArray) -> int:
    """Where one offset ends and the next begins: the largest jump where messages may be of either."""
    part = late[a.first : b.end]
    if b.level_us > a.level_us:
        old = np.flatnonzero(part < b.level_us - PUNCTUAL_US)
        first = int(old[-1]) + 1
        last = first + int(np.argmax(part[first:] <= b.level_us + PUNCTUAL_US))
    else:
        last = int(np.argmax(part <= (a.level_us + b.level_us) // 2))
        first = int(np.flatnonzero(part[:last] <= a.level_us + PUNCTUAL_US)[-1]) + 1
    either = np.arange(first, last + 1)
    jumps = np.diff(part)[either - 1] * np.sign(b.level_us - a.level_us)
    return a.first + int(either[int(np.argmax(jumps))])


def _window_min(at: IntArray, values: IntArray, width: int, *, backward: bool) -> IntArray:
    """Minimum of ``values`` within ``width`` before (or after) each instant, itself included."""
    if not backward:
        return _window_min(-at[::-1], values[::-1], width, backward=True)[::-1]
    series = pd.Series(values, index=pd.to_timedelta(at - at[0], unit="us"))
    return series.rolling(pd.Timedelta(width, unit="us"), closed="both").min().to_numpy().astype(np.int64)
