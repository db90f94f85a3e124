"""The driving-style forest: training with scikit-learn, answering with ONNX Runtime (V16)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnxruntime as ort
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.ensemble import RandomForestClassifier

from conf.arrays import Float32Array, FloatArray
from conf.errors import InputError
from ml.model_files import refusing_other_files
from ml.style.export import INPUT, OUTPUT, forest_to_onnx
from ml.style.features import AGGRESSIVE, LABELS, NORMAL

_OUTPUTS: Final = [OUTPUT]


@dataclass(frozen=True, slots=True)
class ForestParams:
    """Settings of the forest; the defaults are V16's."""

    n_estimators: int = 300
    max_depth: int = 12
    class_weight: Literal["balanced"] | None = "balanced"
    seed: int = 0
    n_jobs: int = -1

    def to_dict(self) -> dict[str, Any]:
        """Names and values, as a tracker logs them."""
        return asdict(self)


@dataclass(frozen=True)
class FittedStyle:
    """A trained forest and the features it was trained on, in order."""

    estimator: RandomForestClassifier
    features: tuple[str, ...]
    params: ForestParams

    def predict_proba(self, frame: pd.DataFrame) -> FloatArray:
        """Probability of AGGRESSIVE, shape (n,)."""
        columns = list(self.estimator.classes_)
        x = frame[list(self.features)].astype(np.float32)
        return np.asarray(self.estimator.predict_proba(x)[:, columns.index(AGGRESSIVE)], dtype=np.float64)

    def to_onnx(self) -> bytes:
        """The forest's probability of AGGRESSIVE as an ONNX model that names its features in its metadata."""
        return forest_to_onnx(self.estimator, AGGRESSIVE, self.features)


def train_forest(
    x: pd.DataFrame, y: Sequence[str] | pd.Series[str], params: ForestParams = ForestParams()
) -> FittedStyle:
    """Fit the forest.

    Args:
        x: Features, one column each; their names and order become the model's.
        y: Labels, ``NORMAL`` or ``AGGRESSIVE``.
        params: Settings.

    Raises:
        InputError: If a class is missing or unknown, or a feature is not finite.
    """
    labels = np.asarray(y, dtype=str)
    if set(labels) != set(LABELS):
        raise InputError(
            f"y holds {sorted(set(labels))}: training needs both {NORMAL} and {AGGRESSIVE} and nothing else"
        )
    values = x.astype(np.float32)  # a frame, so that the forest knows its features by name
    holes = x.columns[~np.isfinite(values.to_numpy()).all(axis=0)]
    if len(holes):
        raise ValueError(
            f"{', '.join(holes)} has missing values: build the rows with build_dataset(), which leaves them out"
        )
    forest = RandomForestClassifier(
        n_estimators=params.n_estimators,
        max_depth=params.max_depth,
        class_weight=params.class_weight,
        random_state=params.seed,
        n_jobs=params.n_jobs,
    )
    return FittedStyle(forest.fit(values, labels), tuple(x.columns), params)


class OnnxStyleModel:
    """A trained forest in ONNX Runtime, one thread: tens of microseconds a row where scikit-learn takes milliseconds.

    Args:
        source: Bytes of :meth:`FittedStyle.to_onnx`, or the path of a file with them.

    Attributes:
        features: Names of the inputs, in order.

    Raises:
        InputError: If it is no model, or does not name its features and class.
    """

    def __init__(self, source: bytes | str | Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        with refusing_other_files(InputError, "the model of driving style", "slipstream train style"):
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        meta = self._session.get_modelmeta().custom_metadata_map
        if "features" not in meta or meta.get("class") != AGGRESSIVE:
            raise InputError(
                "the ONNX model does not name its features and class: export it with FittedStyle.to_onnx()"
            )
        self.features: tuple[str, ...] = tuple(json.loads(meta["features"]))

    def predict_one(self, vector: Float32Array) -> float:
        """Probability of AGGRESSIVE for one row, shape (n_features,), in the order of ``features``."""
        row = vector.reshape(1, -1).astype(np.float64)
        return float(self._session.run(_OUTPUTS, {INPUT: row})[0][0, 0])

    def predict_batch(self, rows: ArrayLike | pd.DataFrame) -> FloatArray:
        """Probabilities of AGGRESSIVE; ``rows`` is (n, n_features) in order, or a frame with the feature columns."""
        values = rows[list(self.features)] if isinstance(rows, pd.DataFrame) else rows
        # Through single precision, as scikit-learn's trees compare.
        x = np.ascontiguousarray(values, dtype=np.float32).astype(np.float64)
        return np.asarray(self._session.run(_OUTPUTS, {INPUT: x})[0][:, 0], dtype=np.float64)
