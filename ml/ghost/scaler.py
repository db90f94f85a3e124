"""The one scaler between physical units and the networks (seed items G8, G14 and G23)."""

from __future__ import annotations

import json
from dataclasses import dataclass

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


def fit_scaler(values: FloatArray) -> Scaler:
    """Fit a scaler: scikit-learn's, from the least to the greatest value of each channel.

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
    return Scaler(np.asarray(fitted.data_min_, np.float64), np.asarray(fitted.data_range_, np.float64))


def scaler_to_bytes(scaler: Scaler) -> bytes:
    """A scaler as JSON: least and range by channel."""
    figures = {"least": scaler.least, "range": scaler.span}
    named = {what: dict(zip(CHANNELS, map(float, found), strict=True)) for what, found in figures.items()}
    return json.dumps(named, indent=1).encode()


def scaler_from_bytes(data: bytes) -> Scaler:
    """Load a scaler from its JSON.

    Raises:
        ScalerError: If it is none.
    """
    try:
        named = json.loads(data)
        least, span = ([float(named[what][name]) for name in CHANNELS] for what in ("least", "range"))
        scaler = Scaler(np.array(least), np.array(span))
    except (ValueError, KeyError, TypeError) as error:
        raise ScalerError(f"this is no scaler: {type(error).__name__} {error}") from None
    if not (np.isfinite([least, span]).all() and (scaler.span > 0).all()):
        raise ScalerError("this is no scaler: a range must be greater than nought, and all must be numbers")
    return scaler
