"""Stints, target lap and laps of a driver's report, as rows of text. ``None`` becomes an empty cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from analysis.drivers.formatting import format_count, format_lap_time, is_level, join_names
from analysis.statistics.lap_moments import MIN_LAPS
from serving.queries.driver_session import DriverReport
from serving.queries.laps import PACE

Row = Mapping[str, Any]

_KINDS: Final = {"racing": "green", "fcy": "full course yellow", "sc": "safety car", "red": "red flag"}
_ENDED: Final = {"pit": "pit stop", "flag": "change of flag", "end": "end of the session", "gap": "missing laps"}
TOO_FEW: Final = f"too few laps for an interval, which needs {MIN_LAPS}"
_SOURCES: Final = {"official": "officials", "start_end": "feed", "telemetry": "telemetry"}


def stint_rows(found: DriverReport) -> list[Row]:
    """Stints and their segments."""
    return [
        {
            "name": f"{s['stint_number']}" if s["segment"] == 1 else "",
            "laps": f"{s['first_lap']} to {s['last_lap']}" if s["n_laps"] > 1 else f"{s['first_lap']}",
            "kind": _KINDS.get(s["kind"], s["kind"]),
            "fit": s["n_pace_laps"],
            "mean": format_lap_time(s["pace_mean_s"]),
            "interval": _interval(s["pace_mean_s_low"], s["pace_mean_s_high"], format_lap_time, s["n_pace_laps"]),
            "trend": "" if s["slope_s_per_lap_low"] is None else _signed(s["slope_s_per_lap"]),
            "best": "" if s["best_lap_s"] is None else f"{format_lap_time(s['best_lap_s'])} ({s['best_lap_number']})",
            "ended": _ENDED.get(s["ended_by"], s["ended_by"]),
        }
        for s in found.stints.rows
    ]


def describe_records(found: DriverReport) -> str:
    """The fastest runs of laps in words, empty where there are none."""
    row = found.summary.first
    runs = [(n, row.get(f"best_{n}_laps_mean_s"), row.get(f"best_{n}_laps_first_lap")) for n in (3, 5, 10)]
    return join_names(
        [f"{n} laps at {format_lap_time(s)} each from lap {first}" for n, s, first in runs if s is not None]
    )


def target_facts(found: DriverReport) -> dict[str, Any]:
    """The target lap by sectors."""
    row = found.target.first
    if not row:
        return {"rows": [], "missing": found.target.missing}
    sectors = [
        {
            "name": f"Sector {k}",
            "n": row[f"n_s{k}"],
            "best": _seconds(row[f"best_s{k}"]),
            "lap": row[f"best_s{k}_lap"] or "",
            "mean": _seconds(row[f"mean_s{k}"]),
            "interval": _interval(row[f"mean_s{k}_low"], row[f"mean_s{k}_high"], _seconds, row[f"n_s{k}"]),
            "potential": _seconds(row[f"sector_potential_s{k}"]),
            "weight": format_digits(row[f"weight_s{k}"], 2),
            "focus": row["focus_sector"] == k,
        }
        for k in (1, 2, 3)
    ]
    sums = {
        name: _sum(row, f"{column}_s{{}}")
        for name, column in (("sum_best", "best"), ("sum_mean", "mean"), ("sum_potential", "sector_potential"))
    }
    return {"rows": sectors, "words": _target_words(row), **{name: _seconds(value) for name, value in sums.items()}}


def _target_words(row: Row) -> str:
    if row["siwtl_lap"] is None:
        return "A sector has no time at all, so there is no target lap."
    laps = format_count(row["n_valid_laps"], "lap")
    words = f"The target lap is {format_lap_time(target_time_s(row['siwtl_lap'], row['potential_gain']))}, from {laps}"
    low, high = row["siwtl_lap_low"], row["siwtl_lap_high"]
    words += f" ({TOO_FEW})" if low is None else f" (95 % interval {format_lap_time(low)} to {format_lap_time(high)})"
    if row["potential_gain"] is not None:
        words += f": {describe_gain(row['potential_gain'])}"
    words += f"; the best sectors add up to {format_lap_time(row['sum_best_sectors_s'])}."
    if row["insufficient_laps"]:
        return f"{words} A sector has fewer than two laps: its weight says nothing."
    if row["achievability_low"] is None:
        return f"{words} How far it is within reach needs {MIN_LAPS} laps to say."
    figures = [row[f"achievability{end}"] for end in ("", "_low", "_high")]
    return words + " Achievability {:.2f} of 1 (95 % interval {:.2f} to {:.2f}).".format(*figures)


def target_time_s(target_s: float, gain_s: float | None) -> float:
    """A target lap, never slower than the best lap driven, which rows of an earlier release may be."""
    return target_s + min(gain_s or 0.0, 0.0)


def describe_gain(gain_s: float) -> str:
    """A target lap beside the best lap driven."""
    if gain_s <= 0 or is_level(gain_s):
        return "the best lap driven"
    return f"{gain_s:.3f} s under the best lap"


def describe_session(found: DriverReport) -> list[str]:
    """The field in a few lines."""
    row = found.fleet.first
    if not row:
        return []
    laps = f"{format_count(row['n_laps'], 'lap')}, {row['n_valid_laps']} of them valid"
    lines = [f"{format_count(row['n_drivers'], 'driver')} drove {laps}."]
    weather = [
        f"air {row['air_temp_c']:.0f} °C" if row["air_temp_c"] is not None else None,
        f"track {row['track_temp_c']:.0f} °C" if row["track_temp_c"] is not None else None,
        row["track_condition"],
    ]
    if any(weather):
        lines.append(f"Conditions: {', '.join(part for part in weather if part)}.")
    return [*lines, *(row["highlights"] or ()), *(row["trends"] or ())]


def pace_lap_rows(found: DriverReport) -> list[Row]:
    """All laps."""
    return [
        {
            "number": lap.lap_number,
            "time": format_lap_time(lap.lap_time_s),
            "sectors": [_seconds(s) for s in lap.sectors_s],
            "top": format_digits(lap.top_speed_kmh, 0),
            "source": _SOURCES.get(lap.lap_time_source or "", lap.lap_time_source or ""),
            "valid": "yes" if PACE in lap.fit_for else "no",
            "against": ", ".join(reason.replace("_", " ") for reason in lap.invalid_reasons),
            "best": lap is found.best or (found.best is not None and lap.uid == found.best.uid),
        }
        for lap in found.laps
    ]


def _sum(row: Row, column: str) -> float | None:
    parts = [row[column.format(k)] for k in (1, 2, 3)]
    return None if any(part is None for part in parts) else sum(parts)


def _interval(low: float | None, high: float | None, form: Any, n: int) -> str:
    if low is None or high is None:
        return "too few laps" if n else ""
    return f"{form(low)} to {form(high)}"


def _seconds(value: float | None) -> str:
    return format_digits(value, 3)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"


def format_digits(value: float | None, places: int) -> str:
    """A number with so many decimal places."""
    return "" if value is None else f"{value:,.{places}f}"
