"""``AIInferenceEngine``: the driving style of one vehicle, every second, over the last ten (V20-V25)."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import numpy as np

from analysis.signals.held import MAX_AGE_S, US_PER_S
from analysis.signals.windows import CHANNELS, WINDOW_S, window_features
from conf.arrays import Float32Array
from conf.errors import InputError
from ml.style.features import AGGRESSIVE, NORMAL, feature_vector, unavailable_features

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class StyleModel(Protocol):
    """What the engine needs of a model."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""

    def predict_one(self, vector: Float32Array) -> float:
        """Probability of AGGRESSIVE."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer for one window.

    Attributes:
        label: ``AGGRESSIVE`` where its probability exceeds the threshold, else ``NORMAL`` (V24).
        probability_aggressive: 0 to 1.
        confidence_pct: Probability of ``label``, 0 to 100 (V25).
        display_text: Such as ``85% Aggressive``.
        n_samples: Distinct instants in the window.
        is_complete: Whether at least 90 % of the window is covered.
        window_end: End of the window, UTC, a whole second.
        latency_ms: Time the answer took to compute, features included.
        features: All features of the window.
    """

    label: str
    probability_aggressive: float
    confidence_pct: float
    display_text: str
    n_samples: int
    is_complete: bool
    window_end: datetime
    latency_ms: float
    features: Mapping[str, float] = field(repr=False)


