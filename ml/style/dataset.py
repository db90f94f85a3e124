"""From window rows to a labelled, split data set: pure pandas (V14, GO-19)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from conf.errors import InputError
from ml.style.features import LABELS, STYLE_FEATURES, style_label
from ml.style.split import DEFAULT_SPLIT, SplitConfig, assert_no_leak, group_split, split_group

REASONS: Final = ("incomplete", "unlabelled", "missing_feature")
KEY: Final = ["session_id", "vehicle_id", "window_end_ts"]


@dataclass(frozen=True)
class StyleDataset:
    """Rows fit for training.

    Attributes:
        frame: Key, features, ``label``, ``driver_profile`` (where known), ``split``, ``split_group``.
        features: Feature columns in order.
        dropped: Reason to number of window rows left out.
        version: Digest of keys, features, labels and splits: the same rows in any order give the same one.
    """

    frame: pd.DataFrame
    features: tuple[str, ...]
    dropped: dict[str, int]
    version: str

    def part(self, split: str) -> tuple[pd.DataFrame, pd.Series[str], pd.Series[str]]:
        """``(X, y, groups)`` of one split."""
        rows = self.frame[self.frame["split"] == split]
        return rows[list(self.features)], rows["label"], rows["split_group"]

    def summary(self) -> str:
        """One line: rows and groups per split and class, and what was left out."""
        parts = [
            f"{split} {label}: {len(rows)} windows of {rows['split_group'].nunique()} vehicles"
            for (split, label), rows in self.frame.groupby(["split", "label"])
        ]
        left_out = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items() if count) or "none"
        return f"{'; '.join(parts)}; left out: {left_out}"


def build_style_dataset(
    windows: pd.DataFrame,
    features: Sequence[str] = STYLE_FEATURES,
    config: SplitConfig = DEFAULT_SPLIT,
) -> StyleDataset:
    """Label windows, drop what cannot be learnt from, and split by session and vehicle.

    Args:
        windows: Rows of ``gold.telemetry_windows``, with ``style_label`` or ``driver_profile``.
        features: Columns to learn from.
        config: Shares and seed of the split.

    Returns:
        The data set. Left out, each row counted under its first reason: ``incomplete`` (under 90 % covered),
        ``unlabelled``, ``missing_feature``.

    Raises:
        ValueError: If a column is missing, a key repeats, or a label is unknown.
    """
    labels = _labels(windows)
    absent = [name for name in [*KEY, "is_complete", *features] if name not in windows.columns]
    if absent:
        raise ValueError(f"windows lacks {', '.join(absent)}: read it from gold.telemetry_windows")
    repeated = windows.duplicated(KEY)
    if repeated.any():
        raise ValueError(
            f"windows repeats the key {windows.loc[repeated, KEY].iloc[0].to_dict()}: drop duplicates first"
        )
    reasons = _reasons(windows, labels, features)
    keep = reasons == ""
    frame = windows.loc[keep, KEY].assign(**windows.loc[keep, list(features)].astype(np.float64), label=labels[keep])
    if "driver_profile" in windows.columns:
        frame["driver_profile"] = windows.loc[keep, "driver_profile"]
    frame = _split(frame, config).sort_values(KEY, ignore_index=True)
    assert_no_leak(frame)
    dropped = {reason: int((reasons == reason).sum()) for reason in REASONS}
    return StyleDataset(frame, tuple(features), dropped, _version(frame, features))


def _reasons(windows: pd.DataFrame, labels: pd.Series[str], features: Sequence[str]) -> pd.Series[str]:
    """Why each row is left out, the first reason of ``REASONS`` that holds; empty where it is kept."""
    finite = np.isfinite(windows[list(features)].to_numpy(dtype=np.float64)).all(axis=1)
    holds = [~windows["is_complete"].to_numpy(dtype=bool), labels.isna().to_numpy(), ~finite]
    return pd.Series(np.select(holds, REASONS, default=""), index=windows.index)


def _labels(windows: pd.DataFrame) -> pd.Series[str]:
    if "style_label" in windows.columns:
        labels = windows["style_label"]
        unknown = set(labels.dropna()) - set(LABELS)
        if unknown:
            raise InputError(f"style_label holds {sorted(unknown)}: use {' or '.join(LABELS)}")
        return labels
    if "driver_profile" in windows.columns:
        return windows["driver_profile"].map(
            {name: style_label(name) for name in windows["driver_profile"].dropna().unique()}
        )
    raise InputError("windows has neither style_label nor driver_profile: train on labelled (simulated) sessions")


def _split(frame: pd.DataFrame, config: SplitConfig) -> pd.DataFrame:
    stratum = "driver_profile" if "driver_profile" in frame.columns else "label"
    vehicles = frame.groupby(["session_id", "vehicle_id"], as_index=False)[stratum].first()
    vehicles["split_group"] = [
        split_group(s, v) for s, v in zip(vehicles["session_id"], vehicles["vehicle_id"], strict=True)
    ]
    vehicles["split"] = [
        group_split(g, str(p), config) for g, p in zip(vehicles["split_group"], vehicles[stratum], strict=True)
    ]
    return frame.merge(vehicles.drop(columns=stratum), on=["session_id", "vehicle_id"], validate="many_to_one")


def _version(frame: pd.DataFrame, features: Sequence[str]) -> str:
    rows = pd.util.hash_pandas_object(frame[[*KEY, *features, "label", "split"]], index=False).to_numpy()
    return hashlib.sha256(",".join(features).encode() + rows.tobytes()).hexdigest()[:16]
