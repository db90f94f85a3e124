"""Simulated sessions with the truth about their wear, as the lake would hold them, for tests on Spark and beyond."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

import pandas as pd

from benchmarks.karma_laps import session
from conf.contract import load_contract
from conf.families import TRUTH

# By the part that their names put them in: three to learn from, one to judge on, two to compare on.
TRACKS = {
    "train": ("three-oaks", "alder-ridge", "harbour-mile"),
    "test": ("drawn-2",),
    "promotion": ("drawn-1", "drawn-4"),
}
CARS, LAPS = 3, 3


@lru_cache
def simulated() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features of all laps, as a car with every sensor sends them, and labels."""
    names = [name for part in TRACKS.values() for name in part]
    found = [session(name, 40 + i, CARS, LAPS, views=("simulated",)) for i, name in enumerate(names)]
    laps = pd.concat([views["simulated"] for views, _ in found], ignore_index=True)
    return laps, pd.concat([truth for _, truth in found], ignore_index=True)


def feature_rows(laps: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``gold.lap_features``, as far as simulated laps have its columns."""
    known = set(load_contract("gold.lap_features").column_names)
    return laps[[name for name in laps.columns if name in known]].assign(run_id="run", is_valid=True)


def session_rows(laps: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``silver.sessions``."""
    return laps[["session_id", "track_id"]].drop_duplicates().assign(run_id="run")


def label_messages(truth: pd.DataFrame, names: Sequence[str]) -> list[tuple[str, int, int, str, str, bytes]]:
    """Labels as bronze holds them."""
    return [
        (TRUTH.topic, 0, i, "slipstream.truth.v1", "/simulator", json.dumps(row, default=str).encode())
        for i, row in enumerate(truth[list(names)].to_dict(orient="records"))
    ]
