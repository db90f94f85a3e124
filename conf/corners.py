"""Corners as a circuit itself numbers and names them: in a track file, or in a file of their own for a built track."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, model_validator

from conf.errors import check_input
from conf.frozen import FrozenModel
from conf.text_file import read_yaml_mapping


class OfficialCorner(FrozenModel):
    """One corner.

    Attributes:
        number: The circuit's own number; numbers rise in driving order and may leave some out.
        apex_m: About where it bends most, distance from the start/finish line.
        name: Its name; ``None`` for one that has none.
    """

    number: int = Field(ge=1, le=999)
    apex_m: float = Field(ge=0)
    name: str | None = Field(default=None, min_length=1, max_length=60)


class OfficialCorners(FrozenModel):
    """All corners of a circuit: a bend that is not among them is part of a straight.

    Attributes:
        corners: In driving order.
        length_m: Length of the lap that the distances are of; ``None`` where they are of the built line.
    """

    corners: tuple[OfficialCorner, ...] = Field(min_length=1)
    length_m: PositiveFloat | None = None

    @model_validator(mode="after")
    def _corners_rise(self) -> Self:
        check_corner_order(self.corners, self.length_m)
        return self


def check_corner_order(corners: Sequence[OfficialCorner], length_m: float | None) -> None:
    """Refuse corners that are not in driving order, or lie beyond the lap.

    Raises:
        ValueError: If they are not; the message names the corner.
    """
    for before, after in pairwise(corners):
        if after.number <= before.number or after.apex_m <= before.apex_m:
            raise ValueError(
                f"corner {after.number} at {after.apex_m:,.0f} m follows corner {before.number} at "
                f"{before.apex_m:,.0f} m: list corners in driving order, number and apex_m rising"
            )
    if corners and length_m is not None and corners[-1].apex_m >= length_m:
        raise ValueError(
            f"corner {corners[-1].number} at {corners[-1].apex_m:,.0f} m lies beyond the lap's {length_m:,.0f} m"
        )


def read_official_corners(path: Path) -> OfficialCorners:
    """Read a file of corners.

    Raises:
        InputError: If it cannot be read or does not fit; the message names file and field.
    """
    form = "a file of corners is a mapping with a list `corners`, each with number and apex_m"
    content = read_yaml_mapping(path, "a file of corners", form)
    with check_input(str(path)):
        return OfficialCorners.model_validate(content)
