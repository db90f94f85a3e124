"""Passages over stretches as rows of a frame, in physical units: what the ghost is asked for, and what it answers.

A row is one passage; what changes along it is a list of ``STEPS`` numbers, evenly spaced over its length.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from analysis.segmentation.zones import TYPES
from conf.arrays import Float32Array, FloatArray
from conf.errors import InputError
from conf.units import KMH_PER_MPS
from ml.ghost.scaler import CHANNELS, SPEED, Scaler
from ml.ghost.search.human_laps import STEPS
from ml.ghost.windows import CONDITIONS, GhostWindows, physical_conditions, scale_conditions

if TYPE_CHECKING:
    from ml.ghost.model import GhostModel

ALONG: Final = ("curvature_per_m", "limit_kmh", "limit_in_40_m_kmh", "limit_in_100_m_kmh", "limit_30_m_ago_kmh")
DRIVEN: Final = "driven_"
"""Before a channel of the frozen passages: what the car did."""


def windows_to_passages(windows: GhostWindows, scaler: Scaler) -> pd.DataFrame:
    """Windows as passages to ask for, with what was driven beside them.

    Args:
        windows: Normalised windows.
        scaler: The scaler that they were normalised by.
    """
    told = physical_conditions(windows.conditions, scaler)
    driven = scaler.physical(windows.values.astype(np.float64))
    columns = {
        "zone_type": windows.kind.astype(str),
        "entry_speed_kmh": driven[:, 0, SPEED],
        "length_m": told["length_m"],
        **{name: list(told[name]) for name in ALONG},
        "lap": windows.lap,
        "place": windows.place,
        f"{DRIVEN}time_s": passage_times_s(driven[:, :, SPEED], told["length_m"]),
        **{f"{DRIVEN}{name}": list(driven[:, :, c]) for c, name in enumerate(CHANNELS)},
    }
    return pd.DataFrame(columns)


def passages_to_windows(passages: pd.DataFrame, scaler: Scaler) -> GhostWindows:
    """Windows to generate for passages; where these say what was driven, the windows hold it, else the entry alone.

    Args:
        passages: ``zone_type``, ``entry_speed_kmh``, ``length_m`` and the lists of ``ALONG``.
        scaler: The model's.

    Raises:
        InputError: If a zone type is unknown or a list is not of ``STEPS`` numbers.
    """
    if unknown := sorted(set(passages["zone_type"]) - set(TYPES)):
        raise InputError(f"zone_type {', '.join(map(str, unknown))}: use one of {', '.join(TYPES)}")
    along = {name: _lists(passages, name) for name in ALONG}
    n = len(passages)
    conditions = [
        scale_conditions(scaler, **{name: along[name][k] for name in ALONG}, length_m=length_m)
        for k, length_m in enumerate(passages["length_m"].astype(float))
    ]
    physical = np.zeros((n, STEPS, len(CHANNELS)))
    physical[:, 0, SPEED] = passages["entry_speed_kmh"].astype(float)
    if f"{DRIVEN}{CHANNELS[0]}" in passages:
        physical = np.stack([_lists(passages, f"{DRIVEN}{name}") for name in CHANNELS], axis=2)
    return GhostWindows(
        scaler.normalise(physical).astype(np.float32),
        np.array(conditions, dtype=np.float32).reshape(n, STEPS, len(CONDITIONS)),
        passages["zone_type"].to_numpy(dtype=str),
        passages["lap"].to_numpy(np.int64) if "lap" in passages else np.zeros(n, np.int64),
        passages["place"].to_numpy(np.int64) if "place" in passages else np.zeros(n, np.int64),
    )


def draw_passages(model: GhostModel, passages: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One generated passage for each asked for, with the time that it takes.

    Args:
        model: The generators.
        passages: As in :func:`passages_to_windows`.
        seed: Of the latent points.

    Returns:
        ``time_s`` and the lists of the channels, in the order asked; the time is null where a speed is not above zero.
    """
    from ml.ghost.evaluation import generate_like

    drawn: Float32Array = generate_like(model, passages_to_windows(passages, model.scaler), seed)
    physical = model.scaler.physical(drawn.astype(np.float64))
    times_s = passage_times_s(physical[:, :, SPEED], passages["length_m"].to_numpy(np.float64))
    columns = {"time_s": times_s, **{name: list(physical[:, :, c]) for c, name in enumerate(CHANNELS)}}
    return pd.DataFrame(columns, index=passages.index)


def passage_times_s(speed_kmh: FloatArray, length_m: FloatArray) -> FloatArray:
    """Times over passages, speed taken as linear in time between steps; NaN where a speed is not above zero.

    Args:
        speed_kmh: Shape (n, STEPS).
        length_m: Shape (n,).
    """
    moving = np.where(speed_kmh > 0, speed_kmh, np.nan) / KMH_PER_MPS
    step_m = length_m[:, None] / (speed_kmh.shape[1] - 1)
    return np.asarray((2.0 * step_m / (moving[:, 1:] + moving[:, :-1])).sum(axis=1))


def passages_to_bytes(passages: pd.DataFrame) -> bytes:
    """Passages as Parquet."""
    buffer = BytesIO()
    passages.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def passages_from_bytes(content: bytes) -> pd.DataFrame:
    """Passages from :func:`passages_to_bytes`."""
    return pd.read_parquet(BytesIO(content))


def _lists(passages: pd.DataFrame, name: str) -> FloatArray:
    """A column of lists, shape (n, STEPS)."""
    wrong = [k for k, values in enumerate(passages[name]) if len(values) != STEPS]
    if wrong:
        found = len(passages[name].iloc[wrong[0]])
        raise InputError(
            f"row {wrong[0]}: {name} has {found} numbers and needs {STEPS}, evenly spaced over the passage"
        )
    return np.array(passages[name].tolist(), dtype=np.float64).reshape(len(passages), STEPS)
