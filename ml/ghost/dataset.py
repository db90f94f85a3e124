"""Training data: windows of each zone type, of laps to learn from and of held-out laps, as files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from analysis.segmentation.segmentation import SegmentedTrack
from analysis.segmentation.stretches import TrackStretch
from analysis.segmentation.zones import TYPES, ZoneType
from conf.errors import TrainingDataError
from ml.ghost.scaler import Scaler
from ml.ghost.windows import GhostWindows, LapProfile, choose_held_out, cut_windows, missing_zone_types

FEWEST_LAPS: Final = 8
_HELD_OUT_SHARE: Final = 0.25
TRAIN, HELD_OUT = "train", "held_out"


@dataclass(frozen=True)
class GhostDataset:
    """Windows of laps, split by lap.

    Attributes:
        train: To learn from.
        held_out: Of other laps.
        laps: Names of all laps.
        held_out_laps: Names of those kept aside.
        version: Digest of the content.
    """

    train: GhostWindows
    held_out: GhostWindows
    laps: tuple[str, ...]
    held_out_laps: tuple[str, ...]
    version: str

    def save(self, folder: Path) -> None:
        """Write ``<zone type>.npz`` for each zone type; a folder that is there already holds the same."""
        folder.mkdir(parents=True, exist_ok=True)
        for kind in TYPES:
            parts: dict[str, Any] = {}
            for name, found in ((TRAIN, self.train.of(kind)), (HELD_OUT, self.held_out.of(kind))):
                parts |= {f"{name}_{field}": value for field, value in vars(found).items()}
            partial = folder / f".{kind}.npz"
            np.savez(partial, **parts)
            partial.replace(folder / f"{kind}.npz")


def load_zone_windows(folder: Path, kind: ZoneType) -> tuple[GhostWindows, GhostWindows]:
    """Windows of a zone type: to learn from, and kept aside."""
    with np.load(folder / f"{kind}.npz", allow_pickle=False) as found:
        fields = ("values", "conditions", "kind", "lap", "place")
        train, aside = (GhostWindows(*(found[f"{name}_{field}"] for field in fields)) for name in (TRAIN, HELD_OUT))
    return train, aside


def build_ghost_dataset(
    profiles: Sequence[LapProfile],
    tracks: Mapping[str, tuple[SegmentedTrack, tuple[TrackStretch, ...]]],
    scaler: Scaler,
    seed: int = 0,
) -> GhostDataset:
    """Split laps and cut them into windows.

    Args:
        profiles: Fast laps.
        tracks: Segmented track and its stretches, by key.
        scaler: The scaler that they were normalised by.
        seed: Of the split and the moves.

    Raises:
        TrainingDataError: If there are too few laps, or a zone type is missing.
    """
    if len(profiles) < FEWEST_LAPS:
        raise TrainingDataError(
            f"{len(profiles)} fast laps to learn from, at least {FEWEST_LAPS} are needed: give more sessions; "
            "the column status of gold.lap_registry says why a lap is not among them"
        )
    aside = choose_held_out(len(profiles), _HELD_OUT_SHARE, seed)
    parts = []
    for number, chosen in enumerate((~aside, aside)):
        some = [profile for profile, is_in in zip(profiles, chosen, strict=True) if is_in]
        parts.append(cut_windows(some, tracks, scaler, moved=True, seed=seed + number))
    if absent := sorted({kind for part in parts for kind in missing_zone_types(part)}):
        raise TrainingDataError(
            f"no stretch of {', '.join(sorted(tracks))} is mostly {' or '.join(absent)}: each zone type needs a model "
            "of its own; lower stitched_zone_m in conf/ghost.yaml, or train on further tracks with it"
        )
    uids = tuple(profile.uid for profile in profiles)
    digest = hashlib.sha256(json.dumps([uids, seed]).encode())
    for part in parts:
        digest.update(part.values.tobytes() + part.conditions.tobytes())
    names = tuple(uid for uid, is_in in zip(uids, aside, strict=True) if is_in)
    return GhostDataset(parts[0], parts[1], uids, names, digest.hexdigest()[:16])
