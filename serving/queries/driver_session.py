"""What the lake knows of one driver's session, gathered for a report; what is missing says which command fills it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from analysis.drivers.formatting import format_lap_time
from analysis.tracks.circuit import Circuit
from conf.frozen import FrozenModel
from conf.tables import (
    GOLD_DPTAD_EVENTS,
    GOLD_DPTAD_SCORES,
    GOLD_DRIVER_SUMMARY,
    GOLD_FLEET_SUMMARY,
    GOLD_KARMA_SCORES,
    GOLD_SIWTL,
    GOLD_STINTS,
    GOLD_STYLE_PREDICTIONS,
    SILVER_DRIVERS,
    SILVER_LAPS,
    SILVER_RESULTS,
    SILVER_SESSIONS,
    SILVER_TELEMETRY,
    SILVER_TRACKS,
)
from serving.lake.reader import LakeReader
from serving.lake.rows import Row, Value
from serving.lake.store import command_that_fills
from serving.queries.circuits import CircuitError, find_session_circuit, session_track, track_title
from serving.queries.comparison import ComparedLaps, LapComparisonAnswer, compare_loaded_laps
from serving.queries.driver_style import SessionStyle, StyleLap, read_session_style
from serving.queries.karma import KarmaReport, group_laps
from serving.queries.lap_traces import LoadedLap, car_plateaus_pct, load_first_trace, load_lap_trace
from serving.queries.laps import LapError, LapRow, ListedLap, find_best_lap, laps_of_vehicle, rank_by_time, read_laps

TABLES: Final = (
    SILVER_LAPS,
    SILVER_RESULTS,
    SILVER_SESSIONS,
    SILVER_TRACKS,
    SILVER_DRIVERS,
    SILVER_TELEMETRY,
    GOLD_DRIVER_SUMMARY,
    GOLD_SIWTL,
    GOLD_STINTS,
    GOLD_DPTAD_SCORES,
    GOLD_DPTAD_EVENTS,
    GOLD_FLEET_SUMMARY,
    GOLD_STYLE_PREDICTIONS,
    GOLD_KARMA_SCORES,
)
MOST_LAPS: Final = 30
"""Laps that a page offers for comparison, the quickest of a long session."""


@dataclass(frozen=True)
class TableRows:
    """Rows of one table, or why there are none.

    Attributes:
        rows: The rows.
        missing: Why there are none and which command fills the table; ``None`` where there are some.
    """

    rows: tuple[Row, ...]
    missing: str | None = None

    @property
    def first(self) -> Row:
        """The first row, empty where there is none."""
        return self.rows[0] if self.rows else {}


@dataclass(frozen=True)
class TimeLoss:
    """Where time is lost: a lap of the driver against a reference.

    Attributes:
        compared: The comparison; ``None`` where there is nothing to compare.
        words: What is compared with what, or why nothing is.
        pairs: The driver's valid laps by number, at most the ``MOST_LAPS`` quickest, each against the same reference
            and, on a known circuit, against the driver's own best; all on one scale of distance. Laps without telemetry
            are not among them.
    """

    compared: ComparedLaps | None
    words: str
    pairs: tuple[ComparedLaps, ...] = ()


class DriverAnswer(FrozenModel):
    """A driver's session as programs read it; rows of tables have the columns of their contracts.

    Attributes:
        session_id: Session.
        vehicle_id: Vehicle.
        vehicle_number: Digits of the number it raced under.
        car_number: Number it raced under, as text.
        track: Name of the track.
        laps: The driver's laps.
        session: Row of ``silver.sessions``; this and the rows below are empty where there are none.
        result: Row of ``silver.results``.
        driver: Row of ``silver.drivers``.
        summary: Row of ``gold.driver_summary``.
        target: Row of ``gold.siwtl``.
        fleet: Row of ``gold.fleet_summary``.
        stints: Rows of ``gold.stints``.
        scores: Rows of ``gold.dptad_scores``.
        events: Rows of ``gold.dptad_events``.
        style: Each lap by the windows of ``gold.style_predictions``.
        karma: Rows of ``gold.karma_scores``.
        missing: Part to why it has no rows, and which command fills its table.
        loss: Where time is lost.
        loss_words: What is compared with what, or why nothing is.
        table_versions: Delta version of every table that was read.
    """

    session_id: str
    vehicle_id: str
    vehicle_number: int | None
    car_number: str | None
    track: str | None
    laps: tuple[ListedLap, ...]
    session: Row
    result: Row
    driver: Row
    summary: Row
    target: Row
    fleet: Row
    stints: tuple[Row, ...]
    scores: tuple[Row, ...]
    events: tuple[Row, ...]
    style: tuple[StyleLap, ...]
    karma: tuple[Row, ...]
    missing: dict[str, str]
    loss: LapComparisonAnswer | None
    loss_words: str
    table_versions: dict[str, int]


@dataclass(frozen=True)
class DriverReport:
    """One driver's session.

    Attributes:
        session_id: Session.
        vehicle_id: Vehicle.
        laps: The driver's laps.
        field: Laps of all cars of the session.
        session: Row of ``silver.sessions``.
        result: Row of ``silver.results``.
        driver: Row of ``silver.drivers``.
        summary: Row of ``gold.driver_summary``.
        target: Row of ``gold.siwtl``.
        stints: Rows of ``gold.stints``.
        scores: Rows of ``gold.dptad_scores``, by lap.
        events: Rows of ``gold.dptad_events``, by time.
        field_scores: Rows of ``gold.dptad_scores`` of all cars of the session.
        fleet: Row of ``gold.fleet_summary``.
        style: What the style model says of the laps and of the field.
        karma: Rows of ``gold.karma_scores``, by lap.
        track: Name of the track; ``None`` where nothing says.
        circuit: The circuit, where it is known.
        no_circuit: Why it is not.
        loss: Where time is lost.
        versions: Delta version of every table that the report shows.
    """

    session_id: str
    vehicle_id: str
    laps: tuple[LapRow, ...]
    field: tuple[LapRow, ...]
    session: TableRows
    result: TableRows
    driver: TableRows
    summary: TableRows
    target: TableRows
    stints: TableRows
    scores: TableRows
    events: TableRows
    field_scores: TableRows
    fleet: TableRows
    style: SessionStyle
    karma: TableRows
    track: str | None
    circuit: Circuit | None
    no_circuit: str | None
    loss: TimeLoss
    versions: dict[str, int]

    @property
    def car(self) -> str:
        """The vehicle with its number."""
        return self.laps[0].car

    @property
    def best(self) -> LapRow | None:
        """The driver's best lap."""
        return find_best_lap(self.laps)

    @property
    def session_best(self) -> LapRow | None:
        """The best lap of the session."""
        return find_best_lap(self.field)

    @property
    def karma_report(self) -> KarmaReport | None:
        """The karma of the laps, ``None`` where no lap has a row."""
        if not self.karma.rows:
            return None
        return KarmaReport(
            session_id=self.session_id,
            vehicle_id=self.vehicle_id,
            car_number=self.laps[0].car_number,
            track=self.track,
            laps=group_laps(self.karma.rows),
            is_synthetic=any(row["is_synthetic"] for row in self.karma.rows),
            versions=self.versions,
        )

    @property
    def answer(self) -> DriverAnswer:
        """The session without what is drawn."""
        single = {name: getattr(self, name) for name in ("session", "result", "driver", "summary", "target", "fleet")}
        several = {name: getattr(self, name) for name in ("stints", "scores", "events", "karma")}
        missing = {name: part.missing for name, part in (*single.items(), *several.items(), ("style", self.style))}
        return DriverAnswer(
            session_id=self.session_id,
            vehicle_id=self.vehicle_id,
            vehicle_number=self.laps[0].vehicle_number,
            car_number=self.laps[0].car_number,
            track=self.track,
            laps=tuple(ListedLap.of(lap) for lap in self.laps),
            **{name: part.first for name, part in single.items()},
            **{name: part.rows for name, part in several.items()},
            style=self.style.laps,
            missing={name: why for name, why in missing.items() if why is not None},
            loss=None if self.loss.compared is None else self.loss.compared.answer,
            loss_words=self.loss.words,
            table_versions=self.versions,
        )


