"""Two laps of the lake side by side: time lost over distance, and the corner report where the circuit is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from analysis.comparison.aligned_laps import AlignedBy, LapComparison, align_laps, compare_laps
from analysis.comparison.corner_report import CornerReport, ReportPiece, build_corner_report
from analysis.comparison.places import Sides
from analysis.comparison.rows import ComparedPair, Row, piece_columns, piece_rows, trace_rows
from analysis.drivers.formatting import describe_gap, format_lap_time
from analysis.laps.distance import time_at_distance_s
from analysis.laps.trace import LapTrace
from analysis.segmentation.zones import Microsector
from analysis.tracks.circuit import Circuit
from conf.arrays import FloatArray
from conf.frozen import FrozenModel
from conf.tables import GOLD_MICROSECTORS, SILVER_LAPS, SILVER_SESSIONS, SILVER_TELEMETRY, SILVER_TRACKS
from serving.lake.reader import LakeReader
from serving.queries.circuits import CircuitError, find_session_circuit, session_track
from serving.queries.lap_traces import LoadedLap, car_plateaus_pct, find_usable_lap, load_lap_trace, speed_notes
from serving.queries.laps import LapError, LapName, LapRow, find_best_lap, read_laps
from serving.queries.microsectors import find_newest_segmentation

ReferenceKind = Literal["best_lap", "other_lap"]

INPUTS: Final = (SILVER_LAPS, SILVER_TELEMETRY, SILVER_SESSIONS, SILVER_TRACKS, GOLD_MICROSECTORS)
NEED: Final = (("speed_kmh",),)
_LENGTHS_APART: Final = 0.05
_PLATEAUS_APART_PCT: Final = 1.0


class CornerLoss(FrozenModel):
    """One corner or straight of a comparison, by the names of ``gold.corner_reports``."""

    piece: int
    label: str
    corner: int | None
    start_m: float
    end_m: float
    time_lost_s: float
    entry_speed_kmh: float | None
    min_speed_kmh: float | None
    exit_speed_kmh: float | None
    brake_m: float | None
    throttle_m: float | None
    entry_speed_ref_kmh: float | None
    min_speed_ref_kmh: float | None
    exit_speed_ref_kmh: float | None
    brake_ref_m: float | None
    throttle_ref_m: float | None
    brake_earlier_m: float | None
    throttle_later_m: float | None
    speed_gap_s: float
    finding: str


class LapComparisonAnswer(FrozenModel):
    """A comparison as programs read it.

    Attributes:
        delta_s: Lap time less the reference's.
        sector_deltas_s: Official sector times less the reference's.
        pieces: Corners and straights in driving order; none without a circuit.
    """

    lap: str
    reference: str
    reference_kind: ReferenceKind
    track_id: str | None
    lap_time_s: float
    reference_time_s: float
    delta_s: float
    sector_deltas_s: tuple[float | None, ...]
    aligned_by: AlignedBy
    notes: tuple[str, ...]
    pieces: tuple[CornerLoss, ...]


@dataclass(frozen=True)
class ComparedLaps:
    """A lap against a reference.

    Attributes:
        lap: The lap.
        reference: What it is compared with.
        reference_kind: ``best`` where the reference is the best lap of its vehicle and session fit for pace.
        track_id: Track; ``None`` where nothing says.
        circuit: The circuit; ``None`` where it is not known, see ``no_circuit``.
        no_circuit: Why it is not known, and what to do.
        comparison: Channels and time lost over distance.
        reference_s: Time since the start of the reference at the comparison's distances, shape (n,).
        report: The loss shared out over corners and straights; ``None`` without a circuit.
        microsectors: Of the track's newest segmentation; none where it has none.
        chosen: How laps were chosen that were not named by their number.
    """

    lap: LoadedLap
    reference: LoadedLap
    reference_kind: ReferenceKind
    track_id: str | None
    circuit: Circuit | None
    no_circuit: str | None
    comparison: LapComparison
    reference_s: FloatArray
    report: CornerReport | None
    microsectors: tuple[Microsector, ...] = ()
    chosen: tuple[str, ...] = ()

    @property
    def delta_s(self) -> float:
        """Lap time less the reference's."""
        return self.lap.time_s - self.reference.time_s

    @property
    def headline(self) -> str:
        """Both laps, their times, and the difference at the line."""
        reference = f"{self.reference.row.uid} ({format_lap_time(self.reference.time_s)})"
        return f"{self.lap.row.uid} ({format_lap_time(self.lap.time_s)}) is {describe_gap(self.delta_s, reference)}"

    @property
    def sector_deltas_s(self) -> tuple[float | None, ...]:
        """Official sector times less the reference's, ``None`` where either is unknown."""
        pairs = zip(self.lap.row.sectors_s, self.reference.row.sectors_s, strict=True)
        return tuple(None if a is None or b is None else a - b for a, b in pairs)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know before the figures are believed."""
        by = "position on the track" if self.comparison.aligned_by == "position" else "distance, scaled to the lap"
        found = [*self.chosen, f"aligned by {by}"]
        for side in (self.lap, self.reference):
            found += (*side.row.pace_notes, *speed_notes(side.row.uid, side.trace))
        if self.report is not None:
            found += throttle_notes(self.report.sides, (self.lap.row.uid, self.reference.row.uid))
        if self.no_circuit:
            found.append(f"no corner report: {self.no_circuit}")
        return tuple(found)

    @property
    def pair(self) -> ComparedPair:
        """The two laps as the gold tables name them."""
        lap, reference = self.lap.row, self.reference.row
        return ComparedPair(
            lap_uid=lap.uid,
            reference_uid=reference.uid,
            session_id=lap.session_id,
            vehicle_id=lap.vehicle_id,
            lap_number=lap.lap_number,
            reference_kind=self.reference_kind,
            track_id=self.track_id,
            is_synthetic=lap.is_synthetic or reference.is_synthetic,
        )

    @property
    def answer(self) -> LapComparisonAnswer:
        """The comparison without what is drawn."""
        pieces = enumerate(() if self.report is None else self.report.pieces, start=1)
        return LapComparisonAnswer(
            lap=self.lap.row.uid,
            reference=self.reference.row.uid,
            reference_kind=self.reference_kind,
            track_id=self.track_id,
            lap_time_s=self.lap.time_s,
            reference_time_s=self.reference.time_s,
            delta_s=self.delta_s,
            sector_deltas_s=self.sector_deltas_s,
            aligned_by=self.comparison.aligned_by,
            notes=self.notes,
            pieces=tuple(CornerLoss(piece=number, **piece_columns(piece)) for number, piece in pieces),
        )

    def point_rows(self) -> list[Row]:
        """Rows of ``gold.lap_comparison``."""
        return trace_rows(self.pair, self.comparison, self.reference_s, self.circuit, self.microsectors)

    def piece_rows(self) -> list[Row]:
        """Rows of ``gold.corner_reports``; none without a circuit."""
        if self.report is None:
            return []
        return piece_rows(self.pair, self.report.pieces, self.report.lap_delta_s, self.report.aligned_by)


def what_differs(piece: ReportPiece) -> str:
    """The finding without the label and the loss, which stand beside it; gaps in the speed are kept."""
    words = piece.finding.removeprefix(f"{piece.label}: ")
    gaps = words[words.index(" (no speed") :] if " (no speed" in words else ""
    return words.removesuffix(gaps).rpartition(": ")[0] + gaps


def sectors_sentence(found: ComparedLaps) -> str | None:
    """Official sector times less the reference's, ``None`` where no sector has both."""
    parts = [f"S{k} {d:+.3f} s" for k, d in enumerate(found.sector_deltas_s, start=1) if d is not None]
    return f"official sectors: {', '.join(parts)}" if parts else None


