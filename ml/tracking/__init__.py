"""The only room that speaks to MLflow: runs, figures, data sets, models, the registry and the alias in use."""

from ml.tracking.run import FROZEN, TrackedRun
from ml.tracking.tracker import GIT_COMMIT, KIND, RegisteredFiles, RegisteredModel, Tracker, TrackingError

__all__ = [
    "FROZEN",
    "GIT_COMMIT",
    "KIND",
    "RegisteredFiles",
    "RegisteredModel",
    "TrackedRun",
    "Tracker",
    "TrackingError",
]