def read_driver_session(lake: LakeReader, session_id: str, vehicle: str) -> DriverReport:
    """Read all that the lake has of one driver's session.

    Args:
        lake: The lake.
        session_id: Session.
        vehicle: Vehicle id, or the number it raced under.

    Raises:
        LakeError: If ``silver.laps`` is not there, or a table cannot be read.
        LapError: If there is no such session or vehicle.
    """
    now = lake.snapshot()
    field = read_laps(now, session_id)
    laps = laps_of_vehicle(field, vehicle)
    here = {"session_id": session_id}
    ours = here | {"vehicle_id": laps[0].vehicle_id}

    def read(table: str, where: dict[str, str], *order_by: str) -> TableRows:
        return read_table(now, table, where, order_by)

    track_id = session_track(now, session_id)
    circuit, no_circuit = None, None
    try:
        circuit = find_session_circuit(now, session_id, track_id)
    except CircuitError as error:
        no_circuit = str(error)
    return DriverReport(
        session_id=session_id,
        vehicle_id=laps[0].vehicle_id,
        laps=laps,
        field=field,
        session=read(SILVER_SESSIONS, here),
        result=read(SILVER_RESULTS, ours),
        driver=read(SILVER_DRIVERS, {"vehicle_id": laps[0].vehicle_id}),
        summary=read(GOLD_DRIVER_SUMMARY, ours),
        target=read(GOLD_SIWTL, ours),
        stints=read(GOLD_STINTS, ours, "stint_number", "segment"),
        scores=read(GOLD_DPTAD_SCORES, ours, "lap_number"),
        events=read(GOLD_DPTAD_EVENTS, ours, "event_ts", "event_type"),
        field_scores=read(GOLD_DPTAD_SCORES, here, "vehicle_id", "lap_number"),
        fleet=read(GOLD_FLEET_SUMMARY, here),
        style=read_session_style(now, laps),
        karma=read(GOLD_KARMA_SCORES, ours, "lap_number", "component"),
        track=None if track_id is None else track_title(now, track_id),
        circuit=circuit,
        no_circuit=no_circuit,
        loss=compare_with_best(now, laps, field, circuit, no_circuit),
        versions=now.versions,
    )


