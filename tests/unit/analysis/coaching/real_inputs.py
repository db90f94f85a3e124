"""Real laps as coaching takes them: speed and pedals, the quickest first, and the zones of that one."""

from __future__ import annotations

from pathlib import Path

from analysis.coaching.insights import DriverInputs, read_driver_inputs
from analysis.segmentation.zones import Zone, find_zones
from analysis.track_build.from_positions import build_from_positions
from conf.ghost import load_ghost_rules
from tests.unit.analysis import real_laps


def real_inputs(race: str, data_dir: Path) -> tuple[list[DriverInputs], tuple[Zone, ...], list[float]]:
    """Laps of ``barber`` or ``indianapolis`` the zones found on the quickest, and the times by the timing."""
    found = sorted(getattr(real_laps, race)(data_dir), key=lambda lap: lap.lap_time_s)
    circuit = build_from_positions([lap.trace() for lap in found], race).circuit
    traces = [lap.trace(circuit) for lap in found]
    zones = find_zones(traces[0], circuit, load_ghost_rules())
    return [read_driver_inputs(trace, circuit) for trace in traces], zones, [trace.lap_time_s for trace in traces]
