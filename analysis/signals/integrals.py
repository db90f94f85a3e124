"""Integrals over a stretch of time such as a lap: the trapezium rule from one end to the other, or no value.

A statistic may leave out what is not known; an integral that does is too small. Between two samples of a channel lies
a line, whatever their distance, up to ``MAX_GAP_S``. At the ends it is the line to the next sample beyond, where there
is one within ``MAX_GAP_S``, else the outermost sample's value. Where a channel has no sample for longer, nothing is
told. Signals are given with what lies beside the stretch, as :func:`analysis.signals.held.hold_samples` returns them;
how long their values hold does not matter here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from analysis.signals.held import US_PER_S, HeldSignal
from conf.arrays import FloatArray, IntArray
from conf.reasons import ReasonCode, Refusal

MAX_GAP_S: Final = 2.0
"""Longest time without a sample that is bridged: a car that brakes at 1 g and accelerates again meanwhile drives 10 m
less than the line says."""
REACH_US: Final = round(MAX_GAP_S * US_PER_S)
"""An integral depends on samples this far beside its stretch, and on none further away."""


def integrate_signals(function: Callable[..., FloatArray], start_us: int, end_us: int, *signals: HeldSignal) -> float:
    """Integral of a function of signals over a stretch of time, in the function's unit times s.

    Args:
        function: Takes a value of each signal at the same instants, shape (n,); returns shape (n,).
        start_us: Start, microseconds.
        end_us: End, the same.
        signals: Channels, with their samples beside the stretch.

    Returns:
        The integral; NaN where a signal has no sample for longer than ``MAX_GAP_S`` (see :func:`longest_gap_s`).
    """
    if any(longest_gap_s(signal, start_us, end_us) > MAX_GAP_S for signal in signals):
        return np.nan
    near = [_near(signal, start_us, end_us) for signal in signals]
    inside = [t[(t > start_us) & (t < end_us)] for t, _ in near]
    at_us = np.unique(np.concatenate([np.array([start_us, end_us], np.int64), *inside]))
    values = function(*(np.interp(at_us, t, x) for t, x in near))
    return float(np.trapezoid(values, (at_us - start_us) / US_PER_S))


def longest_gap_s(signal: HeldSignal, start_us: int, end_us: int) -> float:
    """Longest time inside a stretch without a sample, s; infinite where there is none inside nor near."""
    t = signal.start_us
    if not _near(signal, start_us, end_us)[0].size:
        return np.inf
    inside = t[(t > start_us) & (t < end_us)]
    return float(np.diff(np.concatenate([[start_us], inside, [end_us]])).max()) / US_PER_S


def describe_gap(channel: str, gap_s: float) -> str:
    """Say why an integral over a channel is missing, from its longest gap."""
    if np.isinf(gap_s):
        return Refusal.of(ReasonCode.CHANNEL_MISSING, channel=channel).text
    return Refusal.of(ReasonCode.CHANNEL_GAP, channel=channel, gap_s=gap_s, most_s=MAX_GAP_S).text


def _near(signal: HeldSignal, start_us: int, end_us: int) -> tuple[IntArray, FloatArray]:
    """Instants and values of a signal's samples within a stretch and up to ``REACH_US`` beside it."""
    first, last = np.searchsorted(signal.start_us, [start_us - REACH_US, end_us + REACH_US + 1])
    return signal.start_us[first:last], signal.value[first:last]
