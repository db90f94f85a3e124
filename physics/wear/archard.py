"""Wear by sliding: the volume lost is proportional to load times sliding distance.

J. F. Archard, "Contact and Rubbing of Flat Surfaces", J. Appl. Phys. 24 (1953) 981: ``V = k F s / H`` with the load
``F``, the distance slid ``s``, the hardness ``H`` of the softer side and a number ``k``. Here ``k / H`` is one
constant, the specific wear rate, in m3 per N and m.
"""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray


def worn_volume_m3(load_n: FloatArray, sliding_m: FloatArray, rate_m3_per_nm: float | FloatArray) -> FloatArray:
    """Volume lost at each step.

    Args:
        load_n: Load that presses the two sides together, any shape.
        sliding_m: How far they slide on each other, same shape.
        rate_m3_per_nm: ``k / H``.
    """
    return np.asarray(rate_m3_per_nm * np.abs(load_n) * np.abs(sliding_m))


def tyre_slip(force_n: FloatArray, load_n: FloatArray, stiffness: float) -> FloatArray:
    """Slip of a tyre that passes on a force, small against one: sliding distance per distance rolled.

    The linear part of the tyre's curve, its stiffness proportional to the load. With it Archard's volume grows with the
    square of the force, which is what A. Schallamach and D. M. Turner found for slipping wheels (Wear 3, 1960, 1).

    Args:
        force_n: Force in the plane of the road, any shape.
        load_n: Load on the tyres, same shape.
        stiffness: Force per slip, as a multiple of the load.
    """
    return np.asarray(np.abs(force_n) / (stiffness * load_n))
