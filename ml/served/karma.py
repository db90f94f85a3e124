"""The model of wear as MLflow serves it: laps in, damage per km with its interval and scores out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel

from conf.karma import DEFAULT_VEHICLE, load_karma_rules
from ml.karma.model import karma_model_from_files
from ml.karma.predict import predict_wear


class WearModel(PythonModel):  # type: ignore[misc]  # MLflow has no types
    """Says of laps how hard they were on each component of the car."""

    def load_context(self, context: Any) -> None:
        """Read numbers, trees and tensors; files that hold code are refused."""
        folder = Path(context.artifacts["model"])
        self.model = karma_model_from_files(lambda path: (folder / path).read_bytes())

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's form
        """Damage per km, its interval and scores, a row for each lap.

        Args:
            context: MLflow's.
            model_input: Laps as ``gold.lap_features`` has them.
            params: ``vehicle``: whose references scores are held to, of ``conf/karma.yaml``.
        """
        reference = load_karma_rules().reference((params or {}).get("vehicle", DEFAULT_VEHICLE))
        return predict_wear(model_input, self.model, reference)


mlflow.models.set_model(WearModel())
