"""Real passages as candidates: the ceiling for a generator that only reproduces its training laps.

A passage that began at another speed is carried over by energy: the same forces over the same metres change ``v^2`` by
the same amount, so ``v^2(s) = v_human^2(s) + (v_entry^2 - v_human^2(0)) * fade(s)``. With ``fade = 1`` the car's forces
are the driver's own; with ``fade`` falling to zero the driver has come back to his own speed at the end of the stretch,
for which he needed ``(v_entry^2 - v_human^2) / 2 L`` more, or less, acceleration. Each candidate draws how much fades.
"""

from __future__ import annotations

import numpy as np

from analysis.segmentation.stretches import TrackStretch
from conf.arrays import FloatArray
from ml.ghost.search.human_laps import STEPS, HumanLaps
from ml.ghost.search.limits import MIN_MPS

NEAR_MPS = 1.0
_RISE = np.linspace(0.0, 1.0, STEPS)


class HumanSource:
    """A source of stretches drawn from human laps.

    Attributes:
        laps: The laps.
        near_mps: Standard deviation of the entry speeds that are near: farther passages are drawn less often.
    """

    def __init__(self, laps: HumanLaps, near_mps: float = NEAR_MPS) -> None:
        self.laps, self.near_mps = laps, near_mps

    def propose(self, stretch: TrackStretch, entry_mps: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
        """Passages near an entry speed, shifted to meet it; see :class:`ml.ghost.search.chain.StretchSource`."""
        passages = self.laps.passages(stretch)
        off = (passages[None, :, 0, 0] - entry_mps[:, None]) / self.near_mps
        # The nearest has weight one however far away it is.
        weight = np.exp(-0.5 * (off**2 - (off**2).min(axis=1, keepdims=True)))
        edges = np.cumsum(weight, axis=1)
        drawn = rng.random((len(entry_mps), n)) * edges[:, -1:]
        which = (drawn[:, :, None] >= edges[:, None, :]).sum(axis=2)
        found = passages[which]
        fade = 1.0 - rng.random((len(entry_mps), n, 1)) * _RISE
        lift = entry_mps[:, None, None] ** 2 - found[:, :, :1, 0] ** 2
        found[:, :, :, 0] = np.sqrt(np.maximum(found[:, :, :, 0] ** 2 + lift * fade, MIN_MPS**2))
        found[:, :, 0, 0] = entry_mps[:, None]
        return np.asarray(found)