def compare_named_laps(lake: LakeReader, lap: LapName, reference: LapName) -> ComparedLaps:
    """Compare two laps by their names; see :func:`compare_lap_rows`.

    ``best`` is the fastest lap of its vehicle that will do: fit for pace, with telemetry, and not the other lap.

    Raises:
        LapError: If there is no such lap, or none will do.
    """
    if lap.lap_number is None and reference.lap_number is not None:
        theirs, their_notes = find_usable_lap(lake, reference, NEED)
        ours, our_notes = find_usable_lap(lake, lap, NEED, but=theirs.uid)
    else:
        ours, our_notes = find_usable_lap(lake, lap, NEED)
        theirs, their_notes = find_usable_lap(lake, reference, NEED, but=ours.uid)
    return replace(compare_lap_rows(lake, ours, theirs), chosen=(*our_notes, *their_notes))


def compare_lap_rows(lake: LakeReader, lap: LapRow, reference: LapRow) -> ComparedLaps:
    """Compare any two laps of one track.

    Raises:
        LakeError: If a table cannot be read.
        LapError: If the two are one lap, either has no telemetry, or they were driven on different tracks.
    """
    if lap.uid == reference.uid:
        raise LapError(f"{lap.uid} was to be compared with itself: name another lap as reference")
    track_id, *others = dict.fromkeys(session_track(lake, row.session_id) for row in (lap, reference))
    if others and None not in (track_id, *others):
        raise LapError(
            f"{lap.uid} was driven on {track_id} and {reference.uid} on {others[0]}: compare laps of one track"
        )
    track_id = track_id or next(iter(others), None)
    circuit, no_circuit = None, None
    try:
        circuit = find_session_circuit(lake, lap.session_id, track_id)
    except CircuitError as error:
        no_circuit = str(error)
    names_no_track = bool(others) or track_id is None
    try:
        ours, theirs = (load_lap_trace(lake, row, circuit) for row in (lap, reference))
    except LapError:
        if names_no_track:  # a lap of another track is none of this circuit
            _check_lengths(*(load_lap_trace(lake, row) for row in (lap, reference)))
        raise
    if names_no_track:
        _check_lengths(ours, theirs)
    kind = _kind(read_laps(lake, reference.session_id), reference)
    compared = compare_loaded_laps(
        (ours, theirs),
        circuit,
        no_circuit=no_circuit,
        track_id=track_id,
        reference_kind=kind,
        car_plateaus_pct=car_plateaus_pct(lake, (lap, reference)),
    )
    cut = find_newest_segmentation(lake, circuit.track_id) if circuit else None
    return replace(compared, microsectors=cut.pieces) if cut else compared


