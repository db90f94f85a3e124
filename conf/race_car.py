"""Race cars on four wheels, as published parameter files describe them: ``[VEH_PARS]`` with one JSON object.

The format is that of the TUMFTM lap time simulation (Heilmeier et al., "A Quasi-Steady-State Lap Time Simulation for
Electrified Race Cars", EVER 2019). Here every value has its unit in its name; rules that do not hold are refused with
the file and the field.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from conf.errors import check_input
from conf.track_parameters import read_ini_section

Share = Annotated[float, Field(gt=0, le=1)]


class _Published(BaseModel):
    """Fields are read by their published names (aliases); fields that are not needed are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class BodySpec(_Published):
    """Masses, lengths and aerodynamics."""

    cg_to_front_m: PositiveFloat = Field(alias="lf")
    cg_to_rear_m: PositiveFloat = Field(alias="lr")
    cg_height_m: PositiveFloat = Field(alias="h_cog")
    track_front_m: PositiveFloat = Field(alias="sf")
    track_rear_m: PositiveFloat = Field(alias="sr")
    mass_kg: PositiveFloat = Field(alias="m")
    rolling_resistance: float = Field(alias="f_roll", ge=0)
    drag_area_m2: PositiveFloat = Field(alias="c_w_a")
    downforce_area_front_m2: float = Field(alias="c_z_a_f", ge=0)
    downforce_area_rear_m2: float = Field(alias="c_z_a_r", ge=0)
    gravity_mps2: PositiveFloat = Field(alias="g")
    air_density_kgpm3: PositiveFloat = Field(alias="rho_air")
    drs_drag_cut: float = Field(alias="drs_factor", ge=0, lt=1, default=0.0)


class PowertrainSpec(_Published):
    """Engine, electric motor and what they give back.

    Attributes:
        power_w: Peak power of the combustion engine; ``None`` for an electric car.
        power_drop_w: How much less it gives at ``rpm_begin`` and ``rpm_end``.
        motor_power_w: Power of the electric motor at its shaft.
        brake_recovery: Share of the braking energy that returns to the store.
        exhaust_recovery: Share of the engine's work that its exhaust returns to the store.
        motor_from_mps: Slowest speed at which a hybrid's motor drives.
    """

    driven: Literal["FWD", "RWD", "AWD"] = Field(alias="topology")
    power_w: PositiveFloat | None = Field(alias="pow_max", default=None)
    power_drop_w: PositiveFloat | None = Field(alias="pow_diff", default=None)
    rpm_begin: PositiveFloat | None = Field(alias="n_begin", default=None)
    rpm_peak: PositiveFloat | None = Field(alias="n_max", default=None)
    rpm_end: PositiveFloat | None = Field(alias="n_end", default=None)
    motor_power_w: PositiveFloat | None = Field(alias="pow_e_motor", default=None)
    motor_torque_nm: PositiveFloat | None = Field(alias="torque_e_motor_max", default=None)
    motor_efficiency: Share = Field(alias="eta_e_motor", default=1.0)
    brake_recovery: float = Field(alias="eta_e_motor_re", ge=0, le=1, default=0.0)
    exhaust_recovery: float = Field(alias="eta_etc_re", ge=0, le=1, default=0.0)
    motor_from_mps: float = Field(alias="vel_min_e_motor", ge=0, default=0.0)


class GearboxSpec(_Published):
    """Gears, first to last.

    Attributes:
        wheel_per_engine: Turns of the wheel per turn of the engine.
        shift_rpm: Engine speed of the change into the next gear.
        mass_factor: How many times heavier the car seems for its turning parts.
    """

    wheel_per_engine: tuple[PositiveFloat, ...] = Field(alias="i_trans", min_length=1)
    shift_rpm: tuple[PositiveFloat, ...] = Field(alias="n_shift")
    mass_factor: tuple[PositiveFloat, ...] = Field(alias="e_i")
    efficiency: Share = Field(alias="eta_g")

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        counts = {len(self.wheel_per_engine), len(self.shift_rpm), len(self.mass_factor)}
        if len(counts) > 1:
            raise ValueError("i_trans, n_shift and e_i must have one value a gear, each as many")
        return self


class TyreSpec(_Published):
    """One axle's tyre: friction at its nominal load, and how it falls as the load rises (per newton, negative)."""

    circumference_m: PositiveFloat = Field(alias="circ_ref")
    nominal_load_n: PositiveFloat = Field(alias="fz_0")
    grip_along: PositiveFloat = Field(alias="mux")
    grip_across: PositiveFloat = Field(alias="muy")
    grip_along_per_n: float = Field(alias="dmux_dfz", le=0)
    grip_across_per_n: float = Field(alias="dmuy_dfz", le=0)


class TyresSpec(_Published):
    """Both axles' tyres and the exponent of the curve between pure braking and pure cornering (2: an ellipse)."""

    front: TyreSpec = Field(alias="f")
    rear: TyreSpec = Field(alias="r")
    exponent: float = Field(alias="tire_model_exp", ge=1, le=2)


class RaceCarSpec(_Published):
    """A race car."""

    kind: Literal["electric", "hybrid", "combustion"] = Field(alias="powertrain_type")
    body: BodySpec = Field(alias="general")
    powertrain: PowertrainSpec = Field(alias="engine")
    gearbox: GearboxSpec
    tyres: TyresSpec = Field(alias="tires")

    @model_validator(mode="after")
    def _has_what_drives_it(self) -> Self:
        part = self.powertrain
        engine = (part.power_w, part.power_drop_w, part.rpm_begin, part.rpm_peak, part.rpm_end)
        if self.kind != "electric" and None in engine:
            raise ValueError(f"a {self.kind} car needs pow_max, pow_diff, n_begin, n_max and n_end under engine")
        if self.kind != "combustion" and None in (part.motor_power_w, part.motor_torque_nm):
            raise ValueError(f"a {self.kind} car needs pow_e_motor and torque_e_motor_max under engine")
        return self


def load_race_car(path: Path) -> RaceCarSpec:
    """Read a car's parameter file.

    Raises:
        FileNotFoundError: If there is no such file.
        InputError: If it is not of this format or a value cannot be; names file and field.
    """
    raw = read_ini_section(path, "VEH_PARS", "veh_pars")
    with check_input(f"{path}: veh_pars"):
        return RaceCarSpec.model_validate(raw)
