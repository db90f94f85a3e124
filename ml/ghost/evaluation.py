"""All figures on one trained ghost, on laps it never saw. Read this module only where torch is needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.segmentation.zones import TYPES, ZoneType
from conf.arrays import Float32Array
from ml.ghost.dataset import GhostDataset
from ml.ghost.distance import distribution_distance
from ml.ghost.model import GhostModel
from ml.ghost.scores import (
    WIDTHS,
    MemorisationTest,
    SeededScore,
    discriminative_score,
    measure_memorisation,
    predictive_score,
    split_laps,
)
from ml.ghost.training import generate_windows
from ml.ghost.windows import GhostWindows


@dataclass(frozen=True)
class GhostScores:
    """Figures on held-out windows; beside each stands what real laps get.

    Attributes:
        windows: Held-out windows.
        laps: Laps they are of.
        distance: Sliced Wasserstein distance of generated windows, by zone type.
        real_distance: The same of as many windows of laps that were learned from.
        discriminative: By width of the judge.
        control: Real against real: windows of laps that were learned from.
        predictive: Error on real windows of a forecaster that learned from generated ones.
        real_predictive: Of one that learned from real ones.
        memory: Nearest-neighbour test.
    """

    windows: int
    laps: int
    distance: dict[ZoneType, float]
    real_distance: dict[ZoneType, float]
    discriminative: dict[int, SeededScore]
    control: dict[int, SeededScore]
    predictive: SeededScore
    real_predictive: SeededScore
    memory: MemorisationTest

    def metrics(self) -> dict[str, float]:
        """Flat, for a tracker."""
        found: dict[str, float] = {"held_out_windows": self.windows, "held_out_laps": self.laps}
        for kind in TYPES:
            found[f"distance.{kind.lower()}"] = self.distance[kind]
            found[f"distance_real.{kind.lower()}"] = self.real_distance[kind]
        for name, scores in (("discriminative", self.discriminative), ("discriminative_real", self.control)):
            for width, score in scores.items():
                found[f"{name}.{width}"] = score.value
                found[f"{name}.{width}.high"] = score.high
        return found | {
            "predictive": self.predictive.value,
            "predictive_real": self.real_predictive.value,
            "memory.ratio": self.memory.ratio,
            "memory.copies": self.memory.copies,
        }


def generate_like(model: GhostModel, like: GhostWindows, seed: int = 0) -> Float32Array:
    """A generated window for the stretch and entry speed of each window, shape (n, STEPS, 4)."""
    drawn = np.empty_like(like.values)
    for kind in TYPES:
        own = like.kind == kind
        if own.any():
            drawn[own] = generate_windows(model.generators[kind], like.take(own), seed)
    return drawn


def evaluate_ghost(model: GhostModel, data: GhostDataset, seed: int = 0, device: str = "cpu") -> GhostScores:
    """Score a model on the laps kept aside.

    Args:
        model: The model.
        data: What it was trained on, and what was kept aside.
        seed: Of what is drawn.
        device: Where to train the judges.
    """
    aside, drawn = data.held_out, generate_like(model, data.held_out, seed)
    real = split_laps(aside.values, aside.lap, seed)
    made = split_laps(drawn, aside.lap, seed)
    learned = match_window_counts(data.train, aside, seed)
    seen = split_laps(learned.values, learned.lap, seed)
    return GhostScores(
        windows=len(aside),
        laps=len(np.unique(aside.lap)),
        distance={k: distribution_distance(aside.of(k).values, drawn[aside.kind == k]) for k in TYPES},
        real_distance={k: distribution_distance(aside.of(k).values, learned.of(k).values) for k in TYPES},
        discriminative={width: discriminative_score(real, made, width, device=device) for width in WIDTHS},
        control={width: discriminative_score(real, seen, width, device=device) for width in WIDTHS},
        predictive=predictive_score(made.train, real.test, device=device),
        real_predictive=predictive_score(real.train, real.test, device=device),
        memory=measure_memorisation(data.train.values, aside.values, drawn),
    )


def mean_zone_distance(model: GhostModel, aside: GhostWindows, seed: int = 0) -> float:
    """Mean distance from held-out windows over zone types; it decides between two models."""
    drawn = generate_like(model, aside, seed)
    return float(np.mean([distribution_distance(aside.of(k).values, drawn[aside.kind == k]) for k in TYPES]))


def match_window_counts(train: GhostWindows, aside: GhostWindows, seed: int) -> GhostWindows:
    """Select as many training windows of each zone type as are held out, or as there are."""
    rng = np.random.default_rng(seed)
    chosen = []
    for kind in TYPES:
        own = np.flatnonzero(train.kind == kind)
        chosen.append(rng.permutation(own)[: int((aside.kind == kind).sum())])
    return train.take(np.sort(np.concatenate(chosen)))
