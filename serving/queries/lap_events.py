"""What DPTAD found on one lap, and where the lap brakes, without a JVM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.track_build.rows import TrackError
from conf.arrays import FloatArray
from conf.tables import GOLD_DPTAD_EVENTS, GOLD_DPTAD_SCORES, SILVER_TELEMETRY_100HZ
from serving.lake.reader import LakeReader
from serving.lake.rows import Row, Value

_BRAKING_BAR: Final = 5.0


@dataclass(frozen=True)
class LapEvents:
    """Events of a lap.

    Attributes:
        label: The lap in words, and by which thresholds it was judged.
        events: Rows of ``gold.dptad_events`` in order of time.
        braking_m: Distances at which the lap brakes, shape (n,).
    """

    label: str
    events: Sequence[Row]
    braking_m: FloatArray


def read_lap_events(lake: LakeReader, lap: tuple[str, str, int]) -> LapEvents:
    """Events of a lap, and where it brakes if it is in ``silver.telemetry_100hz``.

    Args:
        lake: The lake.
        lap: Session, vehicle and lap number.

    Raises:
        LakeError: If nothing was judged yet.
        TrackError: If the lap was not judged.
    """
    where: dict[str, Value] = dict(zip(("session_id", "vehicle_id", "lap_number"), lap, strict=True))
    name = "/".join(map(str, lap))
    judged = lake.rows(GOLD_DPTAD_SCORES, where)
    if not judged or judged[0]["event_count"] is None:
        why = "; ".join(judged[0]["insights"]) if judged else f"{GOLD_DPTAD_SCORES} has no such lap"
        raise TrackError(f"no events of {name}: {why}")
    events = lake.rows(GOLD_DPTAD_EVENTS, where, order_by=("event_ts", "event_type"))
    label = f"{lap[0]}\n{lap[1]}, lap {lap[2]}\nthresholds {judged[0]['thresholds_version']}"
    return LapEvents(label, events, _braking_spans_m(lake, where))


def _braking_spans_m(lake: LakeReader, where: dict[str, Value]) -> FloatArray:
    names = ("lap_distance_m", "brake_front_bar")
    rows = lake.rows(SILVER_TELEMETRY_100HZ, where, columns=names, order_by=("sample_idx",), missing_ok=True)
    along, bar = (np.array([row[n] for row in rows], dtype=np.float64) for n in names)
    return along[np.nan_to_num(bar) >= _BRAKING_BAR]
