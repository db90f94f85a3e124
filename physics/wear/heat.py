"""The effect of heat: rates that double every given number of degrees.

The straight-line form of Arrhenius' law over a narrow range of temperatures, known as the ten-degree rule (V. M.
Montsinger, Trans. AIEE 49, 1930, 776, for the ageing of insulation; the same is in use for oils and polymers).
"""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray


def thermal_acceleration(temperature_c: FloatArray, reference_c: float, doubling_k: float) -> FloatArray:
    """Compute how many times faster than at the reference a part wears, shape of ``temperature_c``.

    Args:
        temperature_c: Temperature.
        reference_c: Where the factor is one.
        doubling_k: Kelvin that double it.
    """
    return np.asarray(2.0 ** ((temperature_c - reference_c) / doubling_k))
