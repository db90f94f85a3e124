"""Coaching as a table for people and as facts for programs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from medallion.gold.insight_rows import insight_rows
from medallion.gold.lap_comparison_rows import Pair
from physics.ghost.coaching import Insight
from physics.ghost.place_names import place_name
from serving.coaching import CoachedLap

if TYPE_CHECKING:
    from rich.table import Table

Row = dict[str, Any]

_STYLES: Final = {"high": "bold red", "medium": "yellow", "low": ""}
_EVERY_M: Final = 5.0


def pair_of(found: CoachedLap) -> Pair:
    """Lap and target as the gold tables name them."""
    lap, target = found.lap.row, found.target
    return Pair(
        lap_uid=lap.uid, reference_uid=target.uid, session_id=lap.session_id, vehicle_id=lap.vehicle_id,
        lap_number=lap.lap_number, reference_kind=target.kind, track_id=found.circuit.track_id,
        is_synthetic=lap.is_synthetic or target.is_synthetic,
    )  # fmt: skip


def rows_of(found: CoachedLap, said: datetime | None = None) -> list[Row]:
    """Rows of ``gold.insights``."""
    track = (found.circuit, found.pieces)
    return insight_rows(pair_of(found), found.insights, found.aimed, track, found.rules.coaching, said)


def coaching_table(found: CoachedLap) -> Table:
    """Insights, the costliest first; the last row is what they are worth together."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, right in (
        ("", True), ("where", False), ("verdict", False), ("lost, s", True), ("what", False), ("lap", True),
        ("target", True), ("throttle, %", True), ("target", True), ("brake, bar", True), ("target", True),
    ):  # fmt: skip
        table.add_column(name, justify="right" if right else "left", no_wrap=right)
    for one in found.insights:
        human, target = values_of(one)
        style = _STYLES[found.rules.coaching.severity(one.time_loss_s)]
        table.add_row(
            str(one.rank), place_name(one.place, found.circuit), one.text, Text(f"{one.time_loss_s:.3f}", style=style),
            one.metric, human, target, f"{one.throttle_applied_pct:.0f}", f"{one.throttle_target_pct:.0f}",
            f"{one.brake_applied_bar:.0f}", f"{one.brake_target_bar:.0f}",
        )  # fmt: skip
    table.add_section()
    total = sum(one.time_loss_s for one in found.insights)
    table.add_row("", "together", "", f"{total:.3f}", *[""] * 7, style="bold")
    return table


def values_of(insight: Insight) -> tuple[str, str]:
    """What was measured of the lap and of the target, with its unit."""
    digits = 1 if insight.unit == "km/h" else 0
    human, target = (f"{value:,.{digits}f} {insight.unit}" for value in (insight.human_value, insight.target_value))
    return human, target


def coaching_facts(found: CoachedLap) -> Row:
    """Insights for programs, with both laps' inputs and the time lost over distance."""
    of_pair = {*Pair.__dataclass_fields__, "created_ts", "is_live"}
    every = max(1, round(_EVERY_M / found.driven.step_m))
    columns = {
        "distance_m": found.distance_m, "delta_s": found.delta_s,
        "speed_kmh": found.driven.speed_kmh, "speed_target_kmh": found.aimed.speed_kmh,
        "throttle_pct": found.driven.throttle_pct, "throttle_target_pct": found.aimed.throttle_pct,
        "brake_bar": found.driven.brake_bar, "brake_target_bar": found.aimed.brake_bar,
    }  # fmt: skip
    return {
        "lap": found.lap.row.uid,
        "target": found.target.uid,
        "target_kind": found.target.kind,
        "track_id": found.circuit.track_id,
        "lap_time_s": found.lap.time_s,
        "target_time_s": found.target.time_s,
        "delta_s": found.lap_delta_s,
        "notes": list(found.notes),
        "insights": [{k: v for k, v in row.items() if k not in of_pair} for row in rows_of(found)],
        "trace": {name: np.round(values[::every], 4).tolist() for name, values in columns.items()},
    }
