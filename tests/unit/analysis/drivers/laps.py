"""Laps for the tests: made up, drawn by hypothesis, and those of the published sector files."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from analysis.pace.driver_laps import PURPOSES, DriverLaps, build_driver_laps

GREEN = ("GF", "FF")


def made(lap_time_s: Sequence[float | None] | np.ndarray, vehicle: str = "car-1", **given: Any) -> DriverLaps:
    """Laps 1 to n of one car, fit for everything, in three equal sectors, but for what is given."""
    times = [None if t is None else float(t) for t in lap_time_s]
    n = len(times)
    sectors = given.pop("sectors", [[None if t is None else t / 3] * 3 for t in times])
    columns: dict[str, Any] = {
        "lap_number": list(range(1, n + 1)),
        "lap_time_ms": [None if t is None else t * 1000 for t in times],
        **{f"sector_{i}_time": [row[i - 1] for row in sectors] for i in (1, 2, 3)},
        "fit_for": [list(PURPOSES)] * n,
        "flag_at_finish": ["GF"] * n,
        "pit_in": [False] * n,
        "top_speed_kmh": [None] * n,
    }
    assert set(given) <= set(columns)
    return build_driver_laps("session-1", vehicle, columns | given)


def seconds(low: float = 20.0, high: float = 80.0) -> st.SearchStrategy[float]:
    """A sector time to the millisecond."""
    return st.integers(round(low * 1000), round(high * 1000)).map(lambda ms: ms / 1000)


@st.composite
def any_laps(draw: st.DrawFn, min_size: int = 0, max_size: int = 30, vehicle: str = "car-1") -> DriverLaps:
    """Laps with gaps, missing sectors, cautions, stops, and fit for this or that."""
    n = draw(st.integers(min_size, max_size))
    rows = draw(st.lists(st.tuples(*[st.none() | seconds()] * 3), min_size=n, max_size=n))
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 5]), min_size=n, max_size=n))
    return made(
        [None if None in row else sum(row) for row in rows],
        vehicle,
        sectors=rows,
        lap_number=np.cumsum(steps, dtype=int).tolist(),
        fit_for=draw(st.lists(st.lists(st.sampled_from(PURPOSES), unique=True), min_size=n, max_size=n)),
        flag_at_finish=draw(
            st.lists(st.sampled_from(["GF", "GF", "GF", "FCY", "SC", "RF", None]), min_size=n, max_size=n)
        ),
        pit_in=draw(st.lists(st.sampled_from([False, False, False, True, None]), min_size=n, max_size=n)),
        top_speed_kmh=draw(st.lists(st.none() | st.floats(100, 250), min_size=n, max_size=n)),
    )


def published(data: Path, place: str, race: int) -> dict[str, DriverLaps]:
    """Laps by car number from a published sector file.

    Unfit are the first lap, laps begun or ended under caution, into and out of the pits, and without a sector.
    """
    (file,) = (data / "grcup" / place).glob(f"23_*Race {race}_*")
    sheets: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        for line in csv.DictReader(lines, delimiter=";"):
            row = {name.strip(): (text or "").strip() for name, text in line.items() if name}
            sheets[row["NUMBER"]].append(row)
    return {number: _driver(f"{place}-R{race}", number, rows) for number, rows in sheets.items()}


def milliseconds(clock: str) -> int | None:
    """``2:08.432`` in milliseconds, exactly; ``None`` where empty."""
    if not clock:
        return None
    *whole, rest = clock.split(":")
    second, _, fraction = rest.partition(".")
    minutes = 0
    for part in whole:
        minutes = minutes * 60 + int(part)
    return (minutes * 60 + int(second)) * 1000 + int(fraction.ljust(3, "0"))


def _driver(session: str, number: str, rows: list[dict[str, str]]) -> DriverLaps:
    sectors = [[milliseconds(row[f"S{i}"]) for i in (1, 2, 3)] for row in rows]
    flags, pits = [row["FLAG_AT_FL"] for row in rows], [row["CROSSING_FINISH_LINE_IN_PIT"] == "B" for row in rows]
    clean = [
        i > 0 and not (pits[i] or pits[i - 1]) and flags[i] in GREEN and flags[i - 1] in GREEN for i in range(len(rows))
    ]
    fit = [
        ["pace", *([] if None in row else ["sectors", "target_lap"])] if good else []
        for good, row in zip(clean, sectors, strict=True)
    ]
    return build_driver_laps(
        session,
        number,
        {
            "lap_number": [int(row["LAP_NUMBER"]) for row in rows],
            "lap_time_ms": [milliseconds(row["LAP_TIME"]) for row in rows],
            **{
                f"sector_{i}_time": [None if row[i - 1] is None else row[i - 1] / 1000 for row in sectors]
                for i in (1, 2, 3)
            },
            "fit_for": fit,
            "flag_at_finish": flags,
            "pit_in": pits,
            "top_speed_kmh": [float(row["TOP_SPEED"]) if row["TOP_SPEED"] else None for row in rows],
        },
    )
