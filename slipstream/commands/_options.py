"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from slipstream.commands._aliases import rename_flags

DEFAULT_REFERENCE_CAR: Final = "gr86-cup"
WithReferenceCar = rename_flags({"--model-of-car": "--reference-car"})


def _above_zero(speed: float | None) -> float | None:
    if speed is not None and not speed > 0:
        raise typer.BadParameter("must be above zero; leave it out to send as fast as possible")
    return speed


Topic = Annotated[
    str | None,
    typer.Option(show_default="telemetry.raw", help="Kafka topic; must exist (`slipstream up` creates it)."),
]
Speed = Annotated[
    float | None,
    typer.Option(
        callback=_above_zero,
        help="Times real time: 1 is real time, 10 ten times as fast. Default: as fast as possible.",
    ),
]
