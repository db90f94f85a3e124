"""One lap of one car: its samples in time order on the circuit's scale of distance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from conf.arrays import FloatArray
from conf.reasons import Refusal

DistanceSource = Literal["sensor", "gps", "integrated"]

THROTTLE: Final = ("throttle_pct", "throttle_pedal_pct", "throttle_blade_pct")
"""Throttle channels, the first that a lap has before the others."""


@dataclass(frozen=True)
class ChannelGap:
    """A stretch of a lap without a sample of a channel, s since the start of the lap."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class PassedSource:
    """A source of distance that was not used, and why."""

    source: DistanceSource
    refusal: Refusal

    @property
    def text(self) -> str:
        """E.g. ``sensor: no readings``."""
        return f"{self.source}: {self.refusal.text}"


@dataclass(frozen=True)
class LapTrace:
    """One lap of one car, line to line, in time order.

    Attributes:
        t_s: Time since the start of the lap, rising, shape (n,).
        distance_m: Distance from the line on the circuit's scale (0 to its length), not falling, shape (n,).
        channels: Canonical channel name to values, shape (n,), NaN where the channel has no value at that instant.
        lap_time_s: Lap time (of the timing, where there is one).
        length_m: Length of the lap on the scale of ``distance_m``; ``None`` where only the last sample's is known.
        distance_source: What ``distance_m`` was taken from; ``None`` where its maker did not say.
        driven_m: Length of the lap as its source measured it, before it was brought to the circuit's scale.
        speed_gaps: Stretches without speed. Distance inside one follows from its two ends.
        passed_over: Better sources of distance that were not used.
    """

    t_s: FloatArray
    distance_m: FloatArray
    channels: Mapping[str, FloatArray]
    lap_time_s: float
    length_m: float | None = None
    distance_source: DistanceSource | None = None
    driven_m: float | None = None
    speed_gaps: tuple[ChannelGap, ...] = ()
    passed_over: tuple[PassedSource, ...] = ()

    @property
    def end_m(self) -> float:
        """Distance at the end of the lap."""
        return float(self.distance_m[-1]) if self.length_m is None else self.length_m

    @property
    def unseen_s(self) -> float:
        """Time inside gaps of the speed."""
        return sum((gap.end_s - gap.start_s for gap in self.speed_gaps), start=0.0)

    def has(self, channel: str) -> bool:
        """Whether it has any value of a channel."""
        return bool(np.isfinite(self.channels.get(channel, np.nan)).any())

    @property
    def throttle_channel(self) -> str:
        """The throttle channel that it has; ``throttle_pct`` where it has none."""
        return next((name for name in THROTTLE if self.has(name)), THROTTLE[0])
