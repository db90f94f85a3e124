"""Laps as the page's script draws them: channels and time lost over distance, the map, and pairs to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from math import isnan
from typing import Any, Final

import numpy as np

from analysis.drivers.formatting import describe_gap, format_lap_time
from analysis.tracks.circuit import Circuit, Corner
from conf.arrays import FloatArray
from conf.plain_text import show_controls
from serving.charts.circuit import (
    CircuitLabels,
    find_braking_points_m,
    find_label_side,
    place_circuit_labels,
    point_on_line,
)
from serving.charts.time_delta import local_loss_rate
from serving.queries.comparison import ComparedLaps
from serving.queries.driver_session import TimeLoss
from serving.queries.lap_traces import LoadedLap

_CHANNELS: Final = (("speed", "speed_kmh", 1), ("throttle", "throttle_pct", 0), ("brake", "brake_front_bar", 1))
_MAP_SIZE: Final = 380.0
_MARGIN: Final = 26.0
_LETTER: Final = 5.0  # of a corner's name, which stands beside the road


def viewer_script() -> str:
    """The script that draws them."""
    return files("serving.reports").joinpath("templates", "lap_viewer.js").read_text(encoding="utf-8")


def viewer_data(loss: TimeLoss) -> dict[str, Any]:
    """What the script reads.

    Args:
        loss: With a comparison.

    Returns:
        ``distance`` of the grid from the line, ``corners``, ``map`` (``None`` without a circuit), ``laps`` by their uid
        with time lost on the page's reference, and ``pairs`` in the order of the page. What was not measured is null.
    """
    shown = loss.compared
    if shown is None:
        raise ValueError("nothing is compared")
    against = [one for one in loss.pairs if one.reference.row.uid == shown.reference.row.uid]
    laps = {one.lap.row.uid: _lap(one.lap, one, one.comparison.lap, one.comparison.delta_s) for one in against}
    still = np.zeros_like(shown.comparison.delta_s)
    laps[shown.reference.row.uid] = _lap(shown.reference, shown, shown.comparison.reference, still)
    circuit, where = shown.circuit, shown.comparison.distance_m
    return {
        "distance": _numbers(where, 1),
        "corners": [] if circuit is None else [_corner(one) for one in circuit.corners],
        "map": None if circuit is None else _map(circuit, where),
        "laps": laps,
        "pairs": [
            {
                "lap": one.lap.row.uid,
                "reference": one.reference.row.uid,
                "brakes": _brakes(one),
            }
            for one in pairs_shown(loss)
        ],
    }


def pairs_shown(loss: TimeLoss) -> tuple[ComparedLaps, ...]:
    """The pairs that a page offers, that of the page first."""
    if loss.compared is None:
        return ()
    first = _names(loss.compared)
    return (loss.compared, *(one for one in loss.pairs if _names(one) != first))


def pair_headline(found: ComparedLaps) -> str:
    """Both laps and what lies between them, in a sentence."""
    lap, reference = found.lap.row, found.reference.row
    other = (
        f"lap {reference.lap_number}"
        if (lap.session_id, lap.vehicle_id) == (reference.session_id, reference.vehicle_id)
        else f"lap {reference.lap_number} of {reference.car}"
    )
    other = f"{other} ({format_lap_time(found.reference.time_s)})"
    return f"Lap {lap.lap_number} ({format_lap_time(found.lap.time_s)}) is {describe_gap(found.delta_s, other)}."


def viewer_choices(loss: TimeLoss) -> dict[str, list[dict[str, str]]]:
    """Laps and references to choose from, each with its uid and text; the page's own are marked."""
    laps = {
        one.lap.row.uid: _name(one.lap).removeprefix("lap ")
        for one in sorted(loss.pairs, key=lambda one: one.lap.row.lap_number)
    }
    references = {one.reference.row.uid: _reference_name(one) for one in pairs_shown(loss)}
    own = ("", "") if loss.compared is None else _names(loss.compared)
    return {
        name: [{"uid": uid, "text": text, "chosen": "selected" if uid == chosen else ""} for uid, text in texts.items()]
        for name, texts, chosen in (("laps", laps, own[0]), ("references", references, own[1]))
    }


def _names(found: ComparedLaps) -> tuple[str, str]:
    return found.lap.row.uid, found.reference.row.uid


def _name(lap: LoadedLap) -> str:
    return f"lap {lap.row.lap_number}, {format_lap_time(lap.time_s)}"


def _reference_name(found: ComparedLaps) -> str:
    reference = found.reference
    if reference.row.vehicle_id == found.lap.row.vehicle_id:
        return f"the driver's best, {_name(reference)}"
    return f"{reference.row.car}, {_name(reference)}"


def _lap(
    lap: LoadedLap, found: ComparedLaps, channels: Mapping[str, FloatArray], delta_s: FloatArray
) -> dict[str, Any]:
    where = found.comparison.distance_m
    return {
        "name": show_controls(f"{lap.row.car}, {_name(lap)}"),
        **{short: _numbers(channels[name], digits) for short, name, digits in _CHANNELS},
        "delta": _numbers(delta_s, 3),
        "loss": _numbers(local_loss_rate(where, delta_s), 4),
    }


def _brakes(found: ComparedLaps) -> list[list[float | None]]:
    """Where the lap and where the reference begin to brake."""
    if found.circuit is None or found.report is None:
        return [[], []]
    return [_numbers(at, 1) for at in find_braking_points_m(found.circuit, found.report.sides)]


def _corner(corner: Corner) -> dict[str, Any]:
    return {
        "label": show_controls(corner.label),
        "short": f"T{corner.number}",
        "entry": round(corner.entry_m, 1),
        "apex": round(corner.apex_m, 1),
        "exit": round(corner.exit_m, 1),
    }


def _map(circuit: Circuit, where: FloatArray) -> dict[str, Any]:
    """The line at the points of the grid and its labels, in units of the drawing: y grows downwards."""
    points, labels = point_on_line(circuit, where), place_circuit_labels(circuit)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = _MAP_SIZE / float((high - low).max())
    longest = max((len(corner.name or "") for corner in circuit.corners), default=0)
    beside = _MARGIN + _LETTER * longest

    def place(at: FloatArray) -> FloatArray:
        return np.stack([(at[..., 0] - low[0]) * scale + beside, (high[1] - at[..., 1]) * scale + _MARGIN], axis=-1)

    drawn = place(points)
    size = (high - low) * scale + 2 * np.array([beside, _MARGIN])
    return {
        "size": _numbers(size, 0),
        "x": _numbers(drawn[:, 0], 1),
        "y": _numbers(drawn[:, 1], 1),
        "labels": list(_labels(circuit, labels, place)),
        "start": [_numbers(one, 1) for one in place(labels.start)],
        "way": [_numbers(one, 1) for one in place(labels.way)],
    }


def _labels(circuit: Circuit, labels: CircuitLabels, place: Any) -> Iterator[dict[str, Any]]:
    for corner, at in zip(circuit.corners, labels.corners, strict=True):
        x, y = _numbers(place(at), 1)
        side = find_label_side(circuit, corner, at)
        yield {"x": x, "y": y, "text": f"T{corner.number}", "name": show_controls(corner.name or ""), "side": side}


def _numbers(values: FloatArray | Sequence[float], digits: int) -> list[float | None]:
    """Numbers for JSON, null where there is none; whole ones without a point, which a page of many laps feels."""
    rounded = np.round(np.asarray(values, dtype=np.float64), digits).tolist()
    return [None if isnan(x) else int(x) if x == int(x) else x for x in rounded]
