"""Registered models, read as the product's jobs read them, and versions held against each other on frozen rows.

Files are read as data, each held to the SHA-256 of its training; what the store holds is never run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ml import ghost, karma
from ml.karma.model import KarmaModel, karma_model_from_files
from ml.tracking import FROZEN, ModelVersion, Tracker, TrackingError

if TYPE_CHECKING:
    from ml.comparison import ModelComparison
    from ml.ghost.model import GhostModel

FILES: Final = "model"
"""Folder of a run with the files of a model of wear or of a ghost."""


def load_karma_model(tracker: Tracker, version: str | None = None) -> tuple[KarmaModel, str, str]:
    """The model of wear in use, or a version of it; with that version and the run that trained it.

    Raises:
        TrackingError: If there is none.
        KarmaModelError: If it is of another version of this software.
    """
    found = tracker.files(karma.MODEL, version=version, trained_by="karma")
    return karma_model_from_files(lambda path: found.read(f"{FILES}/{path}")), found.version, found.run_id


def load_ghost_model(tracker: Tracker, version: str | None = None) -> tuple[GhostModel, str]:
    """The ghost in use, or a version of it, and the run that trained it.

    Raises:
        TrackingError: If there is none.
        ModelFormatError: If it is of another version of this software.
    """
    from ml.ghost.model import model_from_files

    found = tracker.files(ghost.MODEL, version=version)
    return model_from_files(lambda name: found.read(f"{FILES}/{name}"), found.uri), found.run_id


def compare_versions(tracker: Tracker, candidate: ModelVersion, incumbent: ModelVersion) -> ModelComparison:
    """Whether a version is better than another, on the rows that its run keeps for that, or the other's.

    Args:
        tracker: Where both are.
        candidate: The version that might come into use.
        incumbent: Another of the same model.

    Raises:
        TrackingError: If neither run keeps such rows.
    """
    keeper = next((one for one in (candidate, incumbent) if one.has_frozen and one.kind in _COMPARE), None)
    if keeper is None or keeper.kind is None:
        raise TrackingError(
            f"neither run of '{candidate.name}' keeps the rows to compare versions on: {candidate.version} and "
            f"{incumbent.version} are of an earlier Slipstream; train a new version"
        )
    return _COMPARE[keeper.kind](tracker, candidate, incumbent, tracker.read(keeper.run_id, FROZEN))


def _compare_style(
    tracker: Tracker, candidate: ModelVersion, incumbent: ModelVersion, frozen: bytes
) -> ModelComparison:
    from io import BytesIO

    import pandas as pd

    from ml.style.evaluation import compare_style_models
    from ml.style.model import OnnxStyleModel

    windows = pd.read_parquet(BytesIO(frozen))
    models = [OnnxStyleModel(tracker.load(one.name, version=one.version).onnx) for one in (candidate, incumbent)]
    if lacking := sorted({name for model in models for name in model.features} - set(windows.columns)):
        raise TrackingError(f"the frozen windows lack {', '.join(lacking)}: the versions have other features")
    ours, theirs = (model.predict_batch(windows) for model in models)
    return compare_style_models(
        ours,
        theirs,
        windows["label"],
        windows["split_group"],
        threshold=float(candidate.params.get("threshold", 0.5)),
    )


def _compare_karma(
    tracker: Tracker, candidate: ModelVersion, incumbent: ModelVersion, frozen: bytes
) -> ModelComparison:
    from ml.karma.evaluation import compare_karma_models
    from ml.karma.packaging import frozen_from_bytes

    ours, theirs = (load_karma_model(tracker, one.version)[0] for one in (candidate, incumbent))
    return compare_karma_models(ours, theirs, *frozen_from_bytes(frozen))


def _compare_ghost(
    tracker: Tracker, candidate: ModelVersion, incumbent: ModelVersion, frozen: bytes
) -> ModelComparison:
    from ml.ghost.evaluation import compare_ghost_models, generate_like, zone_distance
    from ml.ghost.passages import passages_from_bytes, passages_to_windows

    ours, theirs = (load_ghost_model(tracker, one.version)[0] for one in (candidate, incumbent))
    if ours.scaler_id != theirs.scaler_id:
        raise TrackingError(f"versions {candidate.version} and {incumbent.version} were trained with other scalers")
    aside = passages_to_windows(passages_from_bytes(frozen), ours.scaler)
    seed = int(candidate.params.get("seed", 0))
    return compare_ghost_models(*(zone_distance(aside, generate_like(model, aside, seed)) for model in (ours, theirs)))


_COMPARE: Final = {"style": _compare_style, "karma": _compare_karma, "ghost": _compare_ghost}
