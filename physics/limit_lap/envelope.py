"""What a car can do at each speed: across the road, and along it while it corners (the g-g-v surface).

Along the road the surface is laid over ``theta``, where ``sin(theta)`` is the share of the lateral limit in use: there
the curve between pure braking and pure cornering, an ellipse or near it, is smooth up to its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.arrays import FloatArray

N_THETA = 49
THETA = np.linspace(0.0, np.pi / 2.0, N_THETA)
TOP_MPS = 110.0
SPEED_MPS = np.linspace(1.0, TOP_MPS, 219)  # of the tyres' tables
FINE_MPS = np.linspace(1.0, TOP_MPS, 2181)  # of the powertrain's, which jump from gear to gear


@dataclass(frozen=True)
class EnergyStore:
    """A hybrid's battery over one lap.

    Attributes:
        start_j: Energy at the line.
        most_recovered_j: Most that braking may return in a lap.
        motor_efficiency: Work at the shaft per energy drawn.
        brake_recovery: Share of the braking work that returns.
        exhaust_recovery: Share of the engine's work that returns.
        motor_from_mps: Slowest speed at which the motor drives.
    """

    start_j: float
    most_recovered_j: float
    motor_efficiency: float
    brake_recovery: float
    exhaust_recovery: float
    motor_from_mps: float


@dataclass(frozen=True)
class Envelope:
    """The g-g-v surface of a car: tyres at ``SPEED_MPS``, shape (n,), powertrain at ``FINE_MPS``, shape (m,).

    Attributes:
        lateral_mps2: What the tyres can hold across, shape (n,).
        corner_mps2: The same while they also overcome drag and rolling resistance, shape (n,).
        drive_mps2: Force of the driven tyres over mass while the car does not accelerate, shape (n, N_THETA).
        drive_share_per_mps2: How it grows with the acceleration that loads them, shape (n, N_THETA).
        forward_mps2: Acceleration up to which the axles still hold the bend, shape (n, N_THETA).
        brake_mps2: Force of the braked tyres over mass, shape (n, N_THETA).
        rolling_mps2: Rolling resistance over mass, shape (n,).
        drag_per_m: Air drag over mass and squared speed.
        drs_drag_cut: Share of the drag that an open DRS takes away.
        engine_mps2: Force of the engine at the wheels over mass, shape (m,); infinite where tyres alone limit.
        motor_mps2: Force of a hybrid's motor at the wheels over mass, shape (m,).
        shaft_per_wheel: Power at the shaft per power at the wheels, shape (m,).
        mass_kg: What the accelerations were divided by.
        store: A hybrid's battery.
    """

    lateral_mps2: FloatArray
    corner_mps2: FloatArray
    drive_mps2: FloatArray
    drive_share_per_mps2: FloatArray
    forward_mps2: FloatArray
    brake_mps2: FloatArray
    rolling_mps2: FloatArray
    drag_per_m: float
    drs_drag_cut: float
    engine_mps2: FloatArray
    motor_mps2: FloatArray
    shaft_per_wheel: FloatArray
    mass_kg: float
    store: EnergyStore | None = None

    @staticmethod
    def fastest_mps(curvature_per_m: FloatArray, lateral_mps2: FloatArray) -> FloatArray:
        """Speed at which a bend of a curvature takes all of a lateral limit; infinite where none does."""
        root = np.maximum.accumulate(SPEED_MPS / np.sqrt(lateral_mps2))  # of the radius; rises with speed
        wanted = 1.0 / np.sqrt(np.maximum(np.abs(curvature_per_m), 1e-12))
        return np.where(wanted < root[-1], np.interp(wanted, root, SPEED_MPS), np.inf)
