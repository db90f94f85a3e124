"""Samples of vehicles and laps, read on the driver by steps that need few of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd
import pyarrow as pa

from conf.tables import SILVER_TELEMETRY
from medallion.io import Lake
from medallion.part import Part
from medallion.reading import are_at_most, read_table

CLOCKS_AND_LAPS: Final = 0.2
"""Work on a sample of what closes a session, as a share of what the analyses of a lap do."""
_BYTES_A_SAMPLE: Final = 150
"""What a sample takes of a message, at least."""


def are_few(lake: Lake, part: Part, work: float = 1.0) -> bool:
    """Whether a part of ``silver.telemetry`` is small enough to be worked on by the driver alone.

    Args:
        lake: Where the table is.
        part: Which samples.
        work: On each of them, as a share of what the analyses of a lap do.
    """
    most = int(lake.settings.driver_max_samples / work)
    return len(part.clauses) <= most and are_at_most(lake, SILVER_TELEMETRY, part, most)


def are_few_messages(lake: Lake, n_bytes: int) -> bool:
    """Whether a batch of telemetry messages is small enough for the driver alone.

    Args:
        lake: Its settings say how many samples are few.
        n_bytes: Length of the messages together, which bounds the samples in them.
    """
    return n_bytes <= lake.settings.driver_max_samples * _BYTES_A_SAMPLE


def are_few_rows(lake: Lake, n_rows: int, samples_a_row: int) -> bool:
    """Whether rows, each as much work as so many samples, are few enough for the driver alone."""
    return n_rows * samples_a_row <= lake.settings.driver_max_samples


def read_samples(lake: Lake, part: Part, doubles: Sequence[str], others: Sequence[str]) -> pd.DataFrame:
    """Read samples.

    Args:
        lake: Where the table is.
        part: Which ones.
        doubles: Columns to have as doubles, NaN where there is no value.
        others: Columns to have as they are.

    Returns:
        These columns, and ``t_us``: ``event_ts`` in microseconds since the epoch.
    """
    columns = [*dict.fromkeys((*others, *doubles))]
    table = read_table(lake, SILVER_TELEMETRY, part, ["event_ts", *columns])
    wanted = {name: table[name].cast(pa.float64()) if name in doubles else table[name] for name in columns}
    frame: pd.DataFrame = pa.table(wanted | {"t_us": table["event_ts"].cast(pa.int64())}).to_pandas()
    return frame
