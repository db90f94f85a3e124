"""Random generators: one for each purpose, so that drawing more for one changes nothing for the others."""

from __future__ import annotations

import numpy as np


def generator(seed: int, car: int, purpose: str) -> np.random.Generator:
    """Random generator of one purpose of one car."""
    return np.random.default_rng([seed, car, *purpose.encode()])
