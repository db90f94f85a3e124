"""Weather of a lap or a session, from ``silver.environment``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from analysis.timing.session_laps import datetime_to_us
from conf.arrays import FloatArray, IntArray
from conf.tables import SILVER_ENVIRONMENT
from medallion.io import Lake
from medallion.part import sessions_part
from medallion.reading import read_rows

NEAR_US: Final = 300_000_000  # weather that is older or newer than five minutes says nothing of a lap


@dataclass(frozen=True)
class SessionWeather:
    """Measurements of one session in the order of time, shape (n,) each; NaN where a figure is missing.

    Attributes:
        at_us: Instants, microseconds since the epoch.
        air_temp_c: Air temperature.
        track_temp_c: Track temperature.
        rain: 1 for rain, 0 for none.
    """

    at_us: IntArray
    air_temp_c: FloatArray
    track_temp_c: FloatArray
    rain: FloatArray

    def during(self, figure: str, start_us: int, end_us: int) -> FloatArray:
        """Values of a figure measured from start to end; else the one nearest in time, within five minutes.

        Returns:
            Shape (m,), none of them NaN, m zero where nothing was measured near enough.
        """
        values: FloatArray = getattr(self, figure)
        known = np.isfinite(values)
        values, at_us = values[known], self.at_us[known]
        away_us = np.maximum(np.maximum(start_us - at_us, at_us - end_us), 0)
        if not away_us.size or away_us.min() > NEAR_US:
            return np.empty(0)
        return values[away_us == 0] if away_us.min() == 0 else values[[np.argmin(away_us)]]

    def mean(self, figure: str, start_us: int, end_us: int) -> float:
        """Mean of :meth:`during`, NaN where there is nothing."""
        found = self.during(figure, start_us, end_us)
        return float(found.mean()) if found.size else np.nan


def weather_from_rows(rows: Iterable[tuple[int, float | None, float | None, bool | None]]) -> SessionWeather:
    """Weather from ``(microseconds, air, track, rain)``, in any order."""
    columns = np.array(sorted(rows, key=lambda row: row[0]), dtype=np.float64).reshape(-1, 4).T
    return SessionWeather(columns[0].astype(np.int64), *columns[1:])


def read_weather(lake: Lake, sessions: Iterable[str]) -> dict[str, SessionWeather]:
    """Weather of sessions; one without any has empty arrays."""
    sessions = list(sessions)
    found: defaultdict[str, list[tuple[int, float | None, float | None, bool | None]]] = defaultdict(list)
    columns = ("session_id", "event_ts", "air_temp_c", "track_temp_c", "rain")
    for row in read_rows(lake, SILVER_ENVIRONMENT, sessions_part(sessions), columns):
        found[row.session_id].append((datetime_to_us(row.event_ts), row.air_temp_c, row.track_temp_c, row.rain))
    return {session: weather_from_rows(found[session]) for session in sessions}
