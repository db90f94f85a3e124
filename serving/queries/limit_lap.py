"""Compute a limit lap from a user's options: files and names in, figures out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conf.arrays import FloatArray
from conf.errors import InputError
from conf.frozen import FrozenModel
from conf.race_car import load_race_car
from conf.track_parameters import FILE, TrackParameters, load_track_parameters
from conf.units import KMH_PER_MPS
from conf.vehicle import load_vehicle, vehicle_names
from physics.centre_line import Line
from physics.limit_lap.double_track import build_race_car_envelope
from physics.limit_lap.envelope import Envelope
from physics.limit_lap.friction_circle import build_friction_circle_envelope
from physics.limit_lap.lap import LimitLap, solve_limit_lap
from physics.limit_lap.race_line import spline_line
from physics.limit_lap.race_line_checks import read_race_line
from physics.vehicle import Vehicle


class LimitLapAnswer(FrozenModel):
    """A limit lap as programs read it; sector ends are distances from the line, the last at the line."""

    track: str
    vehicle: str
    lap_time_s: float
    sector_times_s: tuple[float, ...]
    sector_ends_m: tuple[float, ...]
    top_speed_kmh: float
    lowest_speed_kmh: float
    length_m: float
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LimitLapResult:
    """A limit lap and what it was computed from.

    Attributes:
        sector_ends_m: Ends of all sectors, the last at the line.
        notes: What the user should know of the inputs.
        driven: Distance in metres and speed in m/s of a driven lap to draw beside it.
    """

    track: str
    vehicle: str
    line: Line
    lap: LimitLap
    sector_ends_m: tuple[float, ...]
    sector_times_s: tuple[float, ...]
    notes: tuple[str, ...]
    driven: tuple[FloatArray, FloatArray] | None = None

    @property
    def answer(self) -> LimitLapAnswer:
        """The lap's figures, rounded to what they are good for."""
        return LimitLapAnswer(
            track=self.track,
            vehicle=self.vehicle,
            lap_time_s=round(self.lap.lap_time_s, 4),
            sector_times_s=tuple(round(t, 4) for t in self.sector_times_s),
            sector_ends_m=tuple(round(end, 1) for end in self.sector_ends_m),
            top_speed_kmh=round(float(self.lap.speed_mps.max()) * KMH_PER_MPS, 2),
            lowest_speed_kmh=round(float(self.lap.speed_mps.min()) * KMH_PER_MPS, 2),
            length_m=round(self.line.length_m, 1),
            notes=self.notes,
        )

    @property
    def headline(self) -> str:
        """Lap time, length, highest and lowest speed."""
        minutes, seconds = divmod(self.lap.lap_time_s, 60.0)
        top, low = (float(f(self.lap.speed_mps)) * KMH_PER_MPS for f in (max, min))
        return (
            f"{int(minutes)}:{seconds:06.3f} ({self.lap.lap_time_s:.3f} s) over {self.line.length_m:,.0f} m, "
            f"top speed {top:.1f} km/h, lowest {low:.1f} km/h"
        )


def compute_limit_lap(
    raceline: Path, vehicle: str, parameters: Path | None = None, track: str | None = None, margin_mps: float = 0.0
) -> LimitLapResult:
    """Compute the limit lap of a car on a line.

    Args:
        raceline: CSV of points x,y in metres.
        vehicle: A race car's parameter file, or the name of one of our cars.
        parameters: File with sector ends, DRS zones and friction; looked for beside or above the line if left out.
        track: Name in that file; the line's file name if left out.
        margin_mps: How far below the limit speed bends are taken.

    Raises:
        InputError: If a file does not fit, or there is no such car or track; names the file and the remedy.
    """
    name = track or raceline.stem
    known, notes = _parameters(raceline, parameters, name, must_know=track is not None)
    points = read_race_line(raceline)
    line = spline_line(points.x_m, points.y_m)
    envelope = _envelope(vehicle, known.grip_factor if known else 1.0)
    lap = solve_limit_lap(envelope, line, margin_mps=margin_mps, drs_zones_m=known.drs_zones_m if known else ())
    ends = known.sector_ends_m if known else split_in_thirds(line)
    if ends[-1] >= line.length_m:
        raise InputError(f"sectors of {name} end at {ends[-1]:,.0f} m, beyond the line's {line.length_m:,.0f} m")
    return LimitLapResult(
        name, Path(vehicle).stem, line, lap, (*ends, line.length_m), lap.sector_times_s(ends), (*points.notes, *notes)
    )


def split_in_thirds(line: Line) -> tuple[float, float]:
    """Where a lap without known sectors is cut."""
    return line.length_m / 3.0, 2.0 * line.length_m / 3.0


def _parameters(
    raceline: Path, given: Path | None, name: str, *, must_know: bool
) -> tuple[TrackParameters | None, list[str]]:
    if given and not given.is_file():
        raise InputError(f"no file {given} with track parameters")
    places = [given] if given else [folder / FILE for folder in (raceline.parent, raceline.parent.parent)]
    path = next((p for p in places if p.is_file()), None)
    known = load_track_parameters(path, name) if path else None
    if known:
        return known, [f"Sector ends, DRS zones and friction of {name} from {path}."]
    if given or must_know:
        raise InputError(f"{path or FILE} knows no track '{name}': name one with --track, or leave both out")
    return None, [f"No {FILE} beside the line knows {name}: sectors are thirds of the lap, DRS stays closed."]


def _envelope(vehicle: str, grip_factor: float) -> Envelope:
    if vehicle in vehicle_names():
        return build_friction_circle_envelope(Vehicle(load_vehicle(vehicle)))
    path = Path(vehicle)
    if not path.is_file():
        names = ", ".join(vehicle_names())
        raise InputError(f"no vehicle '{vehicle}': give a parameter file that exists, or one of {names}")
    return build_race_car_envelope(load_race_car(path), grip_factor)
