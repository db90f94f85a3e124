"""Micro-sectors of a track, as its newest segmentation has them."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.segmentation.zones import Microsector
from conf.tables import GOLD_MICROSECTORS
from serving.lake.reader import LakeReader


@dataclass(frozen=True)
class Segmentation:
    """One version of how a track is cut.

    Attributes:
        version: From 1.
        pieces: Its micro-sectors in driving order.
    """

    version: int
    pieces: tuple[Microsector, ...]


def find_newest_segmentation(lake: LakeReader, track_id: str) -> Segmentation | None:
    """The newest segmentation of a track, ``None`` where it has none."""
    rows = lake.rows(GOLD_MICROSECTORS, {"track_id": track_id}, order_by=("microsector_id",), missing_ok=True)
    if not rows:
        return None
    version = max(row["segmentation_version"] for row in rows)
    pieces = tuple(
        Microsector(r["microsector_id"], r["zone"], r["zone_type"], r["start_m"], r["end_m"], r["sector_id"] or 1)
        for r in rows
        if r["segmentation_version"] == version
    )
    return Segmentation(version, pieces)
