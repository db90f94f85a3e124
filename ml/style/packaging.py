"""The driving-style model as it is logged: its ONNX form, what goes in and out, and its card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from analysis.statistics.bootstrap import Estimate
from ml.model_card import ModelCard
from ml.model_to_log import Column, ModelToLog
from ml.style.evaluation import StyleEvaluation
from ml.style.model import FittedStyle
from ml.style.split import DEFAULT_SPLIT, PROMOTION, TEST, TRAIN

ONNX_FILE: Final = "model.onnx"
HEADLINE: Final = "test.balanced_accuracy"
_PACKAGES: Final = ("numpy", "onnx", "onnxruntime", "pandas", "scikit-learn")


def style_to_log(fitted: FittedStyle, example: pd.DataFrame, threshold: float) -> ModelToLog:
    """What is logged of a trained forest.

    Args:
        fitted: The forest.
        example: A few windows with its features.
        threshold: Probability above which driving is called aggressive.
    """
    return ModelToLog(
        code="style",
        files={ONNX_FILE: fitted.to_onnx()},
        inputs=tuple(Column(name) for name in fitted.features),
        outputs=(Column("probability_aggressive"), Column("label", "string")),
        example=example[list(fitted.features)],
        params={"threshold": threshold},
        packages=_PACKAGES,
    )


def style_card(
    splits: Mapping[str, pd.DataFrame], learned: StyleEvaluation, aside: StyleEvaluation, dataset_version: str
) -> ModelCard:
    """The model's card.

    Args:
        splits: Windows by split.
        learned: Scores on the windows that it learned from.
        aside: Scores on vehicles that it never saw.
        dataset_version: Of the data set.
    """
    counts = {name: (len(rows), rows["split_group"].nunique()) for name, rows in splits.items()}
    said = {name: f"{windows:,} windows of {vehicles} vehicles" for name, (windows, vehicles) in counts.items()}
    return ModelCard(
        purpose="Whether a car was driven aggressively or normally over ten seconds, for each second of each vehicle.",
        answers=(
            "Takes one row a window with the features of `gold.telemetry_windows`; gives `probability_aggressive` and "
            "the `label` that follows from it by the parameter `threshold`."
        ),
        data=(
            f"{said[TRAIN]}, labelled by the profile of their simulated drivers; data set `{dataset_version}` in "
            "`gold.style_dataset`."
        ),
        split=(
            f"By vehicle of a session, placed by a hash of its name for good: {said[TEST]} to test on "
            f"({DEFAULT_SPLIT.test_share:.0%}) and {said[PROMOTION]} frozen for comparing versions "
            f"({DEFAULT_SPLIT.promotion_share:.0%}). Intervals: bootstrap over vehicles."
        ),
        figures={
            "balanced accuracy": (learned.balanced_accuracy, aside.balanced_accuracy),
            "accuracy": (learned.accuracy, aside.accuracy),
            "ROC AUC": (Estimate(learned.roc_auc), Estimate(aside.roc_auc)),
            "Brier score": (Estimate(learned.brier), Estimate(aside.brier)),
        },
        limits=(
            "Labels are those of simulated drivers. On real laps it says how a lap would rank among them, and no more.",
            "Probabilities are a forest's votes and not calibrated on real cars.",
            "A window that is less than 90 % covered, or lacks a feature, has no answer.",
        ),
        promotion=(
            "The first version comes into use if it beats chance on the test vehicles; a later one if the whole 95 % "
            "interval of its gain in balanced accuracy on the frozen vehicles lies above zero."
        ),
    )
