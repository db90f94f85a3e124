"""How a car was driven by the style model: each lap's windows, and the field beside it, without a JVM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from conf.frozen import FrozenModel
from conf.tables import GOLD_STYLE_PREDICTIONS
from serving.lake.reader import LakeReader
from serving.lake.store import command_that_fills
from serving.queries.laps import LapRow

AGGRESSIVE: Final = "AGGRESSIVE"


class StyleLap(FrozenModel):
    """A lap by its ten-second windows, each counted where it ends.

    Attributes:
        windows: Windows that have an answer.
        aggressive: Those that were called aggressive.
    """

    lap_number: int
    windows: int
    aggressive: int

    @property
    def share(self) -> float:
        """Share of its windows called aggressive."""
        return self.aggressive / self.windows


@dataclass(frozen=True)
class SessionStyle:
    """What the style model says of a car and of the field.

    Attributes:
        laps: The car's laps that have windows, by number.
        share: Share of the car's windows called aggressive, those outside laps among them; ``None`` without any.
        field: The same share of every car of the session, by vehicle.
        models: Names and versions of the models that answered.
        missing: Why there is nothing, and which command fills the table; ``None`` where there is something.
    """

    laps: tuple[StyleLap, ...]
    share: float | None
    field: dict[str, float]
    models: tuple[str, ...]
    missing: str | None = None


def read_session_style(lake: LakeReader, laps: Sequence[LapRow]) -> SessionStyle:
    """Read what the style model says of one car's session.

    Args:
        lake: The lake.
        laps: The car's laps.

    Raises:
        LakeError: If the table cannot be read.
    """
    session_id, vehicle_id = laps[0].session_id, laps[0].vehicle_id
    fill = f"`{command_that_fills(GOLD_STYLE_PREDICTIONS)}` fills it"
    if not lake.exists(GOLD_STYLE_PREDICTIONS):
        return SessionStyle((), None, {}, (), f"{GOLD_STYLE_PREDICTIONS} does not exist yet: {fill}.")
    columns = ("vehicle_id", "window_end_ts", "label", "model_name", "model_version")
    windows = lake.frame(GOLD_STYLE_PREDICTIONS, {"session_id": session_id}, columns=columns)
    windows = windows.with_columns(is_aggressive=pl.col("label") == AGGRESSIVE)
    field = dict(windows.group_by("vehicle_id").agg(pl.col("is_aggressive").mean()).sort("vehicle_id").iter_rows())
    own = windows.filter(pl.col("vehicle_id") == vehicle_id).sort("window_end_ts")
    if own.is_empty():
        return SessionStyle(
            (), None, field, (), f"{GOLD_STYLE_PREDICTIONS} has no row of {session_id}/{vehicle_id}: {fill}."
        )
    models = own.select("model_name", "model_version").unique(maintain_order=True).iter_rows()
    named = tuple(f"{name} version {version}" for name, version in models)
    return SessionStyle(_laps_of(own, laps), field[vehicle_id], field, named)


def _laps_of(windows: pl.DataFrame, laps: Sequence[LapRow]) -> tuple[StyleLap, ...]:
    found = []
    for lap in laps:
        if lap.start_us is None or lap.end_us is None:
            continue
        here = windows.filter(
            pl.col("window_end_ts").is_between(lap.start_us, lap.end_us, closed="left"), pl.col("label").is_not_null()
        )
        if not here.is_empty():
            found.append(
                StyleLap(
                    lap_number=lap.lap_number, windows=here.height, aggressive=int(here["is_aggressive"].sum() or 0)
                )
            )
    return tuple(found)
