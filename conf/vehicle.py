"""Vehicle files: ``conf/vehicles/<name>.yaml`` loaded into frozen models that reject unknown keys."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, model_validator

from conf.errors import InputError, check_input
from conf.frozen import FrozenModel
from conf.yaml_text import parse_yaml

_FOLDER = Path(__file__).parent / "vehicles"


class EngineSpec(FrozenModel):
    """Engine: full-throttle torque curve, drag torque, fuel use.

    Attributes:
        curve_rpm: Engine speeds of the torque curve, rising, from idle to the limiter.
        curve_nm: Full-throttle torque at those speeds.
        drag_nm: Drag torque at standstill extrapolated, closed throttle.
        drag_nm_per_krpm: Further drag torque per 1,000 rpm.
        efficiency: Share of the fuel's energy that becomes indicated work.
    """

    idle_rpm: PositiveFloat
    limiter_rpm: PositiveFloat
    curve_rpm: tuple[float, ...] = Field(min_length=2)
    curve_nm: tuple[PositiveFloat, ...] = Field(min_length=2)
    drag_nm: PositiveFloat
    drag_nm_per_krpm: float = Field(ge=0)
    efficiency: float = Field(gt=0, lt=0.6)

    @model_validator(mode="after")
    def _curve_fits(self) -> Self:
        if len(self.curve_rpm) != len(self.curve_nm):
            raise ValueError(f"curve_rpm has {len(self.curve_rpm)} points, curve_nm {len(self.curve_nm)}: give as many")
        if any(b <= a for a, b in pairwise(self.curve_rpm)):
            raise ValueError("curve_rpm must rise from point to point")
        if not self.curve_rpm[0] <= self.idle_rpm < self.limiter_rpm <= self.curve_rpm[-1]:
            raise ValueError("curve_rpm must span idle_rpm to limiter_rpm")
        return self


class ThermalSpec(FrozenModel):
    """Lumped heat capacities and cooling of engine and front brakes.

    Attributes:
        coolant_share: Share of the fuel's energy that the coolant carries away.
        radiator_w_per_k: Cooling at standstill with the thermostat open (fan).
        radiator_w_per_k_per_mps: Further cooling per m/s of air speed.
        brake_disc_j_per_k: Heat capacity of both front discs together.
        brake_w_per_k: Cooling of both front discs at standstill.
        brake_w_per_k_per_mps: Further cooling per m/s of air speed.
    """

    engine_j_per_k: PositiveFloat
    coolant_share: float = Field(gt=0, lt=1)
    thermostat_opens_c: float
    thermostat_open_c: float
    radiator_w_per_k: PositiveFloat
    radiator_w_per_k_per_mps: PositiveFloat
    brake_disc_j_per_k: PositiveFloat
    brake_w_per_k: PositiveFloat
    brake_w_per_k_per_mps: PositiveFloat


class VehicleSpec(FrozenModel):
    """One car. Units are in the names; ``grip_coefficient`` is the one fitted number, the files say from what.

    Attributes:
        mass_kg: Car and driver without fuel.
        rotating_mass_share: Inertia of wheels and driveline as a share of the mass.
        gear_ratios: First gear first.
        driven_weight_share: Static share of the weight on the driven (rear) axle.
        brake_front_n_per_bar: Brake force of the front axle at the tyre per bar of front pressure.
        brake_balance: Share of the brake force on the front axle.
        steering_deg_m: Steering-wheel angle times corner radius, at low speed.
        understeer_deg_per_g: Further steering-wheel angle per g of lateral acceleration.
    """

    name: str
    title: str
    mass_kg: PositiveFloat
    fuel_capacity_kg: PositiveFloat
    rotating_mass_share: float = Field(ge=0, lt=0.3)
    wheel_radius_m: PositiveFloat
    wheelbase_m: PositiveFloat
    cg_height_m: PositiveFloat
    driven_weight_share: float = Field(gt=0, le=1)
    final_drive: PositiveFloat
    gear_ratios: tuple[PositiveFloat, ...] = Field(min_length=1)
    driveline_efficiency: float = Field(gt=0.5, le=1)
    drag_coefficient: PositiveFloat
    lift_coefficient: float
    frontal_area_m2: PositiveFloat
    rolling_resistance: PositiveFloat
    grip_coefficient: PositiveFloat
    brake_front_n_per_bar: PositiveFloat
    brake_rear_n_per_bar: PositiveFloat
    brake_balance: float = Field(gt=0, lt=1)
    steering_deg_m: PositiveFloat
    understeer_deg_per_g: float
    engine: EngineSpec
    thermal: ThermalSpec

    @model_validator(mode="after")
    def _ratios_fall(self) -> Self:
        if any(b >= a for a, b in pairwise(self.gear_ratios)):
            raise ValueError("gear_ratios must fall from first gear to last")
        return self


def vehicle_names() -> list[str]:
    """Names that :func:`load_vehicle` knows, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def load_vehicle(name: str) -> VehicleSpec:
    """Load ``conf/vehicles/<name>.yaml``.

    Raises:
        InputError: If there is no such vehicle or its file does not fit; the message names file and field.
    """
    path = _FOLDER / f"{name}.yaml"
    if name not in vehicle_names():
        raise InputError(f"no vehicle '{name}': choose one of {', '.join(vehicle_names())}")
    with check_input(f"conf/vehicles/{path.name}"):
        return VehicleSpec.model_validate({"name": name, **parse_yaml(path.read_text(encoding="utf-8"))})
