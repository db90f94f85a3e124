"""The load history of a car, as far as wear depends on it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from conf.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class LoadHistory:
    """A piece of one car's history at an even time step; arrays of shape (n,) but for the wheels.

    Attributes:
        dt_s: Time step.
        speed_mps: Speed over the road.
        rpm: Engine speed.
        engine_torque_nm: Torque at the crank, negative when the engine brakes.
        engine_c: Coolant temperature.
        gear_ratio: Of the gear engaged.
        input_torque_nm: Torque into the gearbox, that of engaging a gear included.
        input_rpm: Speed of its input shaft.
        brake_front_n: Force at the tyres of the front brakes, one that drags included.
        brake_rear_n: Of the rear brakes.
        disc_c: Temperature of the front discs.
        tyre_n: Size of the force of all tyres in the plane of the road.
        tyre_load_n: Load on all tyres.
        scrub_n: Drag of tyres asked for more than their grip.
        wheel_load_n: Load on each wheel, front left, front right, rear left, rear right, shape (n, 4).
    """

    dt_s: float
    speed_mps: FloatArray
    rpm: FloatArray
    engine_torque_nm: FloatArray
    engine_c: FloatArray
    gear_ratio: FloatArray
    input_torque_nm: FloatArray
    input_rpm: FloatArray
    brake_front_n: FloatArray
    brake_rear_n: FloatArray
    disc_c: FloatArray
    tyre_n: FloatArray
    tyre_load_n: FloatArray
    scrub_n: FloatArray
    wheel_load_n: FloatArray

    def part(self, first: int, last: int) -> LoadHistory:
        """Steps ``first`` up to ``last``, that one left out."""
        cut = {f.name: getattr(self, f.name)[first:last] for f in fields(self) if f.name != "dt_s"}
        return LoadHistory(self.dt_s, **cut)

    def __len__(self) -> int:
        return len(self.speed_mps)
