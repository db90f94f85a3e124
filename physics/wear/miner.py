"""Linear damage: every cycle takes its share of a life.

A. Palmgren, Z. VDI 68 (1924) 339; M. A. Miner, "Cumulative damage in fatigue", J. Appl. Mech. 12 (1945) A159.
The life at a load follows a power law, the Woehler or S-N line in the form of O. H. Basquin (Proc. ASTM 10, 1910):
``N = N_ref (S_ref / S)^m``. A cycle of range ``S`` thus takes ``(S / S_ref)^m / N_ref``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.arrays import FloatArray
from physics.rainflow import Rainflow


@dataclass(frozen=True)
class SnLine:
    """How many cycles a part bears.

    Attributes:
        reference: Range (or, where the load pulses from zero, size) of the load at which it bears ``cycles``.
        exponent: ``m``: at twice the load it bears ``2^m`` times fewer.
        cycles: Cycles to failure at the reference.
    """

    reference: float
    exponent: float
    cycles: float

    def damage(self, load: FloatArray) -> FloatArray:
        """Share of a life that one cycle takes, shape of ``load``."""
        return np.asarray((np.abs(load) / self.reference) ** self.exponent / self.cycles)


class MinerSum:
    """Damage of a load history by rainflow and Miner's rule.

    The damage so far is that of all closed cycles and half that of each open range, as if the history ended here. It
    never falls: closing a cycle moves the same ranges together, and a power above one favours that. A piece's damage is
    what it adds, so the pieces of a history add up to the whole, the residue included, wherever it is cut.

    Args:
        line: What a cycle costs.
    """

    def __init__(self, line: SnLine) -> None:
        self._line, self._count = line, Rainflow()
        self._closed = self.total = 0.0

    def add(self, load: FloatArray) -> float:
        """Go on with a piece of the history, shape (n,); return the damage that it adds."""
        before = self.total
        self._closed += float(self._line.damage(self._count.add(load)).sum())
        self.total = self._closed + 0.5 * float(self._line.damage(self._count.open_ranges).sum())
        return self.total - before
