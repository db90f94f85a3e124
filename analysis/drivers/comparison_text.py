"""Describe a comparison in sentences, each figure with its unit; differences within noise are not claimed (B27)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analysis.drivers.comparison import AVERAGE, FIGURES, ComparedFigure, DriverFigures
from analysis.drivers.formatting import format_count, format_interval, format_lap_time, is_level, join_names
from analysis.statistics.bootstrap import Estimate
from analysis.statistics.lap_moments import MIN_LAPS

Deltas = Mapping[str, Estimate]


def list_strengths(deltas: Deltas, side: int) -> list[str]:
    """What the first (``side`` 1) or second driver is better at, beyond noise."""
    return [_describe_claim(f, deltas, f.ahead) for f in FIGURES if _better_side(f, deltas) == side]


def list_weaknesses(deltas: Deltas, side: int) -> list[str]:
    """List what the first or second driver is worse at, beyond noise."""
    return [_describe_claim(f, deltas, f.behind) for f in FIGURES if _better_side(f, deltas) == 3 - side]


def describe_comparison(one: DriverFigures, two: DriverFigures, deltas: Deltas) -> str:
    """The comparison in a few sentences."""
    parts = (
        _averages(one, two, deltas[AVERAGE.name]),
        _best_laps(one, two),
        _claims(one, two, deltas),
        _noise(one, two, deltas),
        _targets(one, two),
    )
    return " ".join(part for part in parts if part)


def _better_side(figure: ComparedFigure, deltas: Deltas) -> int:
    """1 or 2 for the driver who is better beyond noise, else 0."""
    return {1: 1, -1: 2, 0: 0}[deltas[figure.name].sign * figure.better]


def _describe_claim(figure: ComparedFigure, deltas: Deltas, start: str) -> str:
    return f"{start} {_format_size(figure, deltas[figure.name])}"


def _format_size(figure: ComparedFigure, delta: Estimate) -> str:
    unit, digits = figure.unit, figure.digits
    return f"{abs(delta.value):.{digits}f} {unit} ({format_interval(delta, unit, digits)})"


def _averages(one: DriverFigures, two: DriverFigures, delta: Estimate) -> str:
    sides = [c.summary for c in (one, two)]
    none = [s.vehicle_id for s in sides if s.statistics.n == 0]
    if none:
        return f"There is no average lap to compare: {join_names(none)} drove none that is fit for pace."
    named = [f"{s.vehicle_id} ({s.statistics.mean_s:.3f} s over {format_count(s.statistics.n, 'lap')})" for s in sides]
    start = f"The average laps of {join_names(named)} are {_apart(delta.value)}"
    if not np.isfinite(delta.low):
        return f"{start}; with fewer than {MIN_LAPS} laps on a side, it cannot be said whether that is noise."
    ahead = {1: one, 2: two}.get(_better_side(AVERAGE, {AVERAGE.name: delta}))
    if ahead is None:
        return f"{start}, which is within noise."
    return f"{start} ({format_interval(delta, 's')}): {ahead.vehicle_id} is the quicker one."


def _best_laps(one: DriverFigures, two: DriverFigures) -> str:
    bests = [c.summary.statistics.best for c in (one, two)]
    if any(best.lap_number is None for best in bests):
        return ""
    named = [
        f"{c.vehicle_id} {format_lap_time(best.time_s)} on lap {best.lap_number}"
        for c, best in zip((one, two), bests, strict=True)
    ]
    return f"Best laps: {join_names(named)}, {_apart(bests[0].time_s - bests[1].time_s)}."


def _apart(gap_s: float) -> str:
    return "level" if is_level(gap_s) else f"{abs(gap_s):.3f} s apart"


def _claims(one: DriverFigures, two: DriverFigures, deltas: Deltas) -> str:
    texts = []
    for figure in FIGURES[1:]:
        delta, ahead = deltas[figure.name], {1: one, 2: two}.get(_better_side(figure, deltas))
        if ahead is not None:
            texts.append(f"{ahead.vehicle_id} in {figure.what} by {_format_size(figure, delta)}")
    return f"Ahead on average: {'; '.join(texts)}." if texts else ""


def _noise(one: DriverFigures, two: DriverFigures, deltas: Deltas) -> str:
    texts = [
        f"{f.what} ({format_interval(deltas[f.name], f.unit, f.digits)})"
        for f in FIGURES
        if deltas[f.name].sign == 0 and np.isfinite(deltas[f.name].low)
    ]
    return f"Within noise, {one.vehicle_id} less {two.vehicle_id}: {'; '.join(texts)}." if texts else ""


def _targets(one: DriverFigures, two: DriverFigures) -> str:
    targets = [c.summary.target.target_s.value for c in (one, two)]
    if not np.isfinite(targets).all():
        return ""
    named = [f"{c.vehicle_id} {format_lap_time(target)}" for c, target in zip((one, two), targets, strict=True)]
    return f"Target laps (SIWTL): {join_names(named)}."