def compare_loaded_laps(
    laps: tuple[LoadedLap, LoadedLap],
    circuit: Circuit | None,
    *,
    no_circuit: str | None = None,
    track_id: str | None = None,
    reference_kind: ReferenceKind = "other_lap",
    car_plateaus_pct: tuple[float | None, float | None] = (None, None),
) -> ComparedLaps:
    """Compare a lap with a reference, both read with the same circuit.

    Args:
        laps: The lap and the reference.
        circuit: The circuit, where it is known.
        no_circuit: Why it is not.
        track_id: Track.
        reference_kind: What the reference is.
        car_plateaus_pct: What the throttle of each car reads at full throttle over its session.
    """
    ours, theirs = laps
    one, two = same_throttle((ours.trace, theirs.trace), (ours.throttle_source, theirs.throttle_source))
    found = compare_laps(one, two, circuit)
    aligned = align_laps(one, two, circuit)
    return ComparedLaps(
        lap=ours,
        reference=theirs,
        reference_kind=reference_kind,
        track_id=track_id,
        circuit=circuit,
        no_circuit=no_circuit,
        comparison=found,
        reference_s=time_at_distance_s(
            aligned.reference, found.distance_m / aligned.length_m * aligned.reference.end_m
        ),
        report=None if circuit is None else build_corner_report(one, two, circuit, car_plateaus_pct=car_plateaus_pct),
    )


def _check_lengths(ours: LoadedLap, theirs: LoadedLap) -> None:
    """Refuse laps of different lengths: where a session does not name its track, nothing else tells them apart."""
    a, b = ours.trace.driven_m, theirs.trace.driven_m
    if a and b and abs(a / b - 1.0) > _LENGTHS_APART:
        raise LapError(
            f"{ours.row.uid} is {a:,.0f} m long and {theirs.row.uid} {b:,.0f} m: these are different tracks, or one of "
            "the laps is not whole"
        )


def same_throttle(
    traces: tuple[LapTrace, LapTrace], sources: tuple[str | None, str | None]
) -> tuple[LapTrace, LapTrace]:
    """Two laps; without ``throttle_pct`` where it is the pedal in one and the blade in the other."""
    if None in sources or len(set(sources)) == 1:
        return traces
    one, two = (
        replace(trace, channels={k: v for k, v in trace.channels.items() if k != "throttle_pct"}) for trace in traces
    )
    return one, two


def throttle_notes(sides: Sides, uids: tuple[str, str]) -> list[str]:
    """What to know where full throttle is not the same reading in both laps."""
    plateaus = [side.plateau_pct for side in sides]
    if not np.isfinite(plateaus).all() or abs(plateaus[0] - plateaus[1]) < _PLATEAUS_APART_PCT:
        return []
    read = " and ".join(f"{plateau:.1f} % in {uid}" for plateau, uid in zip(plateaus, uids, strict=True))
    return [f"full throttle reads {read}: each lap is judged by its own"]


def _kind(laps: Iterable[LapRow], reference: LapRow) -> ReferenceKind:
    best = find_best_lap(lap for lap in laps if lap.vehicle_id == reference.vehicle_id)
    return "best_lap" if best is not None and best.uid == reference.uid else "other_lap"