class AIInferenceEngine:
    """Evaluates one vehicle's driving over a sliding window; make one per vehicle and session.

    A window is answered once a sample at or beyond its end has come. Samples may come in any order and more than
    once; one that is too late for every open window is counted in ``late`` and changes nothing. A clock that falls
    back by more than ``RESTART_S`` starts the engine afresh.

    Args:
        model: Such as :class:`ml.style.model.OnnxStyleModel`.
        window_s: Length of the window, whole seconds; 10 s are 300 samples at the nominal 30 Hz (VX2).
        step_s: Time between answers, whole seconds.
        threshold: Probability above which driving is called aggressive.
        max_age_s: Longest time a value holds, s.

    Attributes:
        reason: Why the last :meth:`get_prediction` gave none, else None.
        late: Samples that came too late.
        skipped: Windows never asked for in time.

    Raises:
        InputError: If a length is not whole seconds or the threshold not a probability.
    """

    RESTART_S: Final = 60.0
    MAX_PENDING: Final = 30

    def __init__(
        self,
        model: StyleModel,
        window_s: float = WINDOW_S,
        step_s: float = 1.0,
        threshold: float = 0.5,
        max_age_s: float = MAX_AGE_S,
    ) -> None:
        for name, value in (("window_s", window_s), ("step_s", step_s)):
            if value < 1 or value != int(value):
                raise InputError(f"{name} is {value}: give a whole number of seconds, at least 1")
        if not 0 <= threshold <= 1:
            raise InputError(f"threshold is {threshold}: give a probability from 0 to 1")
        self._model = model
        self._window_s, self._step_s, self._max_age_s = int(window_s), int(step_s), max_age_s
        self._threshold = threshold
        self.reason: str | None = "no sample yet"
        self.late = 0
        self.skipped = 0
        self._buffer: deque[tuple[int, tuple[float, ...]]] = deque()
        self._pending: deque[int] = deque()
        self._newest_us: int | None = None

    def add_sample(self, sample: Mapping[str, Any]) -> None:
        """Add one sample (V23).

        Args:
            sample: Canonical channel names to values, None or NaN where there is none; names it does not know are
                ignored. The time is ``t_s`` (event time in seconds), ``t_us`` (in microseconds) or ``event_ts`` (an
                aware datetime, or ISO 8601 text with its offset).

        Raises:
            InputError: If there is no time, or a value is not a number.
        """
        t_us = _time_us(sample)
        if self._newest_us is not None and t_us < self._newest_us - self.RESTART_S * US_PER_S:
            self._clear()
        if self._newest_us is None or t_us > self._newest_us:
            self._open_windows(t_us)
            self._newest_us = t_us
        elif t_us <= self._horizon_us():
            self.late += 1
            return
        self._buffer.append((t_us, tuple(_number(sample, name) for name in CHANNELS)))
        self._trim()

    def get_prediction(self) -> Prediction | None:
        """Answer the oldest window that is due.

        Returns:
            The answer; None when no window is due or a feature the model needs is unavailable, and ``reason`` says
            which. Call until ``pending`` is 0 to catch up after a gap.
        """
        if not self._pending:
            self.reason = "no window is due: the next is answered at the next whole second"
            return None
        began = time.perf_counter()
        end_s = self._pending.popleft()
        features = self._features(end_s)
        self._trim()
        missing = unavailable_features(features, self._model.features)
        if missing:
            self.reason = f"unavailable at {end_s}: {', '.join(missing)}"
            return None
        self.reason = None
        probability = self._model.predict_one(feature_vector(features, self._model.features))
        return self._answer(end_s, features, probability, (time.perf_counter() - began) * 1e3)

    @property
    def pending(self) -> int:
        """Windows that are due and not yet answered."""
        return len(self._pending)

    def _answer(self, end_s: int, features: dict[str, float], probability: float, latency_ms: float) -> Prediction:
        label = AGGRESSIVE if probability > self._threshold else NORMAL
        confidence = 100.0 * (probability if label == AGGRESSIVE else 1.0 - probability)
        return Prediction(
            label=label,
            probability_aggressive=probability,
            confidence_pct=confidence,
            display_text=f"{confidence:.0f}% {label.title()}",
            n_samples=int(features["n_samples"]),
            is_complete=bool(features["is_complete"]),
            window_end=datetime.fromtimestamp(end_s, UTC),
            latency_ms=latency_ms,
            features=features,
        )

    def _clear(self) -> None:
        self._buffer.clear()
        self._pending.clear()
        self._newest_us = None

    def _open_windows(self, t_us: int) -> None:
        """Queue the window ends that a sample at ``t_us`` reaches (:func:`analysis.signals.windows.window_ends`)."""
        if self._newest_us is None:
            return
        first = self._newest_us // US_PER_S + 1
        last = min(t_us // US_PER_S, first + self._window_s - 1)
        self._pending.extend(end for end in range(first, last + 1) if end % self._step_s == 0)
        while len(self._pending) > self.MAX_PENDING:
            self._pending.popleft()
            self.skipped += 1

    def _features(self, end_s: int) -> dict[str, float]:
        times = np.array([t for t, _ in self._buffer], dtype=np.float64) / US_PER_S
        values = np.array([row for _, row in self._buffer], dtype=np.float64).reshape(-1, len(CHANNELS))
        channels = {name: values[:, i] for i, name in enumerate(CHANNELS)}
        columns = window_features(times, channels, [end_s], self._window_s, self._max_age_s)
        return {name: float(np.asarray(column, dtype=np.float64)[0]) for name, column in columns.items()}

    def _horizon_us(self) -> int:
        """No open or coming window reaches this far back."""
        newest = self._newest_us or 0
        oldest_end = min(self._pending[0] if self._pending else newest // US_PER_S + 1, newest // US_PER_S + 1)
        return (oldest_end - self._window_s) * US_PER_S - round(self._max_age_s * US_PER_S)

    def _trim(self) -> None:
        horizon = self._horizon_us()
        while self._buffer and self._buffer[0][0] <= horizon:
            self._buffer.popleft()


def _time_us(sample: Mapping[str, Any]) -> int:
    if (t_us := sample.get("t_us")) is not None:
        return int(t_us)
    if (t_s := sample.get("t_s")) is not None:
        if not math.isfinite(t_s):
            raise InputError(f"t_s is {t_s}: a sample needs a finite time; drop it first")
        return round(float(t_s) * US_PER_S)
    event_ts = sample.get("event_ts")
    if isinstance(event_ts, str):
        event_ts = datetime.fromisoformat(event_ts)
    if isinstance(event_ts, datetime) and event_ts.tzinfo is not None:
        return (event_ts - _EPOCH) // _MICROSECOND
    raise InputError(f"event_ts is {event_ts!r}: give t_s, t_us, or event_ts as a datetime with its time zone")


def _number(sample: Mapping[str, Any], name: str) -> float:
    value = sample.get(name)
    if value is None:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {value!r}: give a number, or None where there is no value") from None
