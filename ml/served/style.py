"""The driving-style model as MLflow serves it: windows in, probabilities out, by the forest's ONNX form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel

from ml.style.features import AGGRESSIVE, NORMAL
from ml.style.model import OnnxStyleModel


class StyleModel(PythonModel):  # type: ignore[misc]  # MLflow has no types
    """Says of windows of ten seconds how likely they were driven aggressively."""

    def load_context(self, context: Any) -> None:
        """Open the ONNX file."""
        self.forest = OnnxStyleModel(Path(context.artifacts["model"]) / "model.onnx")

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's form
        """Probability of AGGRESSIVE and the label that follows, a row for each window.

        Args:
            context: MLflow's.
            model_input: A column for each feature of ``gold.telemetry_windows`` that the model reads.
            params: ``threshold``: the probability above which driving is called aggressive.
        """
        probability = self.forest.predict_batch(model_input)
        is_hard = probability > (params or {}).get("threshold", 0.5)
        return pd.DataFrame(
            {"probability_aggressive": probability, "label": np.where(is_hard, AGGRESSIVE, NORMAL)},
            index=model_input.index,
        )


mlflow.models.set_model(StyleModel())
