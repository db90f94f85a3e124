"""Track files: ``conf/tracks/<name>.yaml`` loaded into frozen models that reject unknown keys."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, model_validator

from conf.corners import OfficialCorner, check_corner_order
from conf.drawn_track import draw_track, parse_drawn_number
from conf.errors import InputError, check_input
from conf.frozen import FrozenModel
from conf.yaml_text import parse_yaml

_FOLDER = Path(__file__).parent / "tracks"


class StraightSpec(FrozenModel):
    """A straight piece of road."""

    straight_m: PositiveFloat

    @property
    def length_m(self) -> float:
        """Length along the centre line."""
        return self.straight_m

    @property
    def curvature_per_m(self) -> float:
        """Zero."""
        return 0.0


class ArcSpec(FrozenModel):
    """A bend of constant radius; a positive angle turns left."""

    radius_m: float = Field(ge=8)
    angle_deg: float = Field(ge=-300, le=300)

    @property
    def length_m(self) -> float:
        """Length along the centre line."""
        return self.radius_m * abs(math.radians(self.angle_deg))

    @property
    def curvature_per_m(self) -> float:
        """Signed curvature, positive to the left."""
        return math.copysign(1.0 / self.radius_m, self.angle_deg)


class TrackSpec(FrozenModel):
    """A closed circuit of straights and arcs; the first segment begins at the start/finish line.

    Attributes:
        sector_ends_m: Distance from the line at which each sector but the last ends.
        corners: Corners by the circuit's own numbers and names; without them each bend is numbered in driving order.
    """

    name: str
    title: str
    width_m: PositiveFloat
    sector_ends_m: tuple[PositiveFloat, ...]
    segments: tuple[StraightSpec | ArcSpec, ...] = Field(min_length=2)
    corners: tuple[OfficialCorner, ...] = ()

    @property
    def length_m(self) -> float:
        """Length of one lap along the centre line."""
        return sum(segment.length_m for segment in self.segments)

    @model_validator(mode="after")
    def _sectors_rise(self) -> Self:
        edges = (0.0, *self.sector_ends_m, self.length_m)
        if any(b <= a for a, b in pairwise(edges)):
            raise ValueError(f"sector_ends_m must rise and stay under the lap's {self.length_m:.1f} m")
        return self

    @model_validator(mode="after")
    def _corners_rise(self) -> Self:
        check_corner_order(self.corners, self.length_m)
        return self


def track_names() -> list[str]:
    """Names of the track files, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def is_track(name: str) -> bool:
    """Whether :func:`load_track` knows a name, those of drawn circuits among them."""
    return parse_drawn_number(name) is not None or name in track_names()


def load_track(name: str) -> TrackSpec:
    """Load ``conf/tracks/<name>.yaml``, or the circuit that a name like ``drawn-7`` stands for.

    Raises:
        InputError: If there is no such track or its file does not fit; the message names file and field.
    """
    number = parse_drawn_number(name)
    if number is not None:
        return TrackSpec.model_validate({"name": name, **draw_track(number)})
    path = _FOLDER / f"{name}.yaml"
    if name not in track_names():
        raise InputError(f"no track '{name}': choose one of {', '.join(track_names())}, or drawn-1, drawn-2, …")
    with check_input(f"conf/tracks/{path.name}"):
        return TrackSpec.model_validate({"name": name, **parse_yaml(path.read_text(encoding="utf-8"))})
