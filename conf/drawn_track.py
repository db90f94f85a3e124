"""Circuits drawn by number (``drawn-7``), as many as needed, to evaluate models on unseen tracks.

The corners of a polygon around a centre are rounded off, so that every one of them closes and none crosses itself.
"""

from __future__ import annotations

import math
import random
import re
from typing import Any, Final

_NAME: Final = re.compile(r"drawn-(0|[1-9][0-9]{0,5})")  # one name for each, or its laps could be split
_CORNERS: Final = (8, 16)
_SCALE_M: Final = (380.0, 950.0)  # mean distance of the corners from the centre
_RADIUS_M: Final = (14.0, 400.0)
_SWEEPERS: Final = 0.6  # share of the corners that are as wide as their place allows, or nearly so
_LEAST_STRAIGHT_M: Final = 6.0
_LEAST_TURN: Final = math.radians(4)


def parse_drawn_number(name: str) -> int | None:
    """Number of a drawn circuit, ``None`` for a name of another kind."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def draw_track(number: int) -> dict[str, Any]:
    """Draw the track file of a number: the same number gives the same circuit."""
    chance = random.Random(number)  # noqa: S311 - a drawing, not a secret
    while True:
        pieces = _pieces(chance)
        if pieces is not None:
            break
    length_m = sum(_length_m(piece) for piece in pieces)
    return {
        "title": f"Drawn circuit {number}",
        "width_m": round(chance.uniform(9.0, 14.0), 1),
        "sector_ends_m": [round(length_m / 3, 1), round(2 * length_m / 3, 1)],
        "segments": pieces,
    }


def _pieces(chance: random.Random) -> list[dict[str, float]] | None:
    """Straights and arcs; ``None`` where the corners drawn leave no room for a car."""
    corners = _polygon(chance)
    n = len(corners)
    turns, sides = [], []
    for before, at, after in zip(corners[-1:] + corners[:-1], corners, corners[1:] + corners[:1], strict=True):
        come, go = _bearing(before, at), _bearing(at, after)
        turns.append((go - come + math.pi) % (2 * math.pi) - math.pi)
        sides.append(math.dist(at, after))
    if min(abs(turn) for turn in turns) < _LEAST_TURN or max(abs(turn) for turn in turns) > math.radians(150):
        return None
    # How far before a corner its arc begins: no more than its share of the sides on either hand.
    tangents = []
    for i, turn in enumerate(turns):
        radius_m = math.exp(chance.uniform(math.log(_RADIUS_M[0]), math.log(_RADIUS_M[1])))
        room_m = 0.5 * (min(sides[i - 1], sides[i]) - _LEAST_STRAIGHT_M)
        widest_m = min(room_m, _RADIUS_M[1] * math.tan(abs(turn) / 2))
        sweep_m = widest_m * chance.uniform(0.5, 1.0)
        is_sweeper = chance.random() < _SWEEPERS
        tangents.append(sweep_m if is_sweeper else min(radius_m * math.tan(abs(turn) / 2), room_m))
    radii = [tangent / math.tan(abs(turn) / 2) for tangent, turn in zip(tangents, turns, strict=True)]
    if min(radii) < _RADIUS_M[0]:
        return None
    straights = [sides[i] - tangents[i] - tangents[(i + 1) % n] for i in range(n)]
    start = max(range(n), key=straights.__getitem__)
    line_m = 0.4 * straights[start]  # the line stands before the middle of the longest straight
    pieces: list[dict[str, float]] = [{"straight_m": straights[start] - line_m}]
    for i in range(1, n + 1):
        corner = (start + i) % n
        pieces.append({"radius_m": radii[corner], "angle_deg": math.degrees(turns[corner])})
        pieces.append({"straight_m": straights[corner] if i < n else line_m})
    return pieces


def _polygon(chance: random.Random) -> list[tuple[float, float]]:
    """Corners round a centre, anticlockwise or clockwise."""
    n, scale_m = chance.randint(*_CORNERS), chance.uniform(*_SCALE_M)
    stretch = chance.uniform(0.5, 1.0)
    angles = [2 * math.pi * (i + chance.uniform(-0.3, 0.3)) / n for i in range(n)]
    corners = []
    for angle in angles:
        r = scale_m * chance.uniform(0.55, 1.45)
        corners.append((r * math.cos(angle), stretch * r * math.sin(angle)))
    return corners if chance.random() < 0.5 else corners[::-1]


def _bearing(a: tuple[float, float], b: tuple[float, float]) -> float:
    return math.atan2(b[1] - a[1], b[0] - a[0])


def _length_m(piece: dict[str, float]) -> float:
    if "straight_m" in piece:
        return piece["straight_m"]
    return piece["radius_m"] * math.radians(abs(piece["angle_deg"]))
