"""Linear damage accumulation: every cycle uses a share of the life.

A. Palmgren, Z. VDI 68 (1924) 339; M. A. Miner, "Cumulative damage in fatigue", J. Appl. Mech. 12 (1945) A159.
The life at a load follows a power law, the S-N (Woehler) curve in the form of O. H. Basquin (Proc. ASTM 10, 1910):
``N = N_ref (S_ref / S)^m``. A cycle of range ``S`` thus takes ``(S / S_ref)^m / N_ref``.
"""

from __future__ import annotations

import numpy as np

from conf.arrays import FloatArray
from conf.wear import SNCurve
from physics.rainflow import RainflowCounter


def cycle_damage(curve: SNCurve, reference: float, load: FloatArray) -> FloatArray:
    """Share of a life that one cycle takes, shape of ``load``.

    Args:
        curve: How many cycles the part bears.
        reference: Range (or, where the load pulses from zero, size) of the load at which it bears ``curve.cycles``.
        load: Ranges (or sizes) of the cycles, in the reference's unit.
    """
    return np.asarray((np.abs(load) / reference) ** curve.exponent / curve.cycles)


class MinerDamage:
    """Damage of a load history by rainflow and Miner's rule.

    The damage so far is that of all closed cycles and half that of each open range, as if the history ended here. It
    never falls: closing a cycle moves the same ranges together, and a power above one favours that. A piece's damage is
    what it adds, so the pieces of a history add up to the whole, the residue included, wherever it is cut.

    Args:
        curve: How many cycles the part bears.
        reference: Range of the load at which it bears ``curve.cycles``.
    """

    def __init__(self, curve: SNCurve, reference: float) -> None:
        self._curve, self._reference, self._count = curve, reference, RainflowCounter()
        self._closed = self.total = 0.0

    def add(self, load: FloatArray) -> float:
        """Go on with a piece of the history, shape (n,); return the damage that it adds."""
        before = self.total
        self._closed += self._damage(self._count.add(load))
        self.total = self._closed + 0.5 * self._damage(self._count.open_ranges)
        return self.total - before

    def _damage(self, ranges: FloatArray) -> float:
        return float(cycle_damage(self._curve, self._reference, ranges).sum())
