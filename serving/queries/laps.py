"""Laps of ``silver.laps`` without a JVM: those of a session, one by its name, the best of a vehicle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from analysis.drivers.formatting import describe_choices, format_car, format_count, format_lap_time
from analysis.laps.distance import MAX_SILENCE_S
from conf.errors import InputError
from conf.frozen import FrozenModel
from conf.tables import SILVER_LAPS
from serving.lake.reader import LakeReader
from serving.lake.rows import Row

BEST = "best"
PACE = "pace"
_FILL_LAPS = f" yet, `slipstream run` fills {SILVER_LAPS}"


class LapError(InputError):
    """A lap that was asked for is not there; the message names those that are."""


@dataclass(frozen=True)
class LapName:
    """What a user calls a lap: ``SESSION/VEHICLE/LAP``.

    Attributes:
        session_id: Session.
        vehicle: Vehicle id, or the number it raced under.
        lap_number: Number; ``None`` for the vehicle's best lap that will do.
    """

    session_id: str
    vehicle: str
    lap_number: int | None

    @classmethod
    def parse(cls, text: str) -> LapName:
        """Take a name apart.

        Raises:
            LapError: If it is not of that form.
        """
        session, vehicle, lap = parts if len(parts := text.split("/")) == 3 else ("", "", "")
        if not (session and vehicle and (lap == BEST or lap.isdecimal())):
            raise LapError(
                f"'{text}' names no lap: write SESSION/VEHICLE/LAP, where VEHICLE is an id or a race number and LAP a "
                f"number or '{BEST}' (`slipstream laps list` shows them)"
            )
        return cls(session, vehicle, None if lap == BEST else int(lap))


@dataclass(frozen=True)
class LapRow:
    """One lap as ``silver.laps`` has it; ``None`` where a figure is unknown.

    Attributes:
        vehicle_number: Digits of the number it raced under.
        start_us: Start in the time of ``silver.telemetry.event_ts``, microseconds since the epoch.
        end_us: End.
        lap_time_ms: Lap time.
        sectors_s: The three sector times.
        lap_time_source: ``official``, ``start_end`` or ``telemetry``.
        invalid_reasons: What speaks against it, see ``conf/laps.yaml``.
        fit_for: Purposes it may be used for.
        flag_at_finish: Flag at the line.
        sample_count: Rows of telemetry within it.
        telemetry_gap_s: Longest time within it without one.
        conflicts: Where the sources contradict each other.
        car_number: Number it raced under, as text.
    """

    session_id: str
    vehicle_id: str
    lap_number: int
    vehicle_number: int | None
    start_us: int | None
    end_us: int | None
    lap_time_ms: int | None
    sectors_s: tuple[float | None, float | None, float | None]
    lap_time_source: str | None
    is_valid: bool
    invalid_reasons: tuple[str, ...]
    fit_for: tuple[str, ...]
    flag_at_finish: str | None
    pit_in: bool
    pit_time_s: float | None
    top_speed_kmh: float | None
    sample_count: int
    telemetry_gap_s: float | None
    conflicts: tuple[str, ...]
    is_synthetic: bool
    car_number: str | None

    @property
    def uid(self) -> str:
        """``session/vehicle/lap``."""
        return f"{self.session_id}/{self.vehicle_id}/{self.lap_number}"

    @property
    def lap_time_s(self) -> float | None:
        """Lap time."""
        return None if self.lap_time_ms is None else self.lap_time_ms / 1000.0

    @property
    def is_covered(self) -> bool:
        """Whether it has telemetry, without a gap so long that no source of distance bridges it."""
        return self.sample_count > 0 and (self.telemetry_gap_s or 0.0) <= MAX_SILENCE_S

    @property
    def car(self) -> str:
        """The vehicle with its number, e.g. ``GR86-022-13 (13)``."""
        return format_car(self.vehicle_id, self.car_number)

    @property
    def pace_notes(self) -> tuple[str, ...]:
        """What to know of a lap that is not fit for pace; nothing of one that is."""
        return () if PACE in self.fit_for else (f"{self.uid} is not fit for pace ({', '.join(self.invalid_reasons)})",)


class ListedLap(FrozenModel):
    """A lap as programs read it, by the names of ``silver.laps``; the sector times are in seconds."""

    lap_uid: str
    session_id: str
    vehicle_id: str
    vehicle_number: int | None
    car_number: str | None
    lap_number: int
    lap_time_s: float | None
    sector_1_time: float | None
    sector_2_time: float | None
    sector_3_time: float | None
    lap_time_source: str | None
    is_valid: bool
    invalid_reasons: tuple[str, ...]
    fit_for: tuple[str, ...]
    flag_at_finish: str | None
    pit_in: bool
    top_speed_kmh: float | None
    sample_count: int
    conflicts: tuple[str, ...]
    is_synthetic: bool

    @classmethod
    def of(cls, lap: LapRow) -> Self:
        """The lap of a row."""
        sectors: dict[str, Any] = {f"sector_{k}_time": time_s for k, time_s in enumerate(lap.sectors_s, start=1)}
        own = {name: getattr(lap, name) for name in cls.model_fields if name not in sectors and name != "lap_uid"}
        return cls(lap_uid=lap.uid, **sectors, **own)


def summarize_laps(laps: Sequence[LapRow]) -> str:
    """How many laps of how many vehicles, and the best."""
    cars, fit = len({lap.vehicle_id for lap in laps}), sum(PACE in lap.fit_for for lap in laps)
    best = find_best_lap(laps)
    found = f"; the best is {format_lap_time(best.lap_time_s)} by {best.car} on lap {best.lap_number}" if best else ""
    return f"{format_count(len(laps), 'lap')} of {format_count(cars, 'vehicle')}, {fit:,} fit for pace{found}"


def read_laps(lake: LakeReader, session_id: str | None = None) -> tuple[LapRow, ...]:
    """Laps of a session, or of all, by session, vehicle and number.

    Raises:
        LakeError: If ``silver.laps`` cannot be read.
        LapError: If the session has none; the message names those that have.
    """
    where = {} if session_id is None else {"session_id": session_id}
    rows = lake.rows(SILVER_LAPS, where, order_by=("session_id", "vehicle_id", "lap_number"))
    if session_id is not None and not rows:
        raise LapError(
            f"no laps of session '{session_id}': {describe_choices('sessions', sessions_with_laps(lake), _FILL_LAPS)}"
        )
    return tuple(_lap_of(row) for row in rows)


def sessions_with_laps(lake: LakeReader) -> tuple[str, ...]:
    """Sessions that have laps, sorted."""
    return tuple(sorted(lake.frame(SILVER_LAPS, columns=("session_id",), distinct=True)["session_id"].to_list()))


def choose_session(lake: LakeReader, session_id: str | None) -> str:
    """The session that was named, or the only one there is.

    Raises:
        LapError: If none was named and there are several, or none.
    """
    if session_id is not None:
        return session_id
    found = sessions_with_laps(lake)
    if len(found) != 1:
        raise LapError(f"name a session with --session: {describe_choices('sessions', found, _FILL_LAPS)}")
    return found[0]


def laps_of_vehicle(laps: Sequence[LapRow], vehicle: str) -> tuple[LapRow, ...]:
    """Laps of one vehicle of a session, by its id or the number it raced under.

    Raises:
        LapError: If there is no such vehicle, or a number is that of several; the message names those there are.
    """
    own = [lap for lap in laps if lap.vehicle_id == vehicle]
    own = own or [lap for lap in laps if lap.car_number == vehicle]
    own = own or [lap for lap in laps if vehicle.isdecimal() and lap.vehicle_number == int(vehicle)]
    cars = dict.fromkeys(lap.car for lap in own or laps)
    if not own:
        raise LapError(f"session {laps[0].session_id} has no vehicle '{vehicle}': {describe_choices('vehicles', cars)}")
    if len({lap.vehicle_id for lap in own}) > 1:
        raise LapError(
            f"number {vehicle} is not of one vehicle in {laps[0].session_id}: {describe_choices('vehicles', cars)}"
        )
    return tuple(own)


def find_lap(lake: LakeReader, name: LapName) -> LapRow:
    """The lap of a name.

    Raises:
        LakeError: If ``silver.laps`` cannot be read.
        LapError: If there is no such lap; the message names those there are.
    """
    laps = laps_of_vehicle(read_laps(lake, name.session_id), name.vehicle)
    if name.lap_number is None:
        if (best := find_best_lap(laps)) is None:
            raise LapError(f"{laps[0].car} has no lap fit for pace in {name.session_id}: {_why(laps)}")
        return best
    found = [lap for lap in laps if lap.lap_number == name.lap_number]
    if not found:
        numbers = describe_choices("laps", (str(lap.lap_number) for lap in laps))
        raise LapError(f"{laps[0].car} has no lap {name.lap_number} in {name.session_id}: {numbers}")
    return found[0]


def find_best_lap(laps: Iterable[LapRow]) -> LapRow | None:
    """The quickest lap fit for pace, the first of equal ones; ``None`` where there is none."""
    return next(iter(rank_by_time(laps)), None)


def rank_by_time(laps: Iterable[LapRow]) -> list[LapRow]:
    """Laps fit for pace, the quickest first; equal ones by vehicle and number."""
    fit = [lap for lap in laps if PACE in lap.fit_for and lap.lap_time_ms is not None]
    return sorted(fit, key=lambda lap: (lap.lap_time_ms or 0, lap.vehicle_id, lap.lap_number))


def _lap_of(row: Row) -> LapRow:
    def listed(name: str) -> tuple[Any, ...]:
        return tuple(row[name] or ())

    return LapRow(
        session_id=row["session_id"],
        vehicle_id=row["vehicle_id"],
        lap_number=row["lap_number"],
        vehicle_number=row["vehicle_number"],
        start_us=row["lap_start_ts"],
        end_us=row["lap_end_ts"],
        lap_time_ms=row["lap_time_ms"],
        sectors_s=(row["sector_1_time"], row["sector_2_time"], row["sector_3_time"]),
        lap_time_source=row["lap_time_source"],
        is_valid=bool(row["is_valid"]),
        invalid_reasons=listed("invalid_reasons"),
        fit_for=listed("fit_for"),
        flag_at_finish=row["flag_at_finish"],
        pit_in=bool(row["pit_in"]),
        pit_time_s=row["pit_time_s"],
        top_speed_kmh=row["top_speed_kmh"],
        sample_count=row["sample_count"] or 0,
        telemetry_gap_s=row["telemetry_gap_s"],
        conflicts=listed("conflicts"),
        is_synthetic=bool(row["is_synthetic"]),
        car_number=car_number_of(row),
    )


def car_number_of(row: Row) -> str | None:
    """Number a car raced under, of a row; its digits in a table from before numbers were text."""
    number = row["vehicle_number"]
    return row.get("car_number") or (None if number is None else str(number))


def _why(laps: Iterable[LapRow]) -> str:
    """What each lap is unfit for."""
    return "; ".join(f"lap {lap.lap_number} {', '.join(lap.invalid_reasons) or 'has no time'}" for lap in laps)
