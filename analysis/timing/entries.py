"""Who raced under which number: the feed's crossings against those of the official timing.

The numbers in vehicle ids are unreliable, the official sheets know numbers only, and their time is a local time of day.
A car's crossings fit one number's to a few hundredths of a second, time zone and a common delay aside, and no other's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from analysis.timing.car_numbers import match_number, number_order
from conf.arrays import FloatArray, IntArray

DAY_US = 86_400_000_000
_ZONE_US = 900_000_000  # time zones are whole quarters of an hour
FEED_NEAR_US = 500_000
"""Crossings of a feed are no farther from the official ones, a common delay aside."""
_FINE_US = 250_000
LEAST_MATCHES = 3
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class OfficialClock:
    """How the official time of day becomes the feed's time.

    Attributes:
        zone_us: From local time to UTC.
        lag_us: The feed's crossings are later than the official ones by this (median).
        spread_us: Median absolute deviation from it.
        matched: Crossings that fit.
        middle_us: Middle of the session, microseconds since the epoch: a time of day is of the day nearest to it.
            Crossings of other days than that with the most do not count: some may be years away.
    """

    zone_us: int
    lag_us: int
    spread_us: int
    matched: int
    middle_us: int

    def to_feed_us(self, day_us: IntArray) -> IntArray:
        """Microseconds since local midnight to microseconds since the epoch, shape (n,); a race may pass midnight."""
        at = day_us + self.zone_us + self.lag_us
        days = np.rint((self.middle_us - at) / DAY_US).astype(np.int64)
        return np.asarray(at + days * DAY_US, dtype=np.int64)


@dataclass(frozen=True)
class Entry:
    """One car of a session.

    Attributes:
        vehicle_id: Vehicle, ``number-<n>`` where only the official timing knows the car.
        number: Number raced under, ``None`` where nothing says, or where another car raced under the one it says.
        source: ``clock``, ``reported`` or ``file``.
        reported: Number in the car's own messages.
        crossings: Crossings that the feed reports.
        matched: Of these, those that fit the number's official ones.
        official_laps: Laps of that number in the official timing.
        runner_up: Number that fits second best, and how many crossings do.
        notes: What is odd.
    """

    vehicle_id: str
    number: str | None
    source: str
    reported: str | None
    crossings: int
    matched: int
    official_laps: int
    runner_up: tuple[str, int] | None
    notes: tuple[str, ...] = ()


def fit_clock(feed_us: IntArray, official_day_us: IntArray, near_us: int = FEED_NEAR_US) -> OfficialClock | None:
    """Fit the official time of day to the feed's crossings of the whole field.

    Args:
        feed_us: Crossings of all cars, microseconds since the epoch, shape (n,).
        official_day_us: Official crossings of all numbers, microseconds since local midnight, shape (m,).
        near_us: How far crossings may be from the official ones.

    Returns:
        The clock, or ``None`` where fewer than three crossings fit any time zone.
    """
    if not len(feed_us) or not len(official_day_us):
        return None
    day_us = np.sort(feed_us % DAY_US)
    zones = np.arange(-56, 57, dtype=np.int64) * _ZONE_US
    fits = [int((np.abs(_nearest_offsets(day_us, official_day_us + zone)) < near_us).sum()) for zone in zones]
    best = int(np.argmax(fits))
    late = -_nearest_offsets(day_us, official_day_us + zones[best])
    near = late[np.abs(late) < near_us]
    if len(near) < LEAST_MATCHES:
        return None
    lag = int(np.median(near))
    spread = int(np.median(np.abs(near - lag)))
    days, crossings = np.unique(feed_us // DAY_US, return_counts=True)
    of_race = feed_us // DAY_US == days[np.argmax(crossings)]
    return OfficialClock(int(zones[best]), lag, spread, len(near), int(np.median(feed_us[of_race])))


def _nearest_offsets(day_us: IntArray, official_us: IntArray) -> IntArray:
    """Official minus nearest feed crossing, both on the circle of the day; ``day_us`` is sorted."""
    at = official_us % DAY_US
    ring = np.concatenate([day_us[-1:] - DAY_US, day_us, day_us[:1] + DAY_US])
    after = np.searchsorted(ring, at)
    before = ring[np.maximum(after - 1, 0)]
    following = ring[np.minimum(after, len(ring) - 1)]
    return np.asarray(np.where(at - before <= following - at, at - before, at - following), dtype=np.int64)


def match_entries(
    feed_us: Mapping[str, IntArray],
    reported: Mapping[str, str | None],
    official_us: Mapping[str, IntArray],
    near_us: Mapping[str, int] | None = None,
) -> list[Entry]:
    """Who raced under which number; no number of the official timing is two vehicles'.

    Args:
        feed_us: Crossings of each vehicle, microseconds since the epoch.
        reported: Number in each vehicle's own messages.
        official_us: Crossings of each number in the feed's time (see :class:`OfficialClock`).
        near_us: How far the crossings of vehicles may be from the official ones, where it is more than usual.

    Returns:
        An entry for each vehicle, then one for each number that no vehicle fits, sorted by vehicle and number.
    """
    vehicles, numbers = sorted(reported), sorted(official_us, key=number_order)
    near = near_us or {}
    fit = np.array(
        [
            [_fit_entry(feed_us.get(v, np.empty(0, np.int64)), official_us[n], near.get(v, _FINE_US)) for n in numbers]
            for v in vehicles
        ]
    )
    counts = fit[..., 0] if fit.size else np.zeros((len(vehicles), len(numbers)))
    chosen: dict[str, int] = {}
    if fit.size:
        for i, j in zip(*linear_sum_assignment(-fit[..., 1]), strict=True):
            enough = counts[i, j] >= max(LEAST_MATCHES, _LEAST_SHARE * len(feed_us.get(vehicles[i], ())))
            if enough:
                chosen[vehicles[i]] = int(j)
    owners = {numbers[j]: v for v, j in chosen.items()}
    crossings = {v: len(feed_us.get(v, ())) for v in vehicles}
    said = {v: match_number(reported[v], numbers) or "" for v in vehicles}
    # The one with the most crossings first: of two that say one number, it has it.
    for v in sorted(vehicles, key=lambda v: (said[v] != reported[v], -crossings[v], v)):
        if v not in chosen and said[v] in official_us:
            owners.setdefault(said[v], v)
    entries = [
        _build_entry(v, counts[i], numbers, chosen.get(v), reported[v], said[v], owners, crossings[v], official_us)
        for i, v in enumerate(vehicles)
    ]
    alone = [n for n in numbers if n not in owners]
    return entries + [Entry(f"number-{n}", n, "file", None, 0, 0, len(official_us[n]), None) for n in alone]


def _fit_entry(feed: IntArray, official: IntArray, near_us: int) -> tuple[float, float]:
    """How many official crossings have one of the feed beside them, and how well they fit."""
    if not len(feed) or not len(official):
        return 0.0, 0.0
    distance = np.abs(official[:, None] - feed[None, :]).min(axis=1)
    return float((distance < near_us).sum()), float(np.maximum(0.0, 1.0 - distance / near_us).sum())


def _build_entry(
    vehicle: str,
    counts: FloatArray,
    numbers: Sequence[str],
    chosen: int | None,
    reported: str | None,
    said: str,
    owners: Mapping[str, str],
    crossings: int,
    official_us: Mapping[str, IntArray],
) -> Entry:
    others = sorted((int(counts[j]), -j) for j in range(len(numbers)) if j != chosen)
    second = (numbers[-others[-1][1]], others[-1][0]) if others and others[-1][0] else None
    if chosen is not None:
        number, matched = numbers[chosen], int(counts[chosen])
        notes = (
            ()
            if reported is None or match_number(reported, [number]) == number
            else (f"its own messages say {reported}, the clock says {number}",)
        )
        return Entry(vehicle, number, "clock", reported, crossings, matched, len(official_us[number]), second, notes)
    if said in official_us and owners.get(said) == vehicle:
        laps = len(official_us[said])
        why = f"only {crossings} crossings in the feed" if crossings < laps else "its crossings fit none"
        return Entry(vehicle, said, "reported", reported, crossings, 0, laps, second, (why,))
    if said in owners:
        taken = (f"its own messages say {reported}, under which {owners[said]} raced",)
        return Entry(vehicle, None, "reported", reported, crossings, 0, 0, second, taken)
    notes = ("no official laps fit",) if official_us else ()
    return Entry(vehicle, reported, "reported", reported, crossings, 0, 0, second, notes)
