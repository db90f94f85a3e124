"""The only room that speaks to MLflow: runs, figures, data sets, models, the registry and the alias in use."""

from ml.tracking.registry import ModelVersion, find_version, list_versions, registered_names
from ml.tracking.run import FROZEN, KIND, TrackedRun
from ml.tracking.tracker import GIT_COMMIT, RegisteredFiles, RegisteredModel, Tracker, TrackingError

__all__ = [
    "FROZEN",
    "GIT_COMMIT",
    "KIND",
    "ModelVersion",
    "RegisteredFiles",
    "RegisteredModel",
    "TrackedRun",
    "Tracker",
    "TrackingError",
    "find_version",
    "list_versions",
    "registered_names",
]
