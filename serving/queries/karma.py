"""Karma of one car's session without a JVM: its laps, component by component, from ``gold.karma_scores``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, log2
from typing import Final

from analysis.drivers.formatting import describe_choices, format_car
from analysis.timing.car_numbers import digits_of_number
from conf import wear
from conf.errors import InputError
from conf.tables import GOLD_KARMA_SCORES, SILVER_LAPS
from serving.lake.reader import LakeReader
from serving.lake.rows import Row
from serving.queries.circuits import session_track, track_title
from serving.queries.laps import car_number_of

COMPONENTS: Final[tuple[str, ...]] = wear.COMPONENTS
OVERALL: Final = "overall"
FILL: Final = "`slipstream score karma` scores the laps of gold.lap_features"

_LEAST_SCORE: Final = 0.1  # below it a score says nothing more, and its logarithm grows without end

Drive = tuple[str, str]


class KarmaError(InputError):
    """Scores that were asked for are not there, or cannot be shown; the message says what is, or what to do."""


@dataclass(frozen=True)
class KarmaFactor:
    """What makes a lap other than the middle one of the training laps.

    Attributes:
        feature: A factor of ``conf/karma.yaml``.
        percent: By how much it changes the damage per km.
    """

    feature: str
    percent: float


@dataclass(frozen=True)
class ScoringModel:
    """What gave a score; ``None`` where the row does not say."""

    algorithm: str | None
    version: str | None
    run_id: str | None


@dataclass(frozen=True)
class KarmaScore:
    """What one lap did to one component; figures are ``None`` where they are unknown.

    Attributes:
        component: One of ``COMPONENTS``, or ``overall``.
        karma: 0 (hard) to 100 (gentle).
        low: Lower end of its 90 % interval.
        high: Upper end.
        damage_per_km: Share of a life that a kilometre takes; none for overall.
        lap_damage: Share of a life that the lap took.
        cumulative_damage: Share taken in the session up to here.
        laps_counted: Laps in it.
        trend: Slope of karma over the last five laps scored, points a lap.
        remaining_laps: Laps until a part that was new when the session began is worn.
        remaining_low: Lower end of its 90 % interval.
        remaining_high: Upper end.
        factors: What made the lap so, largest first.
        factors_text: The same in words.
        missing_inputs: Inputs of the best model that the lap has no value for.
        channel_set: Inputs that the model used.
        applicability: Share of the inputs within the range of the training laps.
        outside_inputs: Inputs that are not, the farthest first.
        reason: Why there is no score.
        model: What gave it.
    """

    component: str
    karma: float | None
    low: float | None
    high: float | None
    damage_per_km: float | None
    lap_damage: float | None
    cumulative_damage: float | None
    laps_counted: int | None
    trend: float | None
    remaining_laps: float | None
    remaining_low: float | None
    remaining_high: float | None
    factors: tuple[KarmaFactor, ...]
    factors_text: str | None
    missing_inputs: tuple[str, ...]
    channel_set: str | None
    applicability: float | None
    outside_inputs: tuple[str, ...]
    reason: str | None
    model: ScoringModel

    @property
    def wear(self) -> float | None:
        """Damage per km as a multiple of the reference at which karma is 50."""
        return None if self.karma is None else relative_damage(self.karma)


@dataclass(frozen=True)
class KarmaLap:
    """One lap.

    Attributes:
        number: Its number.
        time_ms: Lap time.
        distance_km: Distance driven.
        end_us: Its end, microseconds since the epoch.
        scores: Component to score.
    """

    number: int
    time_ms: int | None
    distance_km: float | None
    end_us: int | None
    scores: Mapping[str, KarmaScore]

    @property
    def karma(self) -> float | None:
        """The overall score."""
        return self.scores[OVERALL].karma if OVERALL in self.scores else None

    @property
    def reason(self) -> str | None:
        """Why it has no overall score; ``None`` where it has one."""
        if self.karma is not None:
            return None
        own = (self.scores[name].reason for name in (OVERALL, *COMPONENTS) if name in self.scores)
        return next((reason for reason in own if reason), "no overall score")

    @property
    def hardest(self) -> KarmaScore | None:
        """The component with the lowest score."""
        scored = [s for name in COMPONENTS if (s := self.scores.get(name)) is not None and s.karma is not None]
        return min(scored, key=lambda s: s.karma or 0.0, default=None)


@dataclass(frozen=True)
class KarmaReport:
    """One car's session.

    Attributes:
        session_id: Session.
        vehicle_id: Vehicle.
        car_number: Number it raced under, as text.
        track: Name of the track.
        laps: Laps by number, those without a score among them.
        is_synthetic: Whether the data are simulated.
        versions: Delta version of every table that the report shows.
    """

    session_id: str
    vehicle_id: str
    car_number: str | None
    track: str | None
    laps: tuple[KarmaLap, ...]
    is_synthetic: bool
    versions: dict[str, int]

    @property
    def car(self) -> str:
        """The vehicle with its number."""
        return format_car(self.vehicle_id, self.car_number)

    @property
    def scored(self) -> tuple[KarmaLap, ...]:
        """Laps with an overall score."""
        return tuple(lap for lap in self.laps if lap.karma is not None)

    def of(self, component: str) -> tuple[tuple[KarmaLap, KarmaScore], ...]:
        """Laps with a score of a component, by number."""
        own = ((lap, lap.scores.get(component)) for lap in self.laps)
        return tuple((lap, score) for lap, score in own if score is not None and score.karma is not None)

    @property
    def components(self) -> tuple[str, ...]:
        """Components that have a score on any lap."""
        return tuple(name for name in COMPONENTS if self.of(name))

    @property
    def models(self) -> tuple[ScoringModel, ...]:
        """What gave the scores, as a rule one."""
        return tuple(dict.fromkeys(s.model for lap in self.laps for s in lap.scores.values() if s.karma is not None))


def read_karma_session(lake: LakeReader, vehicle: str, session: str | None = None) -> KarmaReport:
    """Read the scores of one car's session.

    Args:
        lake: The lake.
        vehicle: Vehicle id, or the number it raced under.
        session: Session; may be left out where the vehicle has scores in only one.

    Raises:
        LakeError: If ``gold.karma_scores`` is not there or cannot be read.
        KarmaError: If there are no scores of such a session or vehicle, or it has some in several sessions.
    """
    now = lake.snapshot()
    numbers = _numbers(now)
    session_id, vehicle_id = resolve_vehicle_session(_drives(now), numbers, vehicle, session)
    rows = now.rows(GOLD_KARMA_SCORES, {"session_id": session_id, "vehicle_id": vehicle_id}, order_by=("lap_number",))
    track_id = session_track(now, session_id)
    return KarmaReport(
        session_id=session_id,
        vehicle_id=vehicle_id,
        car_number=numbers.get((session_id, vehicle_id)),
        track=None if track_id is None else track_title(now, track_id),
        laps=group_laps(rows),
        is_synthetic=any(row["is_synthetic"] for row in rows),
        versions=now.versions,
    )


def resolve_vehicle_session(
    drives: Collection[Drive], numbers: Mapping[Drive, str], vehicle: str, session: str | None
) -> Drive:
    """Resolve the session and vehicle that the user named.

    Args:
        drives: Session and vehicle of all scores.
        numbers: Numbers that the vehicles raced under, where known.
        vehicle: Vehicle id or number.
        session: Session, if one was named.

    Raises:
        KarmaError: If there is none, or more than one.
    """
    if not drives:
        raise KarmaError(f"{GOLD_KARMA_SCORES} has no rows yet: {FILL}")
    here = [drive for drive in drives if session in (None, drive[0])]
    if not here:
        raise KarmaError(
            f"no lap of session '{session}' is scored: {describe_choices('sessions', (s for s, _ in drives))}; {FILL}"
        )
    found = [drive for drive in here if drive[1] == vehicle]
    found = found or [d for d in here if numbers.get(d) == vehicle]
    found = found or [d for d in here if vehicle.isdecimal() and digits_of_number(numbers.get(d)) == int(vehicle)]
    if not found:
        where = "" if session is None else f" in session '{session}'"
        those = describe_choices("vehicles with scores", (_car(drive, numbers) for drive in here))
        raise KarmaError(f"no lap of vehicle '{vehicle}' is scored{where}: {those}; {FILL}")
    if len({v for _, v in found}) > 1:
        names = (f"{_car(drive, numbers)} in {drive[0]}" for drive in found)
        raise KarmaError(f"number {vehicle} is not of one vehicle, name an id: {describe_choices('vehicles', names)}")
    if len(found) > 1:
        sessions = describe_choices("sessions", (s for s, _ in found))
        raise KarmaError(f"{_car(found[0], numbers)} drove in several; name one with --session: {sessions}")
    return found[0]


def group_laps(rows: Iterable[Row]) -> tuple[KarmaLap, ...]:
    """Laps by number, from rows of ``gold.karma_scores``."""
    by_lap: dict[int, list[Row]] = {}
    for row in rows:
        by_lap.setdefault(row["lap_number"], []).append(row)
    return tuple(
        KarmaLap(
            number=number,
            time_ms=own[0]["lap_time_ms"],
            distance_km=own[0]["distance_km"],
            end_us=own[0]["lap_end_ts"],
            scores={row["component"]: _score_of(row) for row in own},
        )
        for number, own in sorted(by_lap.items())
    )


def choose_comparison(found: KarmaReport, numbers: Sequence[int] | None = None) -> tuple[KarmaLap, KarmaLap] | None:
    """Choose two laps to compare: those named, else the gentlest and the hardest; ``None`` if there are not two.

    Raises:
        KarmaError: If a lap that was named is not there or not scored.
    """
    if numbers is not None:
        first, second = (_scored_lap(found, number) for number in numbers)
        return first, second
    by_karma = sorted(found.scored, key=lambda lap: -(lap.karma or 0.0))
    return (by_karma[0], by_karma[-1]) if len(by_karma) > 1 else None


def relative_damage(karma: float) -> float:
    """Return damage per km as a multiple of the reference, the inverse of ``karma = 100 * 2^(-wear)``."""
    return log2(100.0 / max(karma, _LEAST_SCORE))


def _scored_lap(found: KarmaReport, number: int) -> KarmaLap:
    own = {lap.number: lap for lap in found.laps}
    scored = describe_choices("laps with a score", (str(lap.number) for lap in found.scored))
    if number not in own:
        raise KarmaError(f"{found.car} has no lap {number} in {found.session_id}: {scored}")
    if (reason := own[number].reason) is not None:
        raise KarmaError(f"lap {number} of {found.car} is not scored ({reason}): {scored}")
    return own[number]


def _score_of(row: Row) -> KarmaScore:
    return KarmaScore(
        component=row["component"],
        karma=row["karma_score"],
        low=row["karma_low"],
        high=row["karma_high"],
        damage_per_km=row["damage_per_km"],
        lap_damage=row["lap_damage"],
        cumulative_damage=row["cumulative_damage"],
        laps_counted=row["laps_counted"],
        trend=row["trend"],
        remaining_laps=_finite(row["remaining_laps"]),
        remaining_low=_finite(row["remaining_laps_low"]),
        remaining_high=_finite(row["remaining_laps_high"]),
        factors=tuple(KarmaFactor(f["feature"], f["contribution"]) for f in row["top_factors"] or ()),
        factors_text=row["factors_text"],
        missing_inputs=tuple(row["missing_inputs"] or ()),
        channel_set=row["channel_set"],
        applicability=row["applicability"],
        outside_inputs=tuple(row["outside_inputs"] or ()),
        reason=row["not_scored_reason"],
        model=ScoringModel(row["algorithm"], row["model_version"], row["mlflow_run_id"]),
    )


def _finite(value: float | None) -> float | None:
    """``None`` in place of the endless life of a part that does not wear."""
    return value if value is not None and isfinite(value) else None


def _drives(lake: LakeReader) -> list[Drive]:
    rows = lake.rows(GOLD_KARMA_SCORES, columns=("session_id", "vehicle_id"), distinct=True)
    return sorted((row["session_id"], row["vehicle_id"]) for row in rows)


def _numbers(lake: LakeReader) -> dict[Drive, str]:
    """Numbers that vehicles raced under; none where there are no laps of silver, or without a number."""
    rows = lake.rows(SILVER_LAPS, missing_ok=True)
    numbers = {(row["session_id"], row["vehicle_id"]): car_number_of(row) for row in rows}
    return {drive: number for drive, number in numbers.items() if number is not None}


def _car(drive: Drive, numbers: Mapping[Drive, str]) -> str:
    return format_car(drive[1], numbers.get(drive))
