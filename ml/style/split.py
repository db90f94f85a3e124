"""Train, test and promotion sets, by hash of (session, vehicle).

Windows a second apart share nine tenths of their samples, so a vehicle's windows stay together (VX5). A group's place
depends on its own name, its profile and the seed alone: it never moves as data grow, which also means that the shares
are met in expectation and within each profile, not to the row.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import pandas as pd

TRAIN: Final = "train"
TEST: Final = "test"
PROMOTION: Final = "promotion"


@dataclass(frozen=True, slots=True)
class SplitConfig:
    """Shares of the groups.

    Attributes:
        test_share: Share of the groups outside the promotion set that are test.
        promotion_share: Share held back for comparing candidates with the model in use; no training or tuning sees it.
        seed: Fixes train against test. The promotion set ignores it: it is frozen.
    """

    test_share: float = 0.2
    promotion_share: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("test_share", "promotion_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: give a share from 0 to below 1")


DEFAULT_SPLIT: Final = SplitConfig()


class LeakError(ValueError):
    """A group occurs in two splits."""


def split_group(session_id: str, vehicle_id: str) -> str:
    """The split group of a vehicle of a session."""
    return f"{session_id}|{vehicle_id}"


def group_split(group: str, profile: str, config: SplitConfig = DEFAULT_SPLIT) -> str:
    """The split in which a group stands, for good.

    Args:
        group: From :func:`split_group`.
        profile: Driver profile or label, the stratum.
        config: Shares and seed.
    """
    if _uniform("promotion", profile, group) < config.promotion_share:
        return PROMOTION
    return TEST if _uniform(f"split-{config.seed}", profile, group) < config.test_share else TRAIN


def assert_no_leak(frame: pd.DataFrame) -> None:
    """Check that no (session, vehicle) stands in two splits and that each split group is one vehicle.

    Args:
        frame: Columns ``session_id, vehicle_id, split, split_group``.

    Raises:
        LeakError: Naming the first group that does.
    """
    for key in (["session_id", "vehicle_id"], ["split_group"]):
        splits = frame.groupby(key)["split"].nunique()
        shared = splits[splits > 1]
        if not shared.empty:
            raise LeakError(f"{shared.index[0]} stands in {shared.iloc[0]} splits: assign splits by split_of()")


def _uniform(salt: str, stratum: str, group: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.blake2b("\x1f".join((salt, stratum, group)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64
