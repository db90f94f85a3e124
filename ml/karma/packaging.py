"""The model of wear as it is logged: its files, what goes in and out, its card, and the laps that versions share."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Final

import numpy as np
import pandas as pd

from analysis.statistics.bootstrap import Estimate
from conf.arrays import FloatArray
from conf.karma import DEFAULT_VEHICLE
from conf.wear import COMPONENTS
from ml.karma.dataset import KEY, PROMOTION, TEST, TRAIN, KarmaDataset
from ml.karma.evaluation import KarmaEvaluation, mean_r2
from ml.karma.model import KarmaModel
from ml.karma.predict import ANSWERS, CHANNEL_SET
from ml.model_card import ModelCard
from ml.model_to_log import Column, ModelToLog

HEADLINE: Final = "test.r2"
_PACKAGES: Final = ("numpy", "pandas", "scikit-learn", "skops")
_TRUE: Final = "true_"


def karma_to_log(model: KarmaModel, example: pd.DataFrame) -> ModelToLog:
    """What is logged of a model of wear.

    Args:
        model: The model.
        example: A few laps with its inputs.
    """
    inputs = list(dict.fromkeys(("distance_km", *(c for f in model.sets.values() for c in f.scaling.columns))))
    rows = example[[*KEY, *inputs]].astype({"lap_number": "int64"} | dict.fromkeys(inputs, "float64"))
    return ModelToLog(
        code="karma",
        files=model.to_files(),
        inputs=(
            Column("session_id", "string"),
            Column("vehicle_id", "string"),
            Column("lap_number", "long"),
            *(Column(name, is_required=name == "distance_km") for name in inputs),
        ),
        outputs=(
            *(Column(name, is_required=False) for name in ANSWERS),
            Column(CHANNEL_SET, "string", is_required=False),
        ),
        example=rows.reset_index(drop=True),
        params={"vehicle": DEFAULT_VEHICLE},
        packages=(*_PACKAGES, "torch") if model.algorithm == "lstm" else _PACKAGES,
    )


def frozen_to_bytes(data: KarmaDataset) -> bytes:
    """The laps of the promotion set with what they did to the car, as Parquet."""
    laps, damage = data.part(PROMOTION)
    labels = {f"{_TRUE}{name}_damage_per_km": damage[:, c] for c, name in enumerate(COMPONENTS)}
    buffer = BytesIO()
    laps.assign(**labels).to_parquet(buffer, index=False)
    return buffer.getvalue()


def frozen_from_bytes(content: bytes) -> tuple[pd.DataFrame, FloatArray]:
    """Laps and their damage per km from :func:`frozen_to_bytes`."""
    laps = pd.read_parquet(BytesIO(content))
    columns = [f"{_TRUE}{name}_damage_per_km" for name in COMPONENTS]
    return laps, laps[columns].to_numpy(np.float64)


def karma_card(
    model: KarmaModel, data: KarmaDataset, learned: Mapping[str, KarmaEvaluation], aside: Mapping[str, KarmaEvaluation]
) -> ModelCard:
    """The model's card.

    Args:
        model: The model.
        data: What it learned from, and what was kept aside.
        learned: Figures on the laps that it learned from, by set of inputs.
        aside: Figures on cars and tracks that it never saw.
    """
    parts = {name: data.part(name)[0] for name in (TRAIN, TEST, PROMOTION)}
    said = {name: f"{len(laps):,} laps on {laps['track_id'].nunique()} tracks" for name, laps in parts.items()}
    best = next(iter(model.sets))
    figures: dict[str, tuple[Estimate | None, Estimate]] = {
        "mean R² of log damage, all sets": (mean_r2(learned.values()), mean_r2(aside.values()))
    }
    figures |= {f"mean R², {name}": (mean_r2([learned[name]]), mean_r2([aside[name]])) for name in model.sets}
    figures |= {
        f"R² {component}, {best}": (learned[best].estimate(c), aside[best].estimate(c))
        for c, component in enumerate(COMPONENTS)
    }
    return ModelCard(
        purpose="How hard each lap was on engine, gearbox, brakes, tyres and suspension, with an interval.",
        answers=(
            "Takes one row a lap as `gold.lap_features` has it; gives damage per km and its interval for each "
            "component, the scores that follow, and the set of inputs that answered. Scores are an index from 0 to "
            "100 and no probability of failure. The parameter `vehicle` names whose references scores are held to."
        ),
        data=(
            f"{said[TRAIN]}, simulated, with the truth about their wear; algorithm `{model.algorithm}`; data set "
            f"`{data.version}`, `gold.lap_features` with labels from `bronze.truth_events`."
        ),
        split=(
            f"By track, placed by a hash of its name for good: {said[TEST]} to judge on and {said[PROMOTION]} frozen "
            "for comparing versions. Intervals: bootstrap over cars."
        ),
        figures=figures,
        limits=(
            "Nobody has measured real laps' wear: there it says what a simulated car driven like that would wear.",
            "Roads are smooth in the simulator but for kerbs; without temperatures a dragging brake is not seen.",
            "References are those of a GR86; another car needs its own, and laps of its own to learn from.",
        ),
        promotion=(
            "The first version comes into use; a later one if the whole 95 % interval of its gain in mean R² on the "
            "frozen laps lies above zero."
        ),
    )
