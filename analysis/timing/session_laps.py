"""Laps of one session from its collected rows: pure, rows in and rows out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, overload

import numpy as np

from analysis.timing.car_numbers import digits_of_number, match_number, number_of_row, reported_number
from analysis.timing.crossings import Crossing, FeedEvent, find_crossings, number_crossings
from analysis.timing.entries import FEED_NEAR_US, LEAST_MATCHES, Entry, match_entries
from analysis.timing.lap_reasons import (
    FastestLap,
    add_lap_reasons,
    add_result_reason,
    find_field_pace,
    find_slow_field,
)
from analysis.timing.laps import JudgedLap, OfficialTimingLap, build_feed_laps, build_official_laps
from analysis.timing.sheet_clock import COUNTER_NEAR_US, CarCrossings, SheetLap, place_sheets
from conf.laps import LapRules

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SessionTiming:
    """What is known of a session's timing.

    Attributes:
        crossings: By vehicle.
        numbers: Number in each vehicle's own messages, ``None`` where it says none; vehicles with telemetry only too.
        official: Rows of ``silver.sector_times`` by number.
        fastest: Fastest lap on the result sheet by number.
        counted: Crossings by the car's own counter, by vehicle, of those without any in the feed.
    """

    crossings: Mapping[str, Sequence[Crossing]]
    numbers: Mapping[str, str | None]
    official: Mapping[str, Sequence[Any]]
    fastest: Mapping[str, FastestLap] = field(default_factory=dict)
    counted: Mapping[str, CarCrossings] = field(default_factory=dict)

    @property
    def needs_counters(self) -> set[str]:
        """Vehicles without crossings in the feed whose counter may tie official laps to their telemetry."""
        untied = any(row.event_ts is None for sheet in self.official.values() for row in sheet)
        return {v for v in self.numbers if len(self.crossings.get(v, ())) < 2} if untied else set()


@dataclass(frozen=True)
class LapTelemetry:
    """Telemetry figures of a lap.

    Attributes:
        samples: Rows of ``silver.telemetry`` within it.
        gap_s: Longest time without one.
        counter: Car counter during most of it.
        top_speed_kmh: Highest speed.
        avg_speed_kmh: Mean speed over time.
        distance_m: Distance driven, integrated speed; ``None`` where speed is missing for too long.
        driver_id: Who drove most of it, as its samples say.
    """

    samples: int
    gap_s: float | None = None
    counter: int | None = None
    top_speed_kmh: float | None = None
    avg_speed_kmh: float | None = None
    distance_m: float | None = None
    driver_id: str | None = None


@dataclass(frozen=True)
class SessionLaps:
    """Entries and laps of a session; the laps of vehicles without timing are still missing.

    Attributes:
        entries: Cars.
        laps: By vehicle.
        fastest: Fastest lap on the result sheet by vehicle.
    """

    entries: Sequence[Entry]
    laps: Mapping[str, Sequence[JudgedLap]] = field(default_factory=dict)
    fastest: Mapping[str, FastestLap] = field(default_factory=dict)


@overload
def datetime_to_us(at: datetime) -> int: ...
@overload
def datetime_to_us(at: datetime | None) -> int | None: ...
def datetime_to_us(at: datetime | None) -> int | None:
    """Microseconds since the epoch of a time; one without a zone is in the machine's, as Spark hands it."""
    return None if at is None else (at.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def us_to_datetime(us: int | None) -> datetime | None:
    """UTC time of microseconds since the epoch."""
    return None if us is None else _EPOCH + timedelta(microseconds=us)


def collect_timing(
    events: Iterable[Any],
    sectors: Iterable[Any],
    seen: Mapping[str, str | None],
    result_lines: Iterable[Any] = (),
) -> SessionTiming:
    """Sort the collected rows of a session by their role.

    Args:
        events: Rows of ``silver.timing_events``.
        sectors: Rows of ``silver.sector_times``.
        seen: Vehicles with telemetry, with the number in their messages.
        result_lines: Rows of ``silver.result_lines``.
    """
    feed: defaultdict[str, list[FeedEvent]] = defaultdict(list)
    numbers = {v: reported_number(v, n) for v, n in seen.items()}
    for e in events:
        feed[e.vehicle_id].append(FeedEvent(e.kind, datetime_to_us(e.event_ts), e.lap, e.lap_time_ms, e.outing))
        if not numbers.get(e.vehicle_id):
            numbers[e.vehicle_id] = reported_number(e.vehicle_id, number_of_row(e))
    official: defaultdict[str, list[Any]] = defaultdict(list)
    for row in sectors:
        number = number_of_row(row) or ""
        official[number].append(row)
        if row.vehicle_id:  # the source knows the car
            numbers[row.vehicle_id] = numbers.get(row.vehicle_id) or number
    fastest: dict[str, FastestLap] = {}
    for line in sorted(result_lines, key=sheet_order):
        if line.fl_time_ms:
            fastest.setdefault(number_of_row(line) or "", FastestLap(line.fl_time_ms, line.fl_lap))
    return SessionTiming({v: find_crossings(e) for v, e in feed.items()}, numbers, dict(official), fastest)


def sheet_order(line: Any) -> tuple[bool, bool]:
    """Order of the lines of a result: each figure is taken from the first that has it, official ones before others."""
    return not line.is_official, line.sheet != "results"


def build_session_laps(timing: SessionTiming, rules: LapRules) -> SessionLaps:
    """Entries of a session, and laps of every entry that has timing, not yet judged."""
    cars = {v: _feed_crossings(crossings) for v, crossings in timing.crossings.items()} | dict(timing.counted)
    seen_us = {v: car.time_us for v, car in cars.items()}
    ends_us = _official_ends(timing, cars)
    # Numbers that nothing ties to the telemetry are somebody's, too.
    placed = {n: np.array([us for us in ends_us.get(n, ()) if us is not None], np.int64) for n in timing.official}
    near_us = {v: car.near_us for v, car in timing.counted.items()}
    entries = [_describe_entry(entry, timing) for entry in match_entries(seen_us, timing.numbers, placed, near_us)]
    laps: dict[str, list[JudgedLap]] = {}
    for entry in entries:
        crossings = timing.crossings.get(entry.vehicle_id, ())
        sheet = timing.official.get(entry.number) if entry.number is not None else None
        ends: Sequence[int | None] = ends_us.get(entry.number or "") or [None] * len(sheet or ())
        counted = timing.counted.get(entry.vehicle_id)
        is_tied = any(us is not None for us in ends) and (counted is None or _are_while(ends, sheet or (), counted))
        if sheet and (is_tied or (counted is None and len(crossings) < 2)):
            rows = [_official_by_number(row, end) for row, end in zip(sheet, ends, strict=True)]
            laps[entry.vehicle_id] = build_official_laps(rows, crossings, rules.limits)
        elif len(crossings) > 1:
            laps[entry.vehicle_id] = build_feed_laps(crossings)
    numbers = {e.number for e in entries}
    on_sheet = {e.vehicle_id: match_number(e.number, timing.fastest, numbers) or "" for e in entries}
    fastest = {vehicle: timing.fastest[n] for vehicle, n in on_sheet.items() if n in timing.fastest}
    return SessionLaps(entries, laps, fastest)


def counter_crossings(laps: Sequence[JudgedLap]) -> CarCrossings:
    """Where a car's own counter went from one lap to the next, as the first sample of that lap says.

    Args:
        laps: Its laps by its counter, see :func:`~analysis.timing.laps.build_counter_laps`.
    """
    ordered = sorted(laps, key=lambda lap: (lap.start_us or 0, lap.number))
    crossed = [a for a, b in pairwise(ordered) if a.end_us == b.start_us and b.number == a.number + 1]
    times = np.array([lap.end_us for lap in crossed], np.int64)
    return CarCrossings(times, [lap.number for lap in crossed], COUNTER_NEAR_US)


def _feed_crossings(crossings: Sequence[Crossing]) -> CarCrossings:
    times = np.array([c.time_us for c in crossings], np.int64)
    return CarCrossings(times, number_crossings(crossings), FEED_NEAR_US)


def _describe_entry(entry: Entry, timing: SessionTiming) -> Entry:
    """An entry with what the sheet and the feed have of it; its own counter's crossings are none of the feed's."""
    source = "counter" if entry.source == "clock" and entry.vehicle_id in timing.counted else entry.source
    return replace(
        entry,
        source=source,
        crossings=len(timing.crossings.get(entry.vehicle_id, ())),
        official_laps=len(timing.official.get(entry.number or "", ())),
    )


def _official_ends(timing: SessionTiming, cars: Mapping[str, CarCrossings]) -> dict[str, list[int | None]]:
    """End of each official lap in the telemetry's time, by number; numbers that nothing ties to it are left out."""
    sheets = {n: [_sheet_lap(row) for row in sheet] for n, sheet in timing.official.items()}
    of_feed = [car for vehicle, car in cars.items() if vehicle not in timing.counted and len(car.time_us)]
    said = {v: match_number(number, sheets) or "" for v, number in timing.numbers.items() if v in cars}
    # Of two that say one number, the one with the most crossings.
    ordered = sorted(said, key=lambda v: (len(cars[v].time_us), v))
    own = {said[v]: cars[v] for v in ordered if said[v] in sheets}
    few = sum(len(car.time_us) for car in of_feed) < LEAST_MATCHES
    return place_sheets(sheets, list(cars.values()) if few else of_feed, own)


def _are_while(ends_us: Sequence[int | None], sheet: Sequence[Any], car: CarCrossings) -> bool:
    """Whether official laps are of the time in which a car counted its own: else they are another outing's."""
    known = [us for us in ends_us if us is not None]
    first = min(known) - 1000 * max(row.lap_time_ms or 0 for row in sheet)
    return bool(((car.time_us >= first) & (car.time_us <= max(known))).any())


def _sheet_lap(row: Any) -> SheetLap:
    lap, elapsed, day = (
        None if ms is None else ms * 1000 for ms in (row.lap_time_ms or None, row.elapsed_ms, row.time_of_day_ms)
    )
    return SheetLap(row.lap_number, lap, elapsed, day, datetime_to_us(row.event_ts))


def _official_by_number(row: Any, end_us: int | None) -> OfficialTimingLap:
    """A line of the sheet; a lap or sector of no time at all is one that was not measured."""
    return OfficialTimingLap(
        number=row.lap_number,
        lap_time_ms=row.lap_time_ms or None,
        sectors_ms=(row.sector_1_ms or None, row.sector_2_ms or None, row.sector_3_ms or None),
        end_us=end_us,
        flag=row.flag,
        in_pit=row.in_pit,
        pit_time_ms=row.pit_time_ms,
        top_speed_kmh=row.top_speed_kmh,
        avg_speed_kmh=row.avg_speed_kmh,
        track_limits=row.track_limits,
    )


def evaluate_session_laps(
    session: SessionLaps, driven: Mapping[tuple[str, int], LapTelemetry], rules: LapRules
) -> dict[str, list[tuple[JudgedLap, LapTelemetry | None]]]:
    """Every lap with all its reasons and what the telemetry says of it, by vehicle.

    Args:
        session: Entries and laps; laps by the car's own counter among them.
        driven: By vehicle and lap number; a lap without telemetry has no entry.
        rules: From ``conf/laps.yaml``.
    """
    slow, pace = find_slow_field(session.laps, rules.limits), find_field_pace(session.laps, rules.limits)
    found = {}
    for vehicle, laps in session.laps.items():
        fastest = session.fastest.get(vehicle)
        judged = add_lap_reasons(laps, rules.limits, field_slow=slow[vehicle], field_pace=pace, fastest=fastest)
        whole = add_result_reason(judged, fastest, rules)
        found[vehicle] = [
            (_is_covered(lap, driven.get((vehicle, lap.number)), rules), driven.get((vehicle, lap.number)))
            for lap in whole
        ]
    return found


def _is_covered(lap: JudgedLap, driven: LapTelemetry | None, rules: LapRules) -> JudgedLap:
    if driven is None or not driven.samples or _is_mostly_silent(lap, driven, rules):
        return replace(lap, reasons=(*lap.reasons, "no_telemetry"))
    if driven.gap_s is not None and driven.gap_s > rules.limits.telemetry_gap_s:
        return replace(lap, reasons=(*lap.reasons, "telemetry_gap"))
    if driven.distance_m is None:
        return replace(lap, reasons=(*lap.reasons, "speed_gap"))
    return lap


def _is_mostly_silent(lap: JudgedLap, driven: LapTelemetry, rules: LapRules) -> bool:
    """Whether some samples at the line are all there is, of a car that was heard on the laps beside it."""
    if driven.gap_s is None or lap.start_us is None or lap.end_us is None:
        return False
    lap_s = (lap.end_us - lap.start_us) / 1e6
    return driven.gap_s > rules.limits.silent_share * lap_s and driven.samples < lap_s


def lap_row(
    vehicle: str, number: str | None, lap: JudgedLap, driven: LapTelemetry | None, rules: LapRules
) -> dict[str, Any]:
    """Columns of ``silver.laps``."""
    d = driven or LapTelemetry(0)
    sectors = [None if s is None else s / 1000 for s in lap.sectors_ms]
    return {
        "vehicle_id": vehicle,
        "lap_number": lap.number,
        "lap_number_timing": lap.number_timing,
        "lap_number_counter": d.counter,
        "vehicle_number": digits_of_number(number),
        "car_number": number,
        "driver_id": d.driver_id,
        "lap_start_ts": us_to_datetime(lap.start_us),
        "lap_end_ts": us_to_datetime(lap.end_us),
        "lap_time_ms": lap.lap_time_ms,
        "sector_1_time": sectors[0],
        "sector_2_time": sectors[1],
        "sector_3_time": sectors[2],
        "lap_time_source": lap.source,
        "is_valid": rules.is_valid(lap.reasons),
        "invalid_reasons": list(lap.reasons),
        "fit_for": rules.fit_for(lap.reasons),
        "unfit_for": rules.unfit_for(lap.reasons),
        "flag_at_finish": lap.flag,
        "pit_in": lap.in_pit,
        "pit_time_s": None if lap.pit_time_ms is None else lap.pit_time_ms / 1000,
        "top_speed_kmh": d.top_speed_kmh if lap.top_speed_kmh is None else lap.top_speed_kmh,
        "avg_speed_kmh": d.avg_speed_kmh if lap.avg_speed_kmh is None else lap.avg_speed_kmh,
        "lap_distance_m": d.distance_m,
        "sample_count": d.samples,
        "telemetry_gap_s": d.gap_s,
        "feed_time_ms": lap.feed_time_ms,
        "feed_lap_time_ms": lap.feed_lap_time_ms,
        "conflicts": list(lap.conflicts),
    }


def entry_row(entry: Entry) -> dict[str, Any]:
    """Columns of ``silver.entries``."""
    second = entry.runner_up or (None, None)
    return {
        "vehicle_id": entry.vehicle_id,
        "vehicle_number": digits_of_number(entry.number),
        "car_number": entry.number,
        "match_source": entry.source,
        "reported_number": digits_of_number(entry.reported),
        "n_crossings": entry.crossings,
        "n_matched": entry.matched,
        "n_official_laps": entry.official_laps,
        "runner_up_number": digits_of_number(second[0]),
        "runner_up_matched": second[1],
        "notes": list(entry.notes),
    }
