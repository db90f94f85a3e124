"""Put the rows of a trip back into the order in which they were driven.

The published files are not in time order: each is cut into pieces of equal length, and most pieces stand in another
place. The rows show it themselves. `speed_change_kmh` was computed against the row that came before *on the road*, so
where it disagrees with the speed of the row above in the file, the file jumps. The same value says which speed the
true predecessor had; together with the slow channels (coolant, running averages) it names one piece and no other.
A window over the rows as stored mixes unrelated minutes, so windows are built on the restored drives.

No label is read here. `agreement` checks the result with a quantity that the joining does not use: the stored 60 s mean
speed against the same mean recomputed over the 60 rows that now come before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from conf.arrays import FloatArray, IndexArray
from ml.style.obd.reader import ObdTrip

AVERAGE_ROWS = 60
SPEED_TOLERANCE_KMH = 0.05
# A mean over 60 rows moves by at most (fastest - slowest) / 60 a row: under 2.6 km/h for any road car below 156 km/h.
MAX_AVERAGE_STEP_KMH = 2.6
MAX_COOLANT_STEP_C = 5.0
# Mean step over a join in units of each channel's usual step. True joins lie near 1, the runner-up mostly above 6.
MAX_JOIN_COST = 5.0
MAX_CHANNEL_COST = 30.0
JOIN_CHANNELS = [
    "speed_avg_60s_kmh",
    "speed_var_60s_kmh2",
    "coolant_temp_c",
    "intake_temp_c",
    "fuel_avg_l_100km",
    "altitude_change_m",
    "rpm",
    "air_flow_gs",
    "manifold_kpa",
    "accel_long_ms2",
    "accel_vert_ms2",
]


@dataclass(frozen=True)
class TripOrder:
    """Drives of a trip file, each an array of file rows (0-based) in the order of driving.

    Attributes:
        drives: the drives; every file row is in exactly one.
        cuts: places where the file jumps.
        joins: pieces joined to their true predecessor elsewhere in the file.
    """

    drives: tuple[IndexArray, ...]
    cuts: int = 0
    joins: int = 0

    @property
    def rows(self) -> IndexArray:
        """All file rows, drive after drive."""
        return np.concatenate(self.drives)

    @property
    def drive_of_row(self) -> IndexArray:
        """Number of the drive, parallel to `rows`."""
        return np.repeat(np.arange(len(self.drives)), [len(drive) for drive in self.drives])


def stored_order(trip: ObdTrip) -> TripOrder:
    """The file as it stands, taken as one drive."""
    return TripOrder((np.arange(len(trip.signals)),))


def restore_order(trip: ObdTrip) -> TripOrder:
    """Cut the file where it jumps and join the pieces to drives; a file in time order keeps its order.

    Args:
        trip: a trip as read.

    Returns:
        The drives, in the order in which their first piece stands in the file.
    """
    cuts = find_cuts(trip.signals)
    starts, stops = np.r_[0, cuts], np.r_[cuts, len(trip.signals)]
    following = _join(_join_cost(trip.signals, starts, stops - 1))
    heads = sorted(set(range(len(starts))) - set(following.values()))
    drives = []
    for piece in heads:
        chain = [piece]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        drives.append(np.concatenate([np.arange(starts[i], stops[i]) for i in chain]))
    return TripOrder(tuple(drives), cuts=len(cuts), joins=len(following))


def find_cuts(signals: pd.DataFrame) -> IndexArray:
    """File rows (0-based) that do not follow the row above them on the road."""
    mean = signals["speed_avg_60s_kmh"]
    jump = (signals["speed_kmh"].diff() - signals["speed_change_kmh"]).abs() > SPEED_TOLERANCE_KMH
    jump |= mean.diff().abs() > MAX_AVERAGE_STEP_KMH
    jump |= mean.isna() & mean.shift().notna()  # the running mean starts anew: so does the drive
    jump |= signals["coolant_temp_c"].diff().abs() > MAX_COOLANT_STEP_C
    return np.flatnonzero(jump.to_numpy())


def order_agreement(trip: ObdTrip, order: TripOrder) -> float:
    """Share of rows whose stored 60 s mean speed equals the mean of the 60 rows up to it, 1 for a true order."""
    speed, stored = trip.signals["speed_kmh"], trip.signals["speed_avg_60s_kmh"]
    gaps = [
        speed.iloc[drive].rolling(AVERAGE_ROWS).mean().sub(stored.iloc[drive]).abs().dropna() for drive in order.drives
    ]
    gap = pd.concat(gaps).to_numpy()
    return float((gap < SPEED_TOLERANCE_KMH).mean()) if gap.size else float("nan")


def _join_cost(signals: pd.DataFrame, first: IndexArray, last: IndexArray) -> FloatArray:
    """Cost (n_pieces, n_pieces) of letting column piece follow row piece; infinite where the speeds contradict."""
    values = signals[JOIN_CHANNELS].to_numpy(float)
    steps = np.abs(np.diff(values, axis=0, prepend=values[:1]))
    steps[first] = np.nan  # a jump of the file is no step of the car
    usual = np.maximum(np.nan_to_num(pd.DataFrame(steps).mean().to_numpy()), 1e-9)
    gap = np.minimum(np.abs(values[last][:, None] - values[first][None]) / usual, MAX_CHANNEL_COST)
    known = np.isfinite(gap)
    cost = np.where(known, gap, 0.0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
    speed = signals["speed_kmh"].to_numpy(float)
    before = speed[first] - signals["speed_change_kmh"].to_numpy(float)[first]
    agrees = np.abs(speed[last][:, None] - before[None]) <= SPEED_TOLERANCE_KMH  # False where either is null
    return np.where(agrees & known.any(axis=2), cost, np.inf)


def _join(cost: FloatArray) -> dict[int, int]:
    """Cheapest joins first, each piece with one follower and one predecessor, never a ring."""
    following: dict[int, int] = {}
    head = list(range(len(cost)))  # first piece of the chain that ends with this piece
    taken: set[int] = set()
    for flat in np.argsort(cost, axis=None):
        one, other = divmod(int(flat), len(cost))
        if cost[one, other] > MAX_JOIN_COST:
            break
        if one in following or other in taken or head[one] == other:
            continue
        following[one] = other
        taken.add(other)
        tail = other
        while tail in following:
            tail = following[tail]
        head[tail] = head[one]
    return following
