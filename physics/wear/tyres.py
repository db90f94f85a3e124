"""Tyres: tread worn by the road, Archard's law with the slip that a force needs (:mod:`physics.wear.archard`)."""

from __future__ import annotations

from conf.arrays import FloatArray
from conf.wear import TyreWear
from physics.wear.archard import tyre_slip, worn_volume_m3
from physics.wear.history import LoadHistory


def tyre_damage(history: LoadHistory, wear: TyreWear) -> FloatArray:
    """Damage at each step, shape (n,): the share of all treads that is worn off.

    What slides carries the load that its friction turns into the tyres' force. Tyres asked for more than their grip
    slide at their whole drag besides.
    """
    rolled = history.speed_mps * history.dt_s
    slid = tyre_slip(history.tyre_n, history.tyre_load_n, wear.stiffness) * rolled
    steady = worn_volume_m3(history.tyre_n / wear.friction, slid, wear.rate_m3_per_nm)
    scrubbed = worn_volume_m3(history.scrub_n / wear.friction, rolled, wear.rate_m3_per_nm)
    return (steady + scrubbed) / wear.volume_m3
