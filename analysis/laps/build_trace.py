"""What a lap's trace is: the one rule by which batch jobs and commands turn a lap's samples into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from analysis.laps.distance import place_samples
from analysis.laps.trace import LapTrace
from analysis.tracks.circuit import Circuit
from conf.arrays import BoolArray, FloatArray, IntArray
from conf.reasons import ReasonCode, RefusalError

MOST_UNSEEN: Final = 0.1
"""Share of a lap that may be without speed, and of its samples without a time of their own."""
STOPPED_CLOCK: Final = "arrival"
"""``clock_source`` of a sample from while the car's clock stood still: it has no time of its own."""
_US_PER_S: Final = 1e6


@dataclass(frozen=True, eq=False)
class TimedSamples:
    """Samples of one lap in order of time, ties by sequence; each shape (n,).

    Attributes:
        t_us: Event time, microseconds since the epoch.
        is_timed: Whether the sample has a time of its own, see :data:`STOPPED_CLOCK`.
        channels: Canonical channel name to values, NaN where a channel has no value.
        start_us: When the lap began, as ``t_us``.
        end_us: When it ended, as ``t_us``; after ``start_us``.
    """

    t_us: IntArray
    is_timed: BoolArray
    channels: Mapping[str, FloatArray]
    start_us: int
    end_us: int


def build_lap_trace(samples: TimedSamples, circuit: Circuit | None) -> LapTrace:
    """Build the trace of one lap.

    Samples without a time of their own are left out. A lap that loses more than ``MOST_UNSEEN`` of its samples so, or
    whose speed is missing for more than this share of its time, is refused: its rates and distances could not be
    trusted.

    Args:
        samples: The lap's samples, at least one.
        circuit: Gives the scale of distance; ``None`` leaves it as its source measures it.

    Raises:
        RefusalError: If the lap is refused, or no source of distance can be used.
    """
    total, timed = len(samples.t_us), int(samples.is_timed.sum())
    if timed < (1.0 - MOST_UNSEEN) * total:
        raise RefusalError(ReasonCode.CLOCK_STOOD_STILL, share=1 - timed / total)
    t_s = (samples.t_us[samples.is_timed] - samples.start_us) / _US_PER_S
    channels = {name: values[samples.is_timed] for name, values in samples.channels.items()}
    trace = place_samples(t_s, channels, (samples.end_us - samples.start_us) / _US_PER_S, circuit)
    unseen = trace.unseen_s / trace.lap_time_s
    if unseen > MOST_UNSEEN:
        raise RefusalError(ReasonCode.SPEED_MISSING, share=unseen, most=MOST_UNSEEN)
    return trace
