"""All figures on one trained ghost, on laps it never saw. Read this module only where torch is needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.segmentation.zones import TYPES, ZoneType
from analysis.statistics.bootstrap import Estimate
from conf.arrays import BoolArray, Float32Array
from ml.comparison import ModelComparison
from ml.ghost.dataset import GhostDataset
from ml.ghost.distance import LapDistance, distance_by_lap, distribution_distance
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
        mean_distance: Mean distance of generated windows over zone types, by which two models are compared.
        train_distance: The same from as many windows of laps that were learned from.
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
    mean_distance: LapDistance
    train_distance: LapDistance
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
        found |= self.mean_distance.estimate().metrics("test.distance")
        found |= self.train_distance.estimate().metrics("train.distance")
        for kind in TYPES:
            found[f"distance.{kind.lower()}"] = self.distance[kind]
            found[f"distance_real.{kind.lower()}"] = self.real_distance[kind]
        for name, scores in (("discriminative", self.discriminative), ("discriminative_real", self.control)):
            for width, score in scores.items():
                found |= Estimate(score.value, score.low, score.high).metrics(f"{name}.{width}")
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
        mean_distance=zone_distance(aside, drawn),
        train_distance=zone_distance(learned, generate_like(model, learned, seed)),
        distance={k: distribution_distance(aside.of(k).values, drawn[aside.kind == k]) for k in TYPES},
        real_distance={k: distribution_distance(aside.of(k).values, learned.of(k).values) for k in TYPES},
        discriminative={width: discriminative_score(real, made, width, device=device) for width in WIDTHS},
        control={width: discriminative_score(real, seen, width, device=device) for width in WIDTHS},
        predictive=predictive_score(made.train, real.test, device=device),
        real_predictive=predictive_score(real.train, real.test, device=device),
        memory=measure_memorisation(data.train.values, aside.values, drawn),
    )


def zone_distance(real: GhostWindows, drawn: Float32Array) -> LapDistance:
    """Mean distance over zone types of generated windows from the real ones that they stand for.

    Args:
        real: Real windows.
        drawn: One generated for each, shape (n, STEPS, 4).
    """

    def distance_of(chosen: BoolArray) -> float:
        own = [chosen & (real.kind == kind) for kind in TYPES]
        return float(np.mean([distribution_distance(real.values[k], drawn[k]) for k in own if k.any()]))

    return distance_by_lap(real.lap, distance_of)


def compare_ghost_models(candidate: LapDistance, incumbent: LapDistance) -> ModelComparison:
    """Whether a candidate is nearer to laps kept aside than the model in use.

    Args:
        candidate: Distance of the new model's windows.
        incumbent: That of the model in use, from the same windows.
    """
    found = candidate.less(incumbent).estimate()
    n = len(candidate.without)
    if np.isnan(found.low):
        reason = f"not told apart: {n} laps kept aside are too few for an interval; train on more laps"
        return ModelComparison(found, n, False, reason)
    verdict = {-1: "better", 0: "not told apart", 1: "worse"}[found.sign]
    reason = f"{verdict}: distance from laps kept aside {found.text('+.4f')} on {n} laps"
    return ModelComparison(found, n, found.sign < 0, reason)


def match_window_counts(train: GhostWindows, aside: GhostWindows, seed: int) -> GhostWindows:
    """Select as many training windows of each zone type as are held out, or as there are."""
    rng = np.random.default_rng(seed)
    chosen = []
    for kind in TYPES:
        own = np.flatnonzero(train.kind == kind)
        chosen.append(rng.permutation(own)[: int((aside.kind == kind).sum())])
    return train.take(np.sort(np.concatenate(chosen)))
