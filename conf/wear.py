"""How simulated cars wear: ``conf/wear.yaml``, loaded into frozen models that reject unknown keys."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Literal, Self, get_args

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from conf.errors import check_input
from conf.frozen import FrozenModel
from conf.yaml_text import parse_yaml

Component = Literal["engine", "gearbox", "brakes", "tyres", "suspension"]
COMPONENTS: tuple[Component, ...] = get_args(Component)
CarFaultKind = Literal["dragging_brake", "missed_downshift", "kerb_strike", "over_rev"]
CAR_FAULT_KINDS: tuple[CarFaultKind, ...] = get_args(CarFaultKind)


class SNCurve(FrozenModel):
    """Cycles that a part bears at its reference load, which is the vehicle's, and how fast they fall with the load.

    At twice the load a part bears ``2 ** exponent`` times fewer.
    """

    exponent: float = Field(ge=1)
    cycles: PositiveFloat


class EngineWear(FrozenModel):
    """Miner over the engine's own cycles, with heat."""

    inertia_share: float = Field(ge=0, le=1)
    crank: SNCurve
    bolts: SNCurve
    reference_c: float
    doubling_k: PositiveFloat


class GearboxWear(FrozenModel):
    """Miner over pulses and rainflow cycles."""

    tooth: SNCurve
    shaft: SNCurve
    sync_inertia_kgm2: PositiveFloat


class BrakeWear(FrozenModel):
    """Archard, with heat."""

    friction: PositiveFloat
    rate_m3_per_nm: PositiveFloat
    volume_front_m3: PositiveFloat
    volume_rear_m3: PositiveFloat
    threshold_c: float
    doubling_k: PositiveFloat


class TyreWear(FrozenModel):
    """Archard."""

    friction: PositiveFloat
    stiffness: PositiveFloat
    rate_m3_per_nm: PositiveFloat
    volume_m3: PositiveFloat


class SuspensionWear(FrozenModel):
    """Miner over the rainflow cycles of the wheel loads."""

    exponent: float = Field(ge=1)
    cycles: PositiveFloat
    track_m: PositiveFloat
    front_roll_share: float = Field(gt=0, lt=1)
    ride_n_per_m: PositiveFloat

    @property
    def curve(self) -> SNCurve:
        """The cycles of a wheel's load that a corner bears."""
        return SNCurve(exponent=self.exponent, cycles=self.cycles)


class SetupSpread(FrozenModel):
    """How far set-ups vary, either way."""

    brake_balance: float = Field(ge=0, lt=0.2)
    final_drive: float = Field(ge=0, lt=0.2)
    front_roll_share: float = Field(ge=0, lt=0.3)
    ride_stiffness: float = Field(ge=0, lt=0.9)
    cooling: float = Field(ge=0, lt=0.9)


class FaultEffect(FrozenModel):
    """What a car fault of a size wears and strains."""

    size: PositiveFloat
    wears: tuple[Component, ...]
    strains: tuple[Component, ...]


class FaultEffects(FrozenModel):
    """Which car fault may touch which components, and by how much the others may move."""

    least: PositiveFloat
    rise: PositiveFloat
    fall: PositiveFloat
    matrix: dict[CarFaultKind, FaultEffect]

    @model_validator(mode="after")
    def _every_kind_has_a_row(self) -> Self:
        missing = set(CAR_FAULT_KINDS) - self.matrix.keys()
        if missing:
            raise ValueError(f"car_faults.matrix has no row for {', '.join(sorted(missing))}")
        if self.rise >= self.least:
            raise ValueError("car_faults.rise must be below car_faults.least")
        return self


class WearRules(FrozenModel):
    """All of ``conf/wear.yaml``."""

    version: PositiveInt
    engine: EngineWear
    gearbox: GearboxWear
    brakes: BrakeWear
    tyres: TyreWear
    suspension: SuspensionWear
    scatter: dict[Component, NonNegativeFloat]
    setups: SetupSpread
    car_faults: FaultEffects

    @model_validator(mode="after")
    def _every_component_scatters(self) -> Self:
        missing = set(COMPONENTS) - self.scatter.keys()
        if missing:
            raise ValueError(f"scatter has no figure for {', '.join(sorted(missing))}")
        return self


def parse_wear_rules(text: str) -> WearRules:
    """Rules from the text of a file.

    Raises:
        pydantic.ValidationError: If a key is unknown or missing, or a figure out of its range.
    """
    return WearRules.model_validate(parse_yaml(text))


@lru_cache
def load_wear_rules() -> WearRules:
    """Load ``conf/wear.yaml``."""
    with check_input("conf/wear.yaml"):
        return parse_wear_rules((files("conf") / "wear.yaml").read_text(encoding="utf-8"))
