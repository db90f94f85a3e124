"""The ghost as MLflow serves it: stretches with entry speeds in, passages as fast laps drive them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel

from ml.ghost.model import model_from_files
from ml.ghost.passages import draw_passages


class GhostPassages(PythonModel):  # type: ignore[misc]  # MLflow has no types
    """Draws passages over stretches of road."""

    def load_context(self, context: Any) -> None:
        """Read the generators: tensors only, never code."""
        folder = Path(context.artifacts["model"])
        self.model = model_from_files(lambda path: (folder / path).read_bytes(), "the served model")

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's form
        """A passage for each row.

        Args:
            context: MLflow's.
            model_input: Passages to draw, see :mod:`ml.ghost.passages`.
            params: ``seed``: of what is drawn.
        """
        return draw_passages(self.model, model_input, int((params or {}).get("seed", 0)))


mlflow.models.set_model(GhostPassages())
