"""How laps are cut for the ghost: ``conf/ghost.yaml``, loaded into a frozen model."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from conf.errors import check_input
from conf.frozen import FrozenModel
from conf.yaml_text import parse_yaml


class CoachingRules(FrozenModel):
    """Thresholds from which a difference is reported; ``conf/ghost.yaml`` explains each figure."""

    least_loss_s: PositiveFloat
    medium_loss_s: PositiveFloat
    high_loss_s: PositiveFloat
    brake_early_m: PositiveFloat
    brake_weak_share: PositiveFloat
    slow_apex_kmh: PositiveFloat
    slow_entry_kmh: PositiveFloat
    power_late_m: PositiveFloat
    lift_m: PositiveFloat

    def severity(self, time_loss_s: float) -> Literal["low", "medium", "high"]:
        """How much a loss matters."""
        if time_loss_s >= self.high_loss_s:
            return "high"
        return "medium" if time_loss_s >= self.medium_loss_s else "low"


class SmoothingRules(FrozenModel):
    """The Savitzky-Golay filter; what each figure means stands in ``conf/ghost.yaml``."""

    window_m: PositiveFloat
    polyorder: PositiveInt

    @model_validator(mode="after")
    def _fits(self) -> SmoothingRules:
        if self.window_m <= self.polyorder + 1:
            raise ValueError(f"window_m is {self.window_m:g}: a polynomial of order {self.polyorder} needs more metres")
        return self


class ChainingRules(FrozenModel):
    """How many candidates are drawn and kept; what each figure means stands in ``conf/ghost.yaml``."""

    per_entry: PositiveInt
    beam: PositiveInt
    bin_kmh: PositiveFloat
    starts: PositiveInt
    closure_kmh: PositiveFloat
    margin_mps2: float
    engine_n: PositiveFloat
    both_pedals_m: NonNegativeFloat


class FeasibilityRules(FrozenModel):
    """What a ghost may do; what each figure means stands in ``conf/ghost.yaml``."""

    envelope_mps2: PositiveFloat
    shown_quantile: float = Field(ge=0.0, le=1.0)
    shown_within_m: NonNegativeFloat
    junction_gap_kmh: PositiveFloat
    overlap_throttle_pct: PositiveFloat
    overlap_brake_bar: PositiveFloat
    rpm: NonNegativeFloat
    mass_kg: PositiveFloat
    engine_n: PositiveFloat
    engine_over_m: PositiveFloat


class GhostRules(FrozenModel):
    """Thresholds and lengths; what each means stands in ``conf/ghost.yaml``."""

    version: PositiveInt
    brake_on_bar: PositiveFloat
    brake_on_mps2: PositiveFloat
    turn_lateral_g: PositiveFloat
    shortest_zone_m: PositiveFloat
    longest_microsector_m: PositiveFloat
    stitched_zone_m: PositiveFloat
    fast_lap_ratio: PositiveFloat
    coaching: CoachingRules
    smoothing: SmoothingRules
    chaining: ChainingRules
    feasibility: FeasibilityRules


@lru_cache(maxsize=1)
def load_ghost_rules() -> GhostRules:
    """Load ``conf/ghost.yaml``."""
    with check_input("conf/ghost.yaml"):
        return GhostRules.model_validate(parse_yaml((files("conf") / "ghost.yaml").read_text(encoding="utf-8")))
