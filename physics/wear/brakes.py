"""Brakes: pads worn by the discs, Archard's law (:mod:`physics.wear.archard`), faster when hot.

Pads of organic material wear at a constant rate up to a threshold and exponentially faster above it (T. Liu, S. K.
Rhee, "High temperature wear of asbestos-reinforced friction materials", Wear 37, 1976, 291; their Arrhenius law is used
in the form of :mod:`physics.wear.heat`). Only the front discs have a temperature; rear pads are taken as below the
threshold.
"""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray
from conf.wear import BrakeWear
from physics.wear.archard import worn_volume_m3
from physics.wear.heat import thermal_acceleration
from physics.wear.history import LoadHistory


def brake_damage(history: LoadHistory, wear: BrakeWear) -> FloatArray:
    """Damage at each step, shape (n,): the share of all pads that is worn off.

    The pad's load is the brake's force over the friction, at the disc's radius; it slides as far as the wheel rolls, at
    the disc's radius: the two radii cancel.
    """
    rolled = history.speed_mps * history.dt_s
    heat = thermal_acceleration(np.maximum(history.disc_c, wear.threshold_c), wear.threshold_c, wear.doubling_k)
    front = worn_volume_m3(history.brake_front_n / wear.friction, rolled, wear.rate_m3_per_nm * heat)
    rear = worn_volume_m3(history.brake_rear_n / wear.friction, rolled, wear.rate_m3_per_nm)
    return (front + rear) / (wear.volume_front_m3 + wear.volume_rear_m3)
