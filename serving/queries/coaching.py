"""Coaching by name: a lap of the lake against a target, place by place (G29, G30)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from analysis.coaching.insights import CoachingInsight, find_insights
from analysis.coaching.rows import insight_rows
from analysis.comparison.aligned_laps import align_laps
from analysis.comparison.corner_report import read_sides
from analysis.comparison.lap_inputs import LapInputs
from analysis.comparison.rows import ComparedPair, Row
from analysis.drivers.formatting import describe_gap, format_count, format_lap_time, is_level
from analysis.laps.trace import THROTTLE, LapTrace
from analysis.segmentation.zones import Microsector, cut_microsectors, find_zones
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray
from conf.frozen import FrozenModel
from conf.ghost import GhostRules, load_ghost_rules
from conf.tables import (
    GOLD_GHOST_LAPS,
    GOLD_GHOST_SUMMARY,
    GOLD_MICROSECTORS,
    SILVER_LAPS,
    SILVER_SESSIONS,
    SILVER_TELEMETRY,
    SILVER_TRACKS,
)
from serving.lake.reader import LakeReader
from serving.queries.circuits import find_session_circuit, session_track
from serving.queries.comparison import same_throttle, throttle_notes
from serving.queries.ghosts import GHOST, GhostRow, feasibility_note, find_ghost, find_newest_ghost, load_ghost
from serving.queries.lap_traces import (
    LoadedLap,
    car_plateaus_pct,
    choose_lap,
    find_lacking_channel,
    find_usable_lap,
    load_lap_trace,
    speed_notes,
)
from serving.queries.laps import BEST, LapError, LapName, LapRow, find_best_lap, rank_by_time, read_laps
from serving.queries.microsectors import find_newest_segmentation

TargetKind = Literal["ghost", "best_lap", "other_lap"]


INPUTS: Final = (
    SILVER_LAPS,
    SILVER_TELEMETRY,
    SILVER_SESSIONS,
    SILVER_TRACKS,
    GOLD_MICROSECTORS,
    GOLD_GHOST_LAPS,
    GOLD_GHOST_SUMMARY,
)
NEED: Final = (("speed_kmh",), THROTTLE, ("brake_front_bar",))
_EVERY_M: Final = 5.0


class InsightAnswer(FrozenModel):
    """What to do better in one place, by the names of ``gold.insights``."""

    microsector_id: int
    sector_id: int
    zone_type: str
    corner: str | None
    start_m: float
    end_m: float
    verdict_code: str
    verdict_text: str
    severity: str
    rank: int
    time_loss_s: float
    metric: str
    human_value: float
    target_value: float
    unit: str
    throttle_applied_pct: float | None
    throttle_target_pct: float | None
    brake_applied_pct: float | None
    brake_target_pct: float | None


class CoachingTrace(FrozenModel):
    """Both laps' inputs and the time lost so far, each a value every five metres from the line, null in gaps."""

    distance_m: tuple[float, ...]
    delta_s: tuple[float, ...]
    speed_kmh: tuple[float | None, ...]
    speed_target_kmh: tuple[float | None, ...]
    throttle_pct: tuple[float | None, ...]
    throttle_target_pct: tuple[float | None, ...]
    brake_bar: tuple[float | None, ...]
    brake_target_bar: tuple[float | None, ...]


class CoachingAnswer(FrozenModel):
    """A coached lap as programs read it.

    Attributes:
        delta_s: Lap time less the target's, by the timing: what the insights cost, and ``elsewhere_s``.
        elsewhere_s: Lost in all other places together, negative where the lap gains there.
    """

    lap: str
    target: str
    target_kind: TargetKind
    track_id: str
    lap_time_s: float
    target_time_s: float
    delta_s: float
    elsewhere_s: float
    notes: tuple[str, ...]
    insights: tuple[InsightAnswer, ...]
    trace: CoachingTrace


@dataclass(frozen=True)
class CoachingTarget:
    """The target that a lap is compared with.

    Attributes:
        uid: ``session/vehicle/lap``.
        kind: ``best_lap`` where it is the best lap of the session.
        trace: Its samples on the circuit's scale.
        throttle_source: ``pedal`` or ``blade``; ``None`` where nothing says.
        is_synthetic: Whether nobody drove it.
        row: The lap; ``None`` for a ghost.
        notes: What to know of it.
    """

    uid: str
    kind: TargetKind
    trace: LapTrace
    throttle_source: str | None
    is_synthetic: bool
    row: LapRow | None = None
    notes: tuple[str, ...] = ()

    @property
    def time_s(self) -> float:
        """Lap time."""
        return self.trace.lap_time_s


