"""The one scaler between physical units and the networks (seed items G8, G14 and G23)."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.segmentation.lap_segments import NEEDED
from conf.arrays import FloatArray
from conf.errors import InputError

CHANNELS = NEEDED
SPEED, STEERING = 0, 3


class ScalerError(InputError):
    """A scaler that cannot be fitted or read; the message says why."""


@dataclass(frozen=True)
class Scaler:
    """Least and range of each channel, shape (4,) each: normalised is ``(x - least) / range``."""

    least: FloatArray
    span: FloatArray

    def normalise(self, values: FloatArray) -> FloatArray:
        """Physical units to the networks' space, shape (..., 4)."""
        return (values - self.least) / self.span

    def physical(self, values: FloatArray) -> FloatArray:
        """The networks' space to physical units, shape (..., 4)."""
        return values * self.span + self.least

    def speed_n(self, speed_kmh: npt.ArrayLike) -> FloatArray:
        """Normalised speeds."""
        return np.asarray((np.asarray(speed_kmh, dtype=np.float64) - self.least[SPEED]) / self.span[SPEED])


def fit_scaler(values: FloatArray) -> Any:
    """Fit scikit-learn's min-max scaler.

    The pedals' ranges begin at zero, so that nought is nought in either space.

    Args:
        values: Shape (n, 4), in the order of ``CHANNELS``.

    Raises:
        ScalerError: If a channel does not move at all.
    """
    from sklearn.preprocessing import MinMaxScaler

    rest = np.array([[values[:, SPEED].min(), 0.0, 0.0, values[:, STEERING].min()]])
    fitted = MinMaxScaler().fit(np.vstack([values, rest]))
    for name, span in zip(CHANNELS, fitted.data_range_, strict=True):
        if not span > 0:
            raise ScalerError(f"{name} never changes in the laps given: take laps of which it was recorded")
    return fitted


def scaler_from_fit(fitted: Any) -> Scaler:
    """The figures of a fitted scaler."""
    return Scaler(np.asarray(fitted.data_min_, dtype=np.float64), np.asarray(fitted.data_range_, dtype=np.float64))


def scaler_to_bytes(fitted: Any) -> bytes:
    """The scaler as a joblib file."""
    import joblib

    buffer = BytesIO()
    joblib.dump(fitted, buffer)
    return buffer.getvalue()


def scaler_from_bytes(data: bytes) -> Scaler:
    """Load a scaler from its own joblib file; opening an untrusted one can run code."""
    import joblib

    return scaler_from_fit(joblib.load(BytesIO(data)))
