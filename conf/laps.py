"""Reasons against using a lap, and the purposes a lap is fit for: ``conf/laps.yaml``, loaded into frozen models."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Literal, Self

from pydantic import PositiveFloat, PositiveInt, model_validator

from conf.errors import check_input
from conf.frozen import FrozenModel
from conf.yaml_text import parse_yaml

Caution = Literal["fcy", "sc", "red"]
"""Full course yellow, safety car, red flag."""


class ReasonLimits(FrozenModel):
    """Limits from which a reason applies."""

    max_lap_number: PositiveInt
    min_lap_time_s: PositiveFloat
    slow_lap_ratio: PositiveFloat
    short_lap_ratio: PositiveFloat
    slow_field_ratio: PositiveFloat
    sector_sum_tolerance_ms: PositiveFloat
    feed_tolerance_ms: PositiveFloat
    telemetry_gap_s: PositiveFloat
    silent_share: PositiveFloat


class LapReason(FrozenModel):
    """A reason against using a lap.

    Attributes:
        text: What it means.
        invalidates: Whether the lap is invalid for it.
        unfit_for: Purposes that the lap is unfit for.
    """

    text: str
    invalidates: bool
    unfit_for: tuple[str, ...]


class LapRules(FrozenModel):
    """All reasons, the flags of cautions, and the purposes that laps are used for."""

    purposes: dict[str, str]
    limits: ReasonLimits
    cautions: dict[Caution, tuple[str, ...]]
    reasons: dict[str, LapReason]

    @model_validator(mode="after")
    def _purposes_are_known(self) -> Self:
        for name, reason in self.reasons.items():
            unknown = set(reason.unfit_for) - self.purposes.keys()
            if unknown:
                raise ValueError(f"reason {name} names unknown purposes {sorted(unknown)}")
        return self

    def is_valid(self, reasons: Iterable[str]) -> bool:
        """Whether a lap with these reasons is valid."""
        return not any(self.reasons[r].invalidates for r in reasons)

    def unfit_for(self, reasons: Iterable[str]) -> dict[str, list[str]]:
        """Purposes that a lap with these reasons is unfit for, each with its reasons."""
        given = list(reasons)
        against = {p: [r for r in given if p in self.reasons[r].unfit_for] for p in self.purposes}
        return {purpose: why for purpose, why in against.items() if why}

    def fit_for(self, reasons: Iterable[str]) -> list[str]:
        """Purposes that a lap with these reasons is fit for."""
        unfit = self.unfit_for(reasons)
        return [purpose for purpose in self.purposes if purpose not in unfit]


@lru_cache
def caution_of_flag(flag: str | None) -> Caution | None:
    """The caution that a flag at the line says, ``None`` for green, finish, no flag, and one that is not known."""
    code = (flag or "").strip().upper()
    return next((caution for caution, flags in load_lap_rules().cautions.items() if code in flags), None)


@lru_cache
def load_lap_rules() -> LapRules:
    """Load ``conf/laps.yaml``."""
    text = (files("conf") / "laps.yaml").read_text(encoding="utf-8")
    with check_input("conf/laps.yaml"):
        return LapRules.model_validate(parse_yaml(text))
