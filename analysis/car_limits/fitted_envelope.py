"""The g-g-v envelope of a car, fitted robustly to the motion of its laps.

Three curves over speed, each at the edge of what was seen, and how they join:

* across: ``l0 + l1 v^2``, by quantile regression where the car mostly cornered;
* backward: ``b0 + b1 v^2``, by quantile regression where it mostly braked;
* forward: ``p / v - d v^2 + c``, by median regression where the throttle was open and the road straight: that is the
  engine, not the driver;
* between them ``(across / L)^n + (along / X)^n = 1`` with the least ``n`` that leaves as many instants in bends inside
  as the curve was fitted for (half at full throttle, the quantile while braking).

A curve is held at its ends outside the speeds it was fitted at. Drag and slopes are in the curves, so the surface is
net. Quantile regression: Koenker and Bassett, Econometrica 46 (1978).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from analysis.car_limits.motion import LapMotion
from conf.arrays import BoolArray, FloatArray
from conf.errors import InputError
from physics.limit_lap.envelope import FINE_MPS, SPEED_MPS, THETA, Envelope

QUANTILE = 0.98
FEWEST = 60  # instants for one curve
_EXPONENTS = np.round(np.arange(1.0, 8.01, 0.1), 1)
_EDGE = 0.99  # quantile that says how much a car corners and brakes at all
_NO_LIMIT_MPS2 = 1e3
_ELLIPSE = 2.0
_HARD_MPS2 = 3.0
_LEAST_BEND, _MOST_BEND = 0.3, 0.95  # shares of the lateral limit between which the curves' joining shows


class EnvelopeError(InputError):
    """The laps given do not allow an envelope to be fitted; the message says why."""


@dataclass(frozen=True)
class EnvelopeCurve:
    """One curve over speed.

    Attributes:
        factors: Of its three terms.
        from_mps: Lowest speed it was fitted at.
        to_mps: Highest.
    """

    factors: tuple[float, ...]
    from_mps: float
    to_mps: float


@dataclass(frozen=True)
class FittedEnvelope:
    """A fitted surface.

    Attributes:
        across: Factors of 1 and ``v^2``.
        backward: Factors of 1 and ``v^2``.
        forward: Factors of ``1 / v``, ``-v^2`` and 1.
        forward_exponent: ``n`` while accelerating.
        backward_exponent: ``n`` while braking.
        quantile: Share of the instants at the edge that lie inside.
        instants: How many it was fitted to.
    """

    across: EnvelopeCurve
    backward: EnvelopeCurve
    forward: EnvelopeCurve
    forward_exponent: float
    backward_exponent: float
    quantile: float
    instants: int

    def across_mps2(self, speed_mps: FloatArray) -> FloatArray:
        """Return the largest lateral acceleration at each speed."""
        return _quadratic(self.across, speed_mps)

    def backward_mps2(self, speed_mps: FloatArray) -> FloatArray:
        """Return the largest deceleration on a straight at each speed."""
        return _quadratic(self.backward, speed_mps)

    def forward_mps2(self, speed_mps: FloatArray) -> FloatArray:
        """Return the full-throttle acceleration on a straight; negative beyond the top speed."""
        p, d, c = self.forward.factors
        v = np.maximum(speed_mps, self.forward.from_mps)
        return np.asarray(p / v - d * v * v + c)

    def use(self, motion: LapMotion) -> FloatArray:
        """Compute the share of the envelope used at each instant: 1 at its edge, shape (n,)."""
        v = motion.speed_mps
        ahead = motion.along_mps2 >= 0
        most = np.where(ahead, self.forward_mps2(v), self.backward_mps2(v))
        n = np.where(ahead, self.forward_exponent, self.backward_exponent)
        along = np.abs(motion.along_mps2) / np.maximum(most, 1e-3)
        return np.asarray(((motion.across_mps2 / self.across_mps2(v)) ** n + along**n) ** (1.0 / n))

    def envelope(self) -> Envelope:
        """Return the envelope in the form that the limit-lap solver takes."""
        across = self.across_mps2(SPEED_MPS)
        nothing = np.zeros((len(SPEED_MPS), len(THETA)))
        forward = self.forward_mps2(SPEED_MPS)[:, None]
        # Beyond the top speed there is nothing left to share with a bend.
        drive = np.where(forward > 0, forward * _left(self.forward_exponent), forward)
        return Envelope(
            lateral_mps2=across,
            corner_mps2=across,
            drive_mps2=drive,
            drive_share_per_mps2=nothing,
            forward_mps2=nothing,
            brake_mps2=self.backward_mps2(SPEED_MPS)[:, None] * _left(self.backward_exponent),
            rolling_mps2=np.zeros_like(SPEED_MPS),
            drag_per_m=0.0,
            drs_drag_cut=0.0,
            engine_mps2=np.full_like(FINE_MPS, _NO_LIMIT_MPS2),
            motor_mps2=np.zeros_like(FINE_MPS),
            shaft_per_wheel=np.ones_like(FINE_MPS),
            mass_kg=1.0,
        )


def fit_envelope(motion: LapMotion, quantile: float = QUANTILE) -> FittedEnvelope:
    """Fit the surface to how cars of one kind moved on one track.

    Args:
        motion: Instants of laps driven for time.
        quantile: Share of the instants at the edge that shall lie inside.

    Raises:
        EnvelopeError: If a state of driving is too rare in the laps to fit its curve.
    """
    if not len(motion):
        raise EnvelopeError("no instant with a speed and a place on the track: nothing to fit an envelope to")
    v, along, across = motion.speed_mps, motion.along_mps2, motion.across_mps2
    corners, brakes = np.quantile(across, _EDGE), np.quantile(-along, _EDGE)
    for state, hardest in (("cornering", corners), ("braking", brakes)):
        if hardest < _HARD_MPS2:
            raise EnvelopeError(
                f"the laps show no {state}: it stays below {max(hardest, 0.0):.1f} m/s^2, where a car driven for time "
                f"reaches {_HARD_MPS2:g} and far more; is this the right track, and are these whole laps?"
            )
    square = np.column_stack([np.ones_like(v), v * v])
    sideways = (across > 0.4 * corners) & (np.abs(along) < 0.3 * brakes)
    braking = -along > 0.3 * brakes
    pushing = motion.full_throttle & (across < 0.25 * corners)
    lateral = _fit(square, across, sideways, v, quantile, (True, False), "cornering")
    backward = _fit(square, -along, braking, v, quantile, (True, True), "braking")
    terms = np.column_stack([1.0 / v, -v * v, np.ones_like(v)])
    forward = _fit(terms, along, pushing, v, 0.5, (True, True, False), "at full throttle on a straight")
    flat = FittedEnvelope(lateral, backward, forward, 1.0, 1.0, quantile, len(motion))
    used = across / flat.across_mps2(v)
    bends = (used > _LEAST_BEND) & (used < _MOST_BEND)
    return FittedEnvelope(
        lateral,
        backward,
        forward,
        _exponent(used, along / np.maximum(flat.forward_mps2(v), 1e-3), bends & motion.full_throttle, 0.5),
        _exponent(used, -along / flat.backward_mps2(v), bends & braking, quantile),
        quantile,
        len(motion),
    )


def _left(exponent: float) -> FloatArray:
    """What cornering leaves of a force along the road, over ``THETA``."""
    return np.asarray(np.maximum(1.0 - np.sin(THETA) ** exponent, 0.0) ** (1.0 / exponent))


def _quadratic(curve: EnvelopeCurve, speed_mps: FloatArray) -> FloatArray:
    v = np.clip(speed_mps, curve.from_mps, curve.to_mps)
    return np.asarray(np.maximum(curve.factors[0] + curve.factors[1] * v * v, 0.1))


def _fit(
    terms: FloatArray,
    values: FloatArray,
    chosen: BoolArray,
    v: FloatArray,
    quantile: float,
    positive: tuple[bool, ...],
    state: str,
) -> EnvelopeCurve:
    found = int(chosen.sum())
    if found < FEWEST:
        raise EnvelopeError(
            f"{found} instants {state}, at least {FEWEST} are needed: take more laps, and whole ones driven for time"
        )
    factors = quantile_regression(terms[chosen], values[chosen], quantile, positive)
    low, high = np.quantile(v[chosen], [0.01, 0.99])
    return EnvelopeCurve(tuple(map(float, factors)), float(low), float(high))


def quantile_regression(
    terms: FloatArray, values: FloatArray, quantile: float, positive: tuple[bool, ...]
) -> FloatArray:
    """Factors under which a share of the values lies below the sum of the terms.

    Args:
        terms: Shape (n, k).
        values: Shape (n,).
        quantile: The share.
        positive: Which factors must not be negative.

    Returns:
        Shape (k,).
    """
    scale = np.abs(terms).max(axis=0)
    rows, is_positive = (terms / scale).T, np.asarray(positive)
    # The dual program: a row a factor in place of one a value, a thousand times fewer. Its multipliers are the factors.
    found = linprog(
        -values, A_ub=rows[is_positive], b_ub=np.zeros(is_positive.sum()), A_eq=rows[~is_positive],
        b_eq=np.zeros((~is_positive).sum()), bounds=(quantile - 1.0, quantile), method="highs-ds",
    )  # fmt: skip
    if found.x is None:
        raise EnvelopeError(f"no curve fits the instants: {found.message}")
    factors = np.zeros(len(scale))
    factors[is_positive] = np.maximum(-found.ineqlin.marginals, 0.0)
    factors[~is_positive] = -found.eqlin.marginals
    return np.asarray(factors / scale)


def _exponent(across: FloatArray, along: FloatArray, chosen: BoolArray, quantile: float) -> float:
    """Least exponent that leaves a share of the chosen instants inside; an ellipse where there are none."""
    if not chosen.any():
        return _ELLIPSE
    a, x = across[chosen], along[chosen]
    inside = ((float(n), np.mean(x <= (1.0 - a**n) ** (1.0 / n))) for n in _EXPONENTS)
    return next((n for n, share in inside if share >= quantile), float(_EXPONENTS[-1]))
