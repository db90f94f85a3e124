"""Laps with labels, split by track and by car (K9).

A track's place depends on its own name alone, so it never moves as data grow: the laps that candidates and the model in
use are compared on are frozen. A car belongs to the session that it drove in, on one track, so that no car stands in
two parts; one that does, with the same parts in it, is an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from conf.arrays import FloatArray
from conf.errors import TrainingDataError
from conf.wear import COMPONENTS

KEY: Final = ["session_id", "vehicle_id", "lap_number"]
TRAIN: Final = "train"
TEST: Final = "test"
PROMOTION: Final = "promotion"
_SHARES: Final = {PROMOTION: 0.2, TEST: 0.25}
_FEWEST_TRACKS: Final = 3


@dataclass(frozen=True)
class KarmaDataset:
    """Laps fit for training.

    Attributes:
        laps: Key, ``track_id``, ``split``, features; sorted by key.
        damage: Damage per km by component, shape (n_laps, 5).
        dropped: Reason to number of laps left out.
        version: Digest of keys, features and labels.
    """

    laps: pd.DataFrame
    damage: FloatArray
    dropped: dict[str, int]
    version: str

    def part(self, split: str) -> tuple[pd.DataFrame, FloatArray]:
        """Laps and their damage per km of one split."""
        inside = (self.laps["split"] == split).to_numpy()
        return self.laps[inside].reset_index(drop=True), self.damage[inside]


def track_split(track_id: str) -> str:
    """Return the split that a track's laps always belong to."""
    digest = hashlib.blake2b(f"karma|{track_id}".encode(), digest_size=8).digest()
    at = int.from_bytes(digest, "big") / 2.0**64
    for split, share in _SHARES.items():
        if at < share:
            return split
        at -= share
    return TRAIN


def build_karma_dataset(
    laps: pd.DataFrame, truth: pd.DataFrame, columns: Sequence[str], least_coverage: float
) -> KarmaDataset:
    """Join laps with what they did to the car, and split.

    Args:
        laps: Rows of ``gold.lap_features`` with ``track_id``.
        truth: Labels: key, ``component``, ``damage_per_km``, ``part_factor``, ``is_complete``.
        columns: Columns that a lap must have, beside ``distance_km``.
        least_coverage: Share of a lap that telemetry must cover.

    Raises:
        TrainingDataError: If there are no labelled laps, too few tracks, or a car on both sides of the split.
    """
    wide = truth[truth["is_complete"]].pivot_table(index=KEY, columns="component", values="damage_per_km")
    joined = laps.merge(wide.reset_index(), on=KEY, how="left", suffixes=("", "_label")).sort_values(KEY)
    labels = joined.reindex(columns=list(COMPONENTS)).to_numpy(dtype=np.float64)
    checks = {
        "unlabelled": ~(labels > 0).all(axis=1),
        "less covered": ~(joined["coverage"].astype(np.float64) >= least_coverage).to_numpy(),
        "track unknown": joined["track_id"].isna().to_numpy(),
        "a feature missing": joined[[*columns, "distance_km"]].astype(np.float64).isna().any(axis=1).to_numpy(),
    }
    keep, dropped = np.ones(len(joined), np.bool_), {}
    for reason, wrong in checks.items():
        dropped[reason] = int(np.count_nonzero(keep & wrong))
        keep &= ~wrong
    kept = joined[keep].drop(columns=list(COMPONENTS), errors="ignore").reset_index(drop=True)
    if kept.empty:
        raise TrainingDataError(
            "no lap has features and a label of wear: simulate some (`slipstream produce wear-laps`), then "
            "`slipstream run`"
        )
    kept["split"] = [track_split(track) for track in kept["track_id"]]
    _require_tracks(kept, set(laps["track_id"].dropna()))
    _require_no_shared_car(kept, truth)
    damage = labels[keep]
    return KarmaDataset(kept, damage, dropped, _version(kept, damage, columns))


def _require_tracks(laps: pd.DataFrame, driven: set[str]) -> None:
    """Tracks enough in each part; those to drive on besides are none of those driven on already."""
    tracks = laps.groupby("split")["track_id"].unique()
    needed = {TRAIN: _FEWEST_TRACKS, TEST: 1, PROMOTION: 1}
    for split, least in needed.items():
        have = sorted(tracks.get(split, []))
        if len(have) < least:
            more = [name for name in (f"drawn-{i}" for i in range(1, 1000)) if track_split(name) == split]
            more = [name for name in more if name not in driven][: least - len(have)]
            raise TrainingDataError(
                f"{least} tracks are needed to {'learn from' if split == TRAIN else 'judge on'} ({split}), and there "
                f"are {', '.join(have) or 'none'}: simulate on {', '.join(more)} (`slipstream produce simulate "
                f"--track {more[0]} --setups varied --random-car-faults --truth`), then `slipstream run`"
            )


def _require_no_shared_car(laps: pd.DataFrame, truth: pd.DataFrame) -> None:
    """The same parts under the same name are the same car, whatever session it drove in."""
    cars = truth[truth["component"] == COMPONENTS[0]].drop_duplicates(["session_id", "vehicle_id"])
    cars = cars[["session_id", "vehicle_id", "part_factor"]]
    splits = laps[["session_id", "vehicle_id", "split"]].drop_duplicates().merge(cars)
    shared = splits.groupby(["vehicle_id", "part_factor"])["split"].nunique()
    if (shared > 1).any():
        vehicle = shared[shared > 1].index[0][0]
        raise TrainingDataError(
            f"{vehicle} with the same parts drove on tracks to learn from and on tracks to judge on: give each "
            "simulated session a --seed of its own"
        )


def _version(laps: pd.DataFrame, damage: FloatArray, columns: Sequence[str]) -> str:
    hashed = pd.util.hash_pandas_object(laps[[*KEY, "split", *columns]].astype({"lap_number": "int64"}), index=False)
    digest = hashlib.sha256(hashed.to_numpy().tobytes())
    digest.update(np.ascontiguousarray(damage).tobytes())
    return digest.hexdigest()[:16]
