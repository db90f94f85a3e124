"""A car's karma as programs read it."""

from __future__ import annotations

from analysis.timing.car_numbers import digits_of_number
from conf.frozen import FrozenModel
from serving.queries.karma import KarmaLap, KarmaReport, KarmaScore
from serving.reports.karma_text import find_first_concern, limitations, summary


class FirstLook(FrozenModel):
    """The component to look at first, and the lap that says so."""

    component: str
    lap_number: int


class KarmaLapAnswer(FrozenModel):
    """One lap with its scores, or why it has none."""

    lap_number: int
    lap_time_ms: int | None
    not_scored_reason: str | None
    scores: tuple[KarmaScore, ...]


class KarmaAnswer(FrozenModel):
    """One car's session.

    Attributes:
        compared_laps: Numbers of the two laps that are compared.
        glance: The report in a few sentences.
        trust: How far to trust the scores.
        table_versions: Delta version of every table that the report shows.
    """

    session_id: str
    vehicle_id: str
    vehicle_number: int | None
    car_number: str | None
    track: str | None
    is_synthetic: bool
    look_first: FirstLook | None
    compared_laps: tuple[int, int] | None
    glance: tuple[str, ...]
    trust: tuple[str, ...]
    table_versions: dict[str, int]
    laps: tuple[KarmaLapAnswer, ...]


def answer_karma(found: KarmaReport, pair: tuple[KarmaLap, KarmaLap] | None) -> KarmaAnswer:
    """The report for programs, with the two laps that are compared."""
    first = find_first_concern(found)
    return KarmaAnswer(
        session_id=found.session_id,
        vehicle_id=found.vehicle_id,
        vehicle_number=digits_of_number(found.car_number),
        car_number=found.car_number,
        track=found.track,
        is_synthetic=found.is_synthetic,
        look_first=None if first is None else FirstLook(component=first[1].component, lap_number=first[0].number),
        compared_laps=None if pair is None else (pair[0].number, pair[1].number),
        glance=tuple(summary(found)),
        trust=tuple(limitations(found)),
        table_versions=found.versions,
        laps=tuple(_lap_answer(lap) for lap in found.laps),
    )


def _lap_answer(lap: KarmaLap) -> KarmaLapAnswer:
    return KarmaLapAnswer(
        lap_number=lap.number,
        lap_time_ms=lap.time_ms,
        not_scored_reason=lap.reason,
        scores=tuple(lap.scores.values()),
    )
