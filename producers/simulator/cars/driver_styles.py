"""Who drives, and how: profiles differ in what a driver does with the car, drivers and laps vary around them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np

from conf.arrays import FloatArray

ProfileName = Literal["aggressive", "normal", "safe", "eco"]
PROFILE_NAMES: tuple[ProfileName, ...] = get_args(ProfileName)


@dataclass(frozen=True)
class DriverStyle:
    """What a driver does, as numbers; each field a scalar or an array over (cars, laps).

    Attributes:
        corner_share: Share of the grip circle used in corners.
        brake_share: Share of it used when braking; low is early and gentle.
        drive_share: Share of it used when accelerating out.
        full_load: Most engine load asked for, 0 to 1.
        throttle_on_per_s: Fastest opening of the throttle, full strokes a second.
        throttle_off_per_s: Fastest closing.
        brake_g_per_s: Fastest rise of deceleration by the brake.
        coast_s: How long before the braking point the throttle is lifted.
        upshift_share: Engine speed of the upshift as a share of the limiter.
        downshift_share: Engine speed under which a lower gear is taken, same scale.
        shift_s: Time the clutch is open in a shift.
        gain_per_s: How hard a speed error is corrected, acceleration per speed.
        line_m: How softly the line rounds the corners off (smoothing of the centre line).
    """

    corner_share: FloatArray | float
    brake_share: FloatArray | float
    drive_share: FloatArray | float
    full_load: FloatArray | float
    throttle_on_per_s: FloatArray | float
    throttle_off_per_s: FloatArray | float
    brake_g_per_s: FloatArray | float
    coast_s: FloatArray | float
    upshift_share: FloatArray | float
    downshift_share: FloatArray | float
    shift_s: FloatArray | float
    gain_per_s: FloatArray | float
    line_m: FloatArray | float


PROFILES: dict[ProfileName, DriverStyle] = {
    "aggressive": DriverStyle(0.96, 0.94, 0.95, 1.00, 7.0, 9.0, 6.0, 0.0, 0.970, 0.62, 0.09, 2.6, 7.0),
    "normal": DriverStyle(0.88, 0.77, 0.80, 0.91, 2.8, 4.2, 3.0, 0.3, 0.885, 0.50, 0.17, 1.4, 8.5),
    "safe": DriverStyle(0.78, 0.58, 0.66, 0.82, 1.6, 2.5, 1.7, 0.7, 0.820, 0.46, 0.24, 1.0, 10.0),
    "eco": DriverStyle(0.84, 0.62, 0.60, 0.66, 1.1, 1.6, 1.9, 2.2, 0.690, 0.38, 0.22, 0.9, 9.5),
}

# Spread between drivers of one profile, as a share of the field's value: habits vary more than limits do.
_SPREAD = DriverStyle(0.018, 0.06, 0.05, 0.045, 0.25, 0.25, 0.20, 0.30, 0.02, 0.06, 0.20, 0.15, 0.12)
_AT_MOST = DriverStyle(0.975, 0.96, 0.97, 1.0, 12.0, 15.0, 9.0, 4.0, 0.985, 0.68, 0.5, 4.0, 14.0)
# Every so often a lap is driven unlike oneself: held up, pushing, saving fuel.
_OTHER_LAP_PROBABILITY = 0.12
_LAP_SPREAD = 0.006


def draw_style(profile: ProfileName, laps: int, rng: np.random.Generator) -> DriverStyle:
    """One driver of a profile over a number of laps; every field an array of shape (laps,).

    Args:
        profile: The profile that the driver varies around.
        laps: Number of laps.
        rng: Source of the driver's and the laps' variation.
    """
    others = [name for name in PROFILE_NAMES if name != profile]
    other = PROFILES[others[int(rng.integers(len(others)))]]
    held = rng.random(laps) < _OTHER_LAP_PROBABILITY
    mix = np.where(held, rng.uniform(0.3, 0.9, laps), rng.beta(1.2, 9.0, laps))
    values = {}
    for field in fields(DriverStyle):
        name = field.name
        own = float(getattr(PROFILES[profile], name)) * np.exp(rng.normal(0.0, float(getattr(_SPREAD, name))))
        lap = np.exp(rng.normal(0.0, _LAP_SPREAD, laps))
        value = (own + mix * (float(getattr(other, name)) - own)) * lap
        values[name] = np.minimum(value, float(getattr(_AT_MOST, name)))
    return DriverStyle(**values)


def stack_styles(styles: list[DriverStyle]) -> DriverStyle:
    """Styles of several drivers as one of arrays of shape (cars, laps)."""
    return DriverStyle(**{f.name: np.stack([getattr(style, f.name) for style in styles]) for f in fields(DriverStyle)})


def allot_profiles(profiles: dict[ProfileName, float], cars: int, rng: np.random.Generator) -> list[ProfileName]:
    """Profiles of a grid: each its share of the cars by largest remainder, in random order."""
    names = [name for name in PROFILE_NAMES if profiles.get(name, 0.0) > 0]
    shares = np.array([profiles[name] for name in names])
    exact = shares / shares.sum() * cars
    counts = np.floor(exact).astype(int)
    for index in np.argsort(counts - exact, kind="stable")[: cars - int(counts.sum())]:
        counts[index] += 1
    allotted = [name for name, count in zip(names, counts, strict=True) for _ in range(count)]
    return [allotted[i] for i in rng.permutation(cars)]
