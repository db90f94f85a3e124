"""Real laps as coaching takes them: speed and pedals on the circuit of their positions, the quickest first."""

from __future__ import annotations

from pathlib import Path

from analysis.comparison.aligned_laps import align_laps
from analysis.comparison.corner_report import read_sides
from analysis.comparison.places import Sides
from analysis.track_build.from_positions import build_from_positions
from analysis.tracks.circuit import Circuit
from tests.unit.analysis import real_laps


def real_pairs(race: str, data_dir: Path) -> tuple[list[tuple[Sides, float]], Circuit]:
    """Each lap of ``barber`` or ``indianapolis`` beside the quickest, with the difference of their times."""
    found = sorted(getattr(real_laps, race)(data_dir), key=lambda lap: lap.lap_time_s)
    circuit = build_from_positions([lap.trace() for lap in found], race).circuit
    best, *others = [lap.trace(circuit) for lap in found]
    pairs = [(read_sides(align_laps(lap, best, circuit)), lap.lap_time_s - best.lap_time_s) for lap in others]
    return pairs, circuit
