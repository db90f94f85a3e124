"""Our figures beside an outside computation of the same session: for each difference, the laps behind it.

Two sound computations differ because they leave out different laps. Given both selections, a difference is explained
if the outside figure comes out once its laps are used; then the laps that only one side uses are named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.drivers.formatting import join_names
from analysis.pace.driver_laps import DriverLaps
from analysis.pace.lap_pace import find_best_time
from conf.arrays import BoolArray, FloatArray

_ROUNDING_S: Final = 0.0006  # outside figures come rounded to the millisecond


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure in which two computations differ.

    Attributes:
        figure: Which figure.
        ours: Our value.
        theirs: The outside value.
        laps: Laps behind the difference.
        explained: Whether the outside value follows from the outside selection of laps.
        text: The same in a sentence.
    """

    figure: str
    ours: float
    theirs: float
    laps: tuple[int, ...]
    explained: bool
    text: str


def within_deviations(laps: DriverLaps, eligible: BoolArray, limit: float = 3.0) -> BoolArray:
    """Eligible laps no slower than the median by more than so many median absolute deviations.

    The rule of a published computation of GR Cup figures, found from its results: laps that end under full course
    yellow are not eligible, and fast laps are never left out.

    Args:
        laps: The driver's laps.
        eligible: Laps to judge, shape (n,).
        limit: Deviations, unscaled.

    Returns:
        Shape (n,).
    """
    times = laps.lap_time_s[eligible & np.isfinite(laps.lap_time_s)]
    if times.size == 0:
        return np.zeros(len(laps), dtype=np.bool_)
    middle = np.median(times)
    return np.asarray(eligible & (laps.lap_time_s <= middle + limit * np.median(np.abs(times - middle))))


def figures(laps: DriverLaps, used: BoolArray) -> dict[str, float]:
    """Figures of the laps used, by name; NaN where there are too few laps.

    Returns:
        ``n_laps``, ``best_lap_s``, ``avg_lap_s``, ``std_lap_s`` (of a sample), ``best_s1_s`` to ``best_s3_s``,
        ``sum_best_s``.
    """
    times = laps.lap_time_s[used & np.isfinite(laps.lap_time_s)]
    bests = [find_best_time(laps, column).time_s for column in np.where(used[:, None], laps.sectors_s, np.nan).T]
    return {
        "n_laps": float(times.size),
        "best_lap_s": float(times.min()) if times.size else np.nan,
        "avg_lap_s": float(times.mean()) if times.size else np.nan,
        "std_lap_s": float(times.std(ddof=1)) if times.size > 1 else np.nan,
        **{f"best_s{i}_s": best for i, best in enumerate(bests, 1)},
        "sum_best_s": float(np.sum(bests)),
    }


def differences(
    laps: DriverLaps, ours: BoolArray, theirs: BoolArray, outside: Mapping[str, float]
) -> tuple[Difference, ...]:
    """Name the laps behind every figure in which an outside computation differs.

    Args:
        laps: The driver's laps.
        ours: Laps we use, shape (n,).
        theirs: Laps the outside computation uses, shape (n,).
        outside: Its figures, named as :func:`figures` names them; NaN where it gives none.

    Returns:
        One entry for each figure that differs by more than rounding.

    Raises:
        KeyError: If a figure is not one of :func:`figures`.
    """
    mine, follows = figures(laps, ours), figures(laps, theirs)
    out = []
    for figure, value in outside.items():
        if _same(mine[figure], value):
            continue
        behind = _behind(laps, figure, ours, theirs)
        explained = _same(follows[figure], value) and bool(behind)
        out.append(_difference(figure, (mine[figure], value), behind, explained))
    return tuple(out)


def _behind(laps: DriverLaps, figure: str, ours: BoolArray, theirs: BoolArray) -> dict[int, str]:
    """Lap number to what it is and who leaves it out."""
    only_ours, only_theirs = ours & ~theirs, theirs & ~ours
    columns: Mapping[str, tuple[FloatArray, ...]] = {
        "best_lap_s": (laps.lap_time_s,),
        **{f"best_s{i}_s": (laps.sectors_s[:, i - 1],) for i in (1, 2, 3)},
        "sum_best_s": tuple(laps.sectors_s.T),
    }
    chosen = [
        _source(laps, used, only, columns.get(figure)) for used, only in ((ours, only_ours), (theirs, only_theirs))
    ]
    by = ("which the outside computation leaves out", "which we leave out")
    return {
        int(laps.lap_number[i]): f"lap {laps.lap_number[i]}, {laps.lap_time_s[i]:.3f} s, {who}"
        for at, who in zip(chosen, by, strict=True)
        for i in at
    }


def _source(laps: DriverLaps, used: BoolArray, only: BoolArray, columns: tuple[FloatArray, ...] | None) -> list[int]:
    """Positions of the laps behind a figure on one side: for a best the lap it comes from, else all of that side."""
    if columns is None:
        return np.flatnonzero(only).tolist()
    numbers = {find_best_time(laps, np.where(used, column, np.nan)).lap_number for column in columns}
    return [i for i in np.flatnonzero(only).tolist() if int(laps.lap_number[i]) in numbers]


def _difference(figure: str, values: tuple[float, float], behind: Mapping[int, str], explained: bool) -> Difference:
    here, outside = ("none" if np.isnan(value) else f"{value:.6g}" for value in values)
    start = f"{figure}: {here} here, {outside} outside"
    cause = join_names(list(behind.values())) if explained else "not explained by the laps that either side leaves out"
    return Difference(figure, *values, tuple(sorted(behind)), explained, f"{start}: {cause}")


def _same(a: float, b: float) -> bool:
    return bool((np.isnan(a) and np.isnan(b)) or abs(a - b) <= _ROUNDING_S)