@dataclass(frozen=True)
class CoachedLap:
    """A lap held against a target.

    Attributes:
        lap: The lap.
        target: What it is held against.
        circuit: The circuit.
        pieces: Micro-sectors of the track, in order.
        cut_by: Where they are from.
        driven: Time, speed and pedals of the lap.
        aimed: Those of the target, on the same grid.
        insights: What to do better, the costliest first.
        rules: Thresholds.
        chosen: How the lap was chosen, where it was not named by its number.
    """

    lap: LoadedLap
    target: CoachingTarget
    circuit: Circuit
    pieces: tuple[Microsector, ...]
    cut_by: str
    driven: LapInputs
    aimed: LapInputs
    insights: tuple[CoachingInsight, ...]
    rules: GhostRules
    chosen: tuple[str, ...] = ()

    @property
    def distance_m(self) -> FloatArray:
        """Distance from the line at the points of the grid, shape (n + 1,)."""
        return self.driven.distance_m

    @cached_property
    def delta_s(self) -> FloatArray:
        """Time lost so far, shape (n + 1,)."""
        return self.driven.time_s - self.aimed.time_s

    @property
    def lap_delta_s(self) -> float:
        """Lap time less the target's, by the timing."""
        return self.lap.time_s - self.target.time_s

    @property
    def headline(self) -> str:
        """Both laps, and what the first insights are worth."""
        target = f"{self.target.uid} ({format_lap_time(self.target.time_s)})"
        said = f"{self.lap.row.uid} ({format_lap_time(self.lap.time_s)}) is {describe_gap(self.lap_delta_s, target)}"
        if not self.insights:
            return f"{said}; there is nothing to say of it"
        count = format_count(len(self.insights), "thing")
        way = "gained" if self.elsewhere_s < 0 else "lost"
        elsewhere = "nothing" if is_level(self.elsewhere_s) else f"{abs(self.elsewhere_s):.3f} s"
        return f"{said}; {count} to do better, worth {self.worth_s:.3f} s; {elsewhere} {way} elsewhere"

    @property
    def worth_s(self) -> float:
        """What the insights cost together."""
        return sum(insight.time_loss_s for insight in self.insights)

    @property
    def elsewhere_s(self) -> float:
        """What is lost in all other places together, negative where the lap gains there."""
        return self.lap_delta_s - self.worth_s

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before the figures are believed."""
        uids = (self.lap.row.uid, self.target.uid)
        found = [*self.chosen, *self.target.notes, self.cut_by, *throttle_notes((self.driven, self.aimed), uids)]
        found += self.lap.row.pace_notes
        for uid, trace in zip(uids, (self.lap.trace, self.target.trace), strict=True):
            found += speed_notes(uid, trace)
        return tuple(found)

    @property
    def pair(self) -> ComparedPair:
        """Lap and target as the gold tables name them."""
        lap, target = self.lap.row, self.target
        return ComparedPair(
            lap_uid=lap.uid,
            reference_uid=target.uid,
            session_id=lap.session_id,
            vehicle_id=lap.vehicle_id,
            lap_number=lap.lap_number,
            reference_kind=target.kind,
            track_id=self.circuit.track_id,
            is_synthetic=lap.is_synthetic or target.is_synthetic,
        )

    @property
    def answer(self) -> CoachingAnswer:
        """The insights, with both laps' inputs and the time lost over distance."""
        names = InsightAnswer.model_fields
        return CoachingAnswer(
            lap=self.lap.row.uid,
            target=self.target.uid,
            target_kind=self.target.kind,
            track_id=self.circuit.track_id,
            lap_time_s=self.lap.time_s,
            target_time_s=self.target.time_s,
            delta_s=self.lap_delta_s,
            elsewhere_s=self.elsewhere_s,
            notes=self.notes,
            insights=tuple(InsightAnswer(**{name: row[name] for name in names}) for row in self.insight_rows()),
            trace=self._trace(),
        )

    def insight_rows(self, created_ts: datetime | None = None) -> list[Row]:
        """Rows of ``gold.insights``."""
        return insight_rows(self.pair, self.insights, self.aimed, self.pieces, self.rules.coaching, created_ts)

    def _trace(self) -> CoachingTrace:
        every = max(1, round(_EVERY_M / self.driven.step_m))

        def values(column: FloatArray) -> tuple[Any, ...]:
            return tuple(None if np.isnan(x) else x for x in np.round(column[::every], 4).tolist())

        return CoachingTrace(
            distance_m=values(self.distance_m),
            delta_s=values(self.delta_s),
            speed_kmh=values(self.driven.scaled_kmh),
            speed_target_kmh=values(self.aimed.scaled_kmh),
            throttle_pct=values(self.driven.throttle_pct),
            throttle_target_pct=values(self.aimed.throttle_pct),
            brake_bar=values(self.driven.brake_bar),
            brake_target_bar=values(self.aimed.brake_bar),
        )


def format_values(insight: CoachingInsight) -> tuple[str, str]:
    """What was measured of the lap and of the target, with its unit."""
    digits = 1 if insight.unit == "km/h" else 0
    human, target = (f"{value:,.{digits}f} {insight.unit}" for value in (insight.human_value, insight.target_value))
    return human, target


