"""How laps are scored for wear: ``conf/karma.yaml``, loaded into frozen models that reject unknown keys."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from conf.errors import InputError, check_input
from conf.frozen import FrozenModel
from conf.wear import COMPONENTS, Component
from conf.yaml_text import parse_yaml

DEFAULT_VEHICLE: Final = "gr86-cup"
"""Whose references scores are held to where nobody says."""


class Factor(FrozenModel):
    """A group of inputs under one name, and the words for more and for less of it."""

    inputs: tuple[str, ...]
    more: str
    less: str


class KarmaRules(FrozenModel):
    """All of ``conf/karma.yaml``; what figures mean stands there."""

    version: PositiveInt
    interval: float = Field(gt=0, lt=1)
    least_coverage: float = Field(ge=0, le=1)
    least_share_of_lap: float = Field(ge=0, lt=1)
    rate_laps: PositiveInt
    sequence_laps: PositiveInt
    rule: dict[Component, str]
    references: dict[str, dict[Component, PositiveFloat]]
    inputs: dict[str, tuple[str, ...]]
    sets: dict[str, tuple[str, ...]]
    factors: dict[str, Factor]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, groups in self.sets.items():
            unknown = set(groups) - self.inputs.keys()
            if unknown:
                raise ValueError(f"sets.{name} names unknown inputs {', '.join(sorted(unknown))}")
        every = [name for group in self.inputs.values() for name in group]
        explained = [name for factor in self.factors.values() for name in factor.inputs]
        if sorted(every) != sorted(explained):
            raise ValueError(
                "each input belongs to one factor; differs at "
                f"{', '.join(sorted(set(every) ^ set(explained))) or 'an input that is named twice'}"
            )
        named = {"rule": set(self.rule)} | {name: set(given) for name, given in self.references.items()}
        for name, components in named.items():
            missing = set(COMPONENTS) - components
            if missing:
                raise ValueError(f"{name} has no entry for {', '.join(sorted(missing))}")
        return self

    def columns(self, name: str) -> tuple[str, ...]:
        """Columns of ``gold.lap_features`` that a set of inputs is made of."""
        return tuple(column for group in self.sets[name] for column in self.inputs[group])

    @property
    def best_set(self) -> str:
        """The set that needs most."""
        return next(iter(self.sets))

    def reference(self, vehicle: str) -> dict[Component, float]:
        """Damage per km at which a lap scores 50.

        Raises:
            InputError: If there is none for the vehicle.
        """
        if vehicle not in self.references:
            known = ", ".join(self.references)
            raise InputError(
                f"conf/karma.yaml has no references for the vehicle '{vehicle}': there are {known}; add its own under "
                "references, or choose one of these"
            )
        return self.references[vehicle]


def parse_karma_rules(text: str) -> KarmaRules:
    """Rules from the text of a file.

    Raises:
        pydantic.ValidationError: If a key is unknown or missing, or a figure out of its range.
    """
    return KarmaRules.model_validate(parse_yaml(text))


@lru_cache
def load_karma_rules() -> KarmaRules:
    """Load ``conf/karma.yaml``."""
    with check_input("conf/karma.yaml"):
        return parse_karma_rules((files("conf") / "karma.yaml").read_text(encoding="utf-8"))
