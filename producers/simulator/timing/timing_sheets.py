"""What the official timing publishes: a lap, where a car stands, the result sheet; as the payloads of their events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from producers.simulator.rng import generator
from producers.simulator.simulator import VehicleSimulator
from producers.simulator.timing.official_timing import POINTS, SimulatedOfficialLap, TimingResult
from producers.simulator.timing.standings import ResultLine, Standing

_DAY_MS = 86_400_000
_TYRE = "slick"
_FLAGS = {"GF": "green", "FCY": "yellow", "FF": "finish"}


def sector_rows(simulator: VehicleSimulator, timed: TimingResult) -> Iterator[dict[str, Any]]:
    """Payloads of ``sector_times`` of one car, lap by lap; null beside a loop that missed it."""
    settings = simulator.settings
    draw = generator(settings.seed, timed.car.index, "loops").random((len(timed.laps), len(POINTS) - 1))
    for lap, missed in zip(timed.laps, (draw < settings.data_faults.loop_missing_share).tolist(), strict=True):
        yield _sector_times(simulator, timed, lap, missed)


def _sector_times(
    simulator: VehicleSimulator, timed: TimingResult, lap: SimulatedOfficialLap, missed: Sequence[bool]
) -> dict[str, Any]:
    settings = simulator.settings
    sectors = _beside(lap.sectors_ms, missed[1::2])
    zone = settings.start_time.utcoffset()
    local_ms = 0 if zone is None else round(zone.total_seconds() * 1000)
    end_ms = simulator.start_us // 1000 + lap.elapsed_ms
    return {
        "session_id": settings.session_id,
        "vehicle_number": timed.car.entered_number,
        "vehicle_id": timed.vehicle_id,
        "driver_number": 1,
        "lap_number": lap.lap,
        "lap_time_ms": lap.lap_ms,
        "sector_1_ms": sectors[0],
        "sector_2_ms": sectors[1],
        "sector_3_ms": sectors[2],
        "intermediate_names": list(POINTS),
        "intermediate_ms": _beside(lap.points_ms, missed),
        "elapsed_ms": lap.elapsed_ms,
        "time_of_day_ms": (end_ms + local_ms) % _DAY_MS,
        "time_us": simulator.start_us + lap.elapsed_ms * 1000,
        "top_speed_kmh": lap.top_kmh,
        "avg_speed_kmh": _kmh(simulator, lap),
        "in_pit": lap.in_pit,
        "pit_time_ms": lap.pit_ms,
        "flag": lap.flag,
        "track_limits": lap.deleted,
        "vehicle_class": settings.vehicle,
        "manufacturer": None,
        "is_synthetic": True,
    }


def standing_row(simulator: VehicleSimulator, timed: TimingResult, place: Standing) -> dict[str, Any]:
    """Payload of ``field``: where a car stands when it crosses the line."""
    stopped = 0 < timed.pit_lap <= place.laps
    flag = place.last.flag if place.last else "GF"
    return {
        "session_id": simulator.settings.session_id,
        "vehicle_id": timed.car.vehicle_id,
        "time_us": simulator.start_us + place.elapsed_ms * 1000,
        "vehicle_number": timed.car.entered_number,
        "position": place.position,
        "lap_number": place.laps if flag == "FF" else place.laps + 1,
        "gap_to_leader_ms": place.gap_ms,
        "interval_ahead_ms": place.interval_ms,
        "last_lap_time_ms": place.last.lap_ms if place.last else None,
        "tyre_compound": _TYRE,
        "tyre_age_laps": place.laps - timed.pit_lap if stopped else place.laps,
        "pit_count": int(stopped),
        "last_pit_lap": timed.pit_lap if stopped else None,
        "in_pit": place.last is not None and place.last.in_pit,
        "flag": _FLAGS[flag],
        "is_synthetic": True,
    }


def result_rows(
    simulator: VehicleSimulator, lines: Sequence[ResultLine], *, is_official: bool
) -> Iterator[dict[str, Any]]:
    """Payloads of ``result``, line by line; the official sheet repeats the provisional one, nobody is penalised."""
    settings = simulator.settings
    for line in lines:
        car, fastest = line.timed.car, line.fastest
        first_laps, first_ms = line.gap_first or (None, None)
        previous_laps, previous_ms = line.gap_previous or (None, None)
        yield {
            "session_id": settings.session_id,
            "vehicle_number": car.entered_number,
            "vehicle_id": line.timed.vehicle_id,
            "sheet": "results",
            "is_official": is_official,
            "position": line.position,
            "position_in_class": line.position,
            "status": "DNF" if line.position is None else "Classified",
            "laps": len(line.timed.laps),
            "total_time_ms": line.total_ms,
            "gap_first_ms": first_ms,
            "gap_first_laps": first_laps,
            "gap_previous_ms": previous_ms,
            "gap_previous_laps": previous_laps,
            "fl_lap": fastest.lap if fastest else None,
            "fl_time_ms": fastest.lap_ms if fastest else None,
            "fl_kmh": _kmh(simulator, fastest) if fastest else None,
            "vehicle_class": settings.vehicle,
            "vehicle_model": simulator.vehicle.title,
            "driver_name": car.driver_id,
            "team": None,
            "is_synthetic": True,
        }


def _kmh(simulator: VehicleSimulator, lap: SimulatedOfficialLap) -> float:
    return round(simulator.track.length_m * 3600.0 / lap.lap_ms, 1)


def _beside(times_ms: Sequence[int], missed: Sequence[bool]) -> list[int | None]:
    """Times between points, those on both sides of a missed one left out; the line misses nobody."""
    sides = zip([False, *missed], [*missed, False], strict=True)
    return [None if before or after else ms for ms, (before, after) in zip(times_ms, sides, strict=True)]
