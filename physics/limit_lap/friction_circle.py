"""The g-g-v surface of one of our own cars: all tyres together give a circle that grows with the downforce."""

from __future__ import annotations

import numpy as np

from physics.limit_lap.envelope import FINE_MPS, SPEED_MPS, THETA, Envelope
from physics.vehicle import Vehicle


def build_friction_circle_envelope(vehicle: Vehicle) -> Envelope:
    """Tabulate what a car can do; its turning parts count as mass along the road, not across it."""
    v2 = SPEED_MPS * SPEED_MPS
    grip = vehicle.grip_n(v2)
    resists = vehicle.resistance_n(SPEED_MPS)
    # The share of the circle across that leaves the driven axle what drag takes.
    spare = np.clip(resists / np.maximum(vehicle.traction_n(grip), 1e-9), 0.0, 1.0)
    circle = grip[:, None] * np.cos(THETA)
    return Envelope(
        lateral_mps2=grip / vehicle.mass_kg,
        corner_mps2=grip * np.sqrt(1.0 - spare * spare) / vehicle.mass_kg,
        drive_mps2=vehicle.traction_n(circle) / vehicle.inertia_kg,
        drive_share_per_mps2=np.zeros_like(circle),  # the traction already counts the load that it shifts itself
        forward_mps2=np.zeros_like(circle),
        brake_mps2=circle / vehicle.inertia_kg,
        rolling_mps2=np.full_like(SPEED_MPS, vehicle.rolling_n / vehicle.inertia_kg),
        drag_per_m=vehicle.drag_kgpm / vehicle.inertia_kg,
        drs_drag_cut=0.0,
        engine_mps2=vehicle.full_throttle_n(FINE_MPS) / vehicle.inertia_kg,
        motor_mps2=np.zeros_like(FINE_MPS),
        shaft_per_wheel=np.ones_like(FINE_MPS),
        mass_kg=vehicle.inertia_kg,
    )