def read_table(lake: LakeReader, table: str, where: dict[str, str], order_by: Sequence[str] = ()) -> TableRows:
    """Rows of a table that may not be there."""
    fill = f"`{command_that_fills(table)}` fills it"
    if not lake.exists(table):
        return TableRows((), f"{table} does not exist yet: {fill}.")
    values: dict[str, Value] = dict(where)
    rows = lake.rows(table, values, order_by=order_by)
    return TableRows(tuple(rows), None if rows else f"{table} has no row of {'/'.join(where.values())}: {fill}.")


def compare_with_best(
    lake: LakeReader,
    laps: Sequence[LapRow],
    field: Sequence[LapRow],
    circuit: Circuit | None,
    no_circuit: str | None = None,
) -> TimeLoss:
    """The driver's best lap against the session's best; where that is the driver's own, a median lap against it.

    Laps without telemetry cannot be compared and are passed over, which the words say.

    Args:
        lake: The lake.
        laps: The driver's laps.
        field: Laps of all cars of the session.
        circuit: The circuit, where it is known.
        no_circuit: Why it is not.
    """
    reference = load_first_trace(lake, rank_by_time(field), circuit)
    own = load_first_trace(lake, rank_by_time(laps), circuit)
    if reference is None or own is None:
        who = "no car" if reference is None else laps[0].car
        return TimeLoss(None, f"{who} has a lap fit for pace with telemetry, so there is nothing to compare.")
    is_own = own.row.uid == reference.row.uid
    if is_own:
        covered = [lap for lap in rank_by_time(laps) if lap.is_covered]
        own = load_first_trace(lake, covered[len(covered) // 2 :], circuit)
        if own is None or own.row.uid == reference.row.uid:
            return TimeLoss(
                None, f"{laps[0].car} drove the best lap there is telemetry of, and no second one to compare."
            )
    plateaus = car_plateaus_pct(lake, (own.row, reference.row))

    def compare(lap: LoadedLap, other: LoadedLap) -> ComparedLaps:
        return compare_loaded_laps((lap, other), circuit, no_circuit=no_circuit, car_plateaus_pct=plateaus)

    found = compare(own, reference)
    loaded = [_load(lake, lap, circuit) for lap in rank_by_time(laps)[:MOST_LAPS] if lap.is_covered]
    references = (reference,) if is_own or circuit is None else (reference, own)
    pairs = [
        compare(lap, other)
        for other in references
        for lap in sorted(filter(None, loaded), key=lambda one: one.row.lap_number)
        if lap.row.uid != other.row.uid
    ]
    alike = tuple(one for one in pairs if one.comparison.aligned_by == found.comparison.aligned_by)
    return TimeLoss(found, _words(found, laps, field, is_own=is_own), alike)


def _load(lake: LakeReader, lap: LapRow, circuit: Circuit | None) -> LoadedLap | None:
    try:
        return load_lap_trace(lake, lap, circuit)
    except LapError:  # its samples do not make a lap, and a page shows those that do
        return None


def _words(found: ComparedLaps, laps: Sequence[LapRow], field: Sequence[LapRow], *, is_own: bool) -> str:
    """What is compared with what."""
    lap, reference = found.lap.row, found.reference.row
    best, own_best = find_best_lap(field), find_best_lap(laps)
    theirs = f"{format_lap_time(found.reference.time_s)} by {reference.car} on lap {reference.lap_number}"
    ours = f"lap {lap.lap_number}, {format_lap_time(found.lap.time_s)}"
    if is_own:
        words = f"The best lap there is telemetry of is the driver's own, {theirs}; a median lap ({ours}) against it."
    elif own_best is not None and own_best.uid == lap.uid:
        words = f"The driver's best lap ({ours}) against the best there is telemetry of, {theirs}."
    else:
        words = f"The driver's best lap with telemetry ({ours}) against the best there is telemetry of, {theirs}."
    if best is not None and best.uid != reference.uid and best.lap_time_s is not None:
        words += f" The session's best, {format_lap_time(best.lap_time_s)} by {best.car}, has no telemetry."
    return words
