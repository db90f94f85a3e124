"""Circuits whose line lies elsewhere, so that corners may reach over it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.tracks.circuit import Circuit


def move_line(circuit: Circuit, metres: float) -> Circuit:
    """The circuit with its line moved on, so that corners may lie over it."""
    line, length = circuit.line, circuit.length_m
    k = -round(metres / line.step_m)
    at = -k * line.step_m
    x, y, bend = (np.roll(axis, k) for axis in (line.x_m, line.y_m, line.curvature_per_m))
    moved = [
        replace(c, entry_m=(c.entry_m - at) % length, apex_m=(c.apex_m - at) % length, exit_m=(c.exit_m - at) % length)
        for c in circuit.corners
    ]
    ordered = sorted(moved, key=lambda corner: corner.apex_m)
    numbered = tuple(replace(corner, number=n) for n, corner in enumerate(ordered, start=1))
    return replace(circuit, line=replace(line, x_m=x, y_m=y, curvature_per_m=bend), corners=numbered)