def coach_against_target(lake: LakeReader, lap: LapName, target: str = BEST) -> CoachedLap:
    """Compare a lap with a target, section by section.

    Args:
        lake: The lake.
        lap: The lap.
        target: ``best`` for the fastest lap of its session that will do (fit for pace, with speed, throttle and brake
            pressure, and not the lap itself), ``ghost`` for the newest ghost of its session that a car could drive, or
            a lap or ghost by its name.

    Raises:
        LakeError: If a table cannot be read.
        CircuitError: If the track is not known.
        LapError: If there is no such lap, or it cannot be held against the target; the message says what to do.
    """
    row, chosen = find_usable_lap(lake, lap, NEED)
    track_id = session_track(lake, row.session_id)
    circuit = find_session_circuit(lake, row.session_id, track_id)
    loaded = load_lap_trace(lake, row, circuit)
    return replace(_judge(lake, loaded, _resolve_target(lake, row, target, circuit), circuit), chosen=chosen)


def _judge(lake: LakeReader, lap: LoadedLap, target: CoachingTarget, circuit: Circuit) -> CoachedLap:
    rules = load_ghost_rules()
    for uid, trace in ((lap.row.uid, lap.trace), (target.uid, target.trace)):
        if lacking := find_lacking_channel(trace, NEED):
            raise LapError(f"{uid}: the lap has no {lacking}: choose a lap that does")
    one, two = same_throttle((lap.trace, target.trace), (lap.throttle_source, target.throttle_source))
    aligned = align_laps(one, two, circuit)
    driven, aimed = read_sides(aligned, car_plateaus_pct(lake, (lap.row, target.row)))
    notes = target.notes
    if not (np.isfinite(driven.plateau_pct) and np.isfinite(aimed.plateau_pct)):
        said = (
            f"the throttle of {lap.row.uid} is not measured where that of {target.uid} is: nothing is said of throttle"
        )
        notes = (*notes, said)
    pieces, cut_by = load_microsectors(lake, target, circuit, rules)
    return CoachedLap(
        lap=lap,
        target=replace(target, notes=notes),
        circuit=circuit,
        pieces=pieces,
        cut_by=cut_by,
        driven=driven,
        aimed=aimed,
        insights=find_insights((driven, aimed), circuit, rules.coaching),
        rules=rules,
    )


def load_microsectors(
    lake: LakeReader, target: CoachingTarget, circuit: Circuit, rules: GhostRules
) -> tuple[tuple[Microsector, ...], str]:
    """The newest micro-sectors of the track, or those of the target where it has none; and where they are from.

    Raises:
        ZoneError: If the target shows no zones.
    """
    found = find_newest_segmentation(lake, circuit.track_id)
    if found is None:
        pieces = cut_microsectors(find_zones(target.trace, circuit, rules), circuit, rules.longest_microsector_m)
        return pieces, f"micro-sectors were found on {target.uid}: {GOLD_MICROSECTORS} has none of {circuit.track_id}"
    return found.pieces, f"micro-sectors are those of segmentation {found.version} of {circuit.track_id}"


def _resolve_target(lake: LakeReader, lap: LapRow, target: str, circuit: Circuit) -> CoachingTarget:
    if target == GHOST:
        return _ghost_target(lake, find_newest_ghost(lake, lap.session_id), circuit)
    if target == BEST:
        ranked = rank_by_time(read_laps(lake, lap.session_id))
        row, chosen = choose_lap(lake, ranked, f"best lap of {lap.session_id}", NEED, but=lap.uid)
        return _lap_target(lake, row, circuit, chosen)
    name = LapName.parse(target)
    if name.vehicle == GHOST:
        return _ghost_target(lake, find_ghost(lake, name), circuit)
    row, chosen = find_usable_lap(lake, name, NEED, but=lap.uid)
    if row.uid == lap.uid:
        raise LapError(f"{lap.uid} was to be held against itself: name another lap with --target")
    _same_track(lap, row.uid, session_track(lake, row.session_id), circuit)
    return _lap_target(lake, row, circuit, (*chosen, *row.pace_notes))


def _lap_target(lake: LakeReader, row: LapRow, circuit: Circuit, notes: tuple[str, ...]) -> CoachingTarget:
    best = find_best_lap(read_laps(lake, row.session_id))
    kind: TargetKind = "best_lap" if best is not None and best.uid == row.uid else "other_lap"
    loaded = load_lap_trace(lake, row, circuit)
    return CoachingTarget(row.uid, kind, loaded.trace, loaded.throttle_source, row.is_synthetic, row, notes)


def _ghost_target(lake: LakeReader, ghost: GhostRow, circuit: Circuit) -> CoachingTarget:
    if ghost.track_id not in (None, circuit.track_id):
        raise LapError(f"{ghost.uid} is a ghost of {ghost.track_id}, not of {circuit.track_id}: name another target")
    warning = feasibility_note(ghost)
    trace = load_ghost(lake, ghost, circuit)
    return CoachingTarget(
        ghost.uid, "ghost", trace, None, is_synthetic=True, notes=() if warning is None else (warning,)
    )


def _same_track(lap: LapRow, target_uid: str, track_id: str | None, circuit: Circuit) -> None:
    if track_id not in (None, circuit.track_id):
        raise LapError(
            f"{lap.uid} was driven on {circuit.track_id} and {target_uid} on {track_id}: name a target of one track"
        )
