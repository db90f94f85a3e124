"""What stands out in a session, in sentences built from figures; what is within noise is called so (B26, B28)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.drivers.formatting import (
    format_count,
    format_interval,
    format_lap_time,
    format_ranges,
    is_level,
    join_names,
)
from analysis.drivers.summary import DriverSummary, rank_by_best_lap, rank_by_consistency
from analysis.pace.driver_laps import DriverLaps
from analysis.pace.lap_pace import PaceRecord, consistency_score
from analysis.pace.stints import classify_laps
from analysis.statistics.bootstrap import Estimate, seed_of
from analysis.statistics.lap_moments import difference, resample

_CAUTIONS = {"fcy": "full course yellow", "sc": "safety car", "red": "red flag"}
Drivers = Sequence[DriverSummary]


def describe_highlights(drivers: Drivers) -> list[str]:
    """What stands out: best lap, best run, most even driver, largest gain within reach, cautions, pit stops."""
    texts = (
        _describe_best_lap(drivers),
        _describe_best_run(drivers),
        _describe_most_consistent(drivers),
        _describe_potential(drivers),
    )
    return [text for text in (*texts, _describe_cautions(drivers), _describe_stops(drivers)) if text]


def describe_trends(drivers: Drivers) -> list[str]:
    """Describe the trends of lap times over the session."""
    return [text for text in (_describe_drift(drivers),) if text]


def consistency_gap(one: DriverLaps, two: DriverLaps) -> Estimate:
    """Consistency score of one driver less that of another, in points."""
    a, b = (resample(laps.times_s("target_lap")[:, None], seed_of(laps.name)) for laps in (one, two))
    return difference(lambda m: consistency_score(m, 0), a, b, (0,))


def _describe_best_lap(drivers: Drivers) -> str:
    ranking = rank_by_best_lap(drivers)
    if not ranking:
        return ""
    best = ranking[0].statistics.best
    text = f"{ranking[0].vehicle_id} set the best lap, {format_lap_time(best.time_s)} on lap {best.lap_number}"
    if len(ranking) == 1:
        return f"{text}."
    ahead = ranking[1].statistics.best.time_s - best.time_s
    second = f"the best of {ranking[1].vehicle_id}"
    return f"{text}, level with {second}." if is_level(ahead) else f"{text}, {ahead:.3f} s ahead of {second}."


def _describe_best_run(drivers: Drivers, length: int = 5) -> str:
    runs: list[tuple[PaceRecord, str]] = [(r, d.vehicle_id) for d in drivers for r in d.records if r.laps == length]
    if not runs:
        return ""
    run, vehicle = min(runs, key=lambda pair: (pair[0].mean_s, pair[1]))
    return (
        f"The fastest {length} consecutive laps are those of {vehicle}, laps {run.first_lap} to {run.last_lap}, "
        f"{run.mean_s:.3f} s on average."
    )


def _describe_most_consistent(drivers: Drivers) -> str:
    evenness = rank_by_consistency(drivers)
    if not evenness:
        return ""
    first = evenness[0]
    text = (
        f"{first.vehicle_id} has the highest consistency score, {first.target.consistency.value:.2f} of 100 "
        f"over {format_count(first.target.n_valid_laps, 'lap')}"
    )
    if len(evenness) == 1:
        return f"{text}."
    second = evenness[1]
    gap = consistency_gap(first.laps, second.laps)
    standing = f"{gap.value:.2f} points above" if gap.sign else "within noise of"
    return f"{text}, {standing} that of {second.vehicle_id} ({format_interval(gap, 'points', 2)})."


def _describe_potential(drivers: Drivers) -> str:
    """Largest gain from best lap to target lap, among those whose whole interval is a gain."""
    sure = [d for d in drivers if d.statistics.best.time_s > d.target.target_s.high]
    if not sure:
        return ""
    most = max(sure, key=lambda d: (d.target.potential_gain_s, d.vehicle_id))
    best_s, target = most.statistics.best.time_s, most.target.target_s
    gain = Estimate(best_s - target.value, best_s - target.high, best_s - target.low)
    return (
        f"Of the gains beyond noise that of {most.vehicle_id} is the largest, {gain.value:.3f} s from best lap to "
        f"target lap ({format_interval(gain, 's')}); its widest gap from best to mean is in "
        f"sector {most.target.focus_sector}."
    )


def _describe_cautions(drivers: Drivers) -> str:
    laps: dict[str, set[int]] = {}
    for driver in drivers:
        for kind, number in zip(classify_laps(driver.laps), driver.laps.lap_number.tolist(), strict=True):
            if kind != "racing":
                laps.setdefault(kind, set()).add(number)
    if not laps:
        return ""
    named = [f"{_CAUTIONS[kind]}, laps {format_ranges(sorted(numbers))}" for kind, numbers in laps.items()]
    return f"Under caution in part or whole: {'; '.join(named)}."


def _describe_stops(drivers: Drivers) -> str:
    stops = [f"{d.vehicle_id} ({format_count(d.n_pit_stops, 'time')})" for d in drivers if d.n_pit_stops]
    return f"Into the pits: {join_names(stops)}." if stops else ""


def _describe_drift(drivers: Drivers) -> str:
    """Trends of the drivers' longest runs."""
    slopes = [d.longest_run.slope_s_per_lap for d in drivers if d.longest_run]
    slopes = [s for s in slopes if np.isfinite(s.low)]
    if not slopes:
        return ""
    middle = float(np.median([s.value for s in slopes]))
    rose, fell = (sum(s.sign == sign for s in slopes) for sign in (1, -1))
    return (
        f"Over the longest runs of {format_count(len(slopes), 'driver')} lap times changed by {middle:+.3f} s a lap "
        f"(median); beyond noise they rose for {rose}, fell for {fell}, and for {len(slopes) - rose - fell} the trend "
        "is within noise."
    )
