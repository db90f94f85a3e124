"""One process of a distributed training: train its share of the zone types.

Read this module only where torch is needed.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch

from analysis.segmentation.zones import TYPES, ZoneType
from ml.ghost.dataset import load_zone_windows
from ml.ghost.networks import NetworkShape
from ml.ghost.training import EvaluationPoint, TrainingError, TrainingParams, train_zone

PROGRESS: Final = "progress.jsonl"
ERROR: Final = "error.txt"


def train_zone_share(data: str, folder: str, params: dict[str, Any]) -> None:
    """Train every ``WORLD_SIZE``-th zone type, from the ``RANK``-th on; run by TorchDistributor in each process.

    Zone types have models of their own, so processes share work and not gradients. What it says goes into the zone
    type's folder: a line for each evaluation, and why it gave up if it did.

    Args:
        data: Folder with the windows.
        folder: Folder for checkpoints and weights, one folder a zone type.
        params: Fields of :class:`~ml.ghost.training.TrainingParams`.
    """
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // world))
    settings = TrainingParams(**params | {"shape": NetworkShape(**params["shape"])})
    for kind in TYPES[rank::world]:
        _train(kind, Path(data), Path(folder) / kind, settings, device)


def _train(kind: ZoneType, data: Path, folder: Path, params: TrainingParams, device: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ERROR).unlink(missing_ok=True)

    def say(found: EvaluationPoint) -> None:
        with (folder / PROGRESS).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(found)) + "\n")

    try:
        train, aside = load_zone_windows(data, kind)
        train_zone(kind, train, aside, folder, params, device, say)
    except TrainingError as error:
        (folder / ERROR).write_text(str(error), encoding="utf-8")
        raise
