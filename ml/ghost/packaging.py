"""The ghost as it is logged: its files, what goes in and out, and its card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import pandas as pd

from analysis.statistics.bootstrap import Estimate
from ml.ghost.dataset import GhostDataset
from ml.ghost.passages import ALONG
from ml.ghost.scaler import CHANNELS
from ml.ghost.search.human_laps import STEPS
from ml.model_card import ModelCard
from ml.model_to_log import Column, ModelToLog

if TYPE_CHECKING:
    from ml.ghost.evaluation import GhostScores

HEADLINE: Final = "test.distance"
_ASKED: Final = ("zone_type", "entry_speed_kmh", "length_m", *ALONG)
_PACKAGES: Final = ("numpy", "pandas", "scikit-learn", "torch")


def ghost_to_log(files: Mapping[str, bytes], passages: pd.DataFrame) -> ModelToLog:
    """What is logged of a trained ghost.

    Args:
        files: Of :func:`ml.ghost.model.model_to_files`.
        passages: A few passages to draw.
    """
    return ModelToLog(
        code="ghost",
        files=files,
        inputs=(
            Column("zone_type", "string"),
            Column("entry_speed_kmh"),
            Column("length_m"),
            *(Column(name, "doubles") for name in ALONG),
        ),
        outputs=(Column("time_s", is_required=False), *(Column(name, "doubles") for name in CHANNELS)),
        example=passages[list(_ASKED)].reset_index(drop=True),
        params={"seed": 0},
        packages=_PACKAGES,
    )


def ghost_card(data: GhostDataset, scores: GhostScores) -> ModelCard:
    """The model's card.

    Args:
        data: What it learned from, and what was kept aside.
        scores: Figures on the laps kept aside.
    """
    aside = {f"told from real, {width} wide": score for width, score in scores.discriminative.items()}
    real = {f"told from real, {width} wide": score for width, score in scores.control.items()}
    figures: dict[str, tuple[Estimate | None, Estimate]] = {
        "distance": (scores.train_distance.estimate(), scores.mean_distance.estimate())
    }
    figures |= {
        name: (Estimate(real[name].value, real[name].low, real[name].high), Estimate(one.value, one.low, one.high))
        for name, one in aside.items()
    }
    return ModelCard(
        purpose="How fast laps take a stretch of road: speed, pedals and steering, from the speed at its start.",
        answers=(
            f"Takes one row a passage: zone type, entry speed, length, and lists of {STEPS} numbers along it: the "
            "road's bend and the limit lap's speed here, ahead and before. Gives the time and lists of speed, "
            "throttle, brake and steering; another `seed` gives another passage. It speaks of no probabilities."
        ),
        data=(
            f"{len(data.train):,} windows of {len(data.laps) - len(data.held_out_laps)} fast laps of "
            f"`gold.microsector_traces`; data set `{data.version}`."
        ),
        split=(
            f"By lap: {len(data.held_out):,} windows of {len(data.held_out_laps)} laps kept aside. Intervals: "
            "jackknife over laps for the distance, least and most of three judges for the others, beside which "
            "stands what real laps get in place of those learned from."
        ),
        figures=figures,
        limits=(
            "It knows the tracks and the car that its laps are of.",
            "A passage is not yet a lap that a car could drive: the search chains, smooths and judges passages.",
            "Laps kept aside depend on the seed: an earlier version may have learned from some, which favours it.",
        ),
        promotion=(
            "The first version comes into use, as does one with another scaler; a later one if the whole 95 % interval "
            "of its gain in distance from the laps kept aside lies below zero."
        ),
    )
