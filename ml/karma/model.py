"""The model of wear: one fit for each set of inputs that cars send; files in, answers out, without a tracker."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from conf.errors import InputError
from conf.wear import COMPONENTS
from ml.karma.fitting import ErrorSpread, FittedKarma, LogLine
from ml.karma.inputs import InputScaling
from ml.karma.learners import Algorithm, Files, LearnerParams, learner_from_files
from ml.model_files import refusing_other_files

CARD: Final = "karma.json"
_ARRAYS: Final = "arrays.npz"
_FORMAT: Final = 1
_VECTORS: Final = {"scaling": ("offset", "mean", "std", "low", "high"), "spread": ("floor", "gain", "reach")}


class KarmaModelError(InputError):
    """The files are not a model that this version can read."""


@dataclass(frozen=True, eq=False)
class KarmaModel:
    """What scores laps.

    Attributes:
        algorithm: Of the learners.
        sets: Fit by set of inputs, those that need most first.
        sequence_laps: Laps that the recurrent learner sees.
        params: Settings of the learners.
    """

    algorithm: Algorithm
    sets: dict[str, FittedKarma]
    sequence_laps: int
    params: LearnerParams

    def to_files(self) -> Files:
        """The model as files by path: numbers, trees and tensors, no code."""
        card: dict[str, Any] = {
            "format": _FORMAT,
            "algorithm": self.algorithm,
            "sequence_laps": self.sequence_laps,
            "components": list(COMPONENTS),
            "params": asdict(self.params),
            "sets": {name: list(fitted.scaling.columns) for name, fitted in self.sets.items()},
            "files": {},
        }
        files: Files = {}
        for name, fitted in self.sets.items():
            own = {_ARRAYS: _arrays(fitted), **fitted.learner.to_files()}
            card["files"][name] = sorted(own)
            files |= {f"{name}/{path}": data for path, data in own.items()}
        return {CARD: json.dumps(card, indent=1).encode(), **files}


def karma_model_from_files(read: Callable[[str], bytes]) -> KarmaModel:
    """A model from its files.

    Args:
        read: Gives the content of a path that :meth:`KarmaModel.to_files` named.

    Raises:
        KarmaModelError: If the files are of another version, or for other components.
    """
    with refusing_other_files(KarmaModelError, "the model of wear", "slipstream train karma"):
        return _from_card(json.loads(read(CARD)), read)


def _from_card(card: dict[str, Any], read: Callable[[str], bytes]) -> KarmaModel:
    if card.get("format") != _FORMAT or card.get("components") != list(COMPONENTS):
        raise KarmaModelError(
            f"the model is of format {card.get('format')} for {', '.join(card.get('components', []))}, and this "
            f"version reads format {_FORMAT} for {', '.join(COMPONENTS)}: train a new one (`slipstream train karma`)"
        )
    params, algorithm = LearnerParams(**card["params"]), card["algorithm"]
    sets = {}
    for name, columns in card["sets"].items():
        files = {path: read(f"{name}/{path}") for path in card["files"][name]}
        sets[name] = _fitted(algorithm, tuple(columns), params, files)
    return KarmaModel(algorithm, sets, card["sequence_laps"], params)


def _arrays(fitted: FittedKarma) -> bytes:
    buffer = io.BytesIO()
    vectors = {f"{part}.{n}": getattr(getattr(fitted, part), n) for part, names in _VECTORS.items() for n in names}
    np.savez(buffer, weights=fitted.line.weights, at=fitted.line.at, share=fitted.share, r2=fitted.r2, **vectors)
    return buffer.getvalue()


def _fitted(algorithm: Algorithm, columns: tuple[str, ...], params: LearnerParams, files: Files) -> FittedKarma:
    with np.load(io.BytesIO(files[_ARRAYS]), allow_pickle=False) as a:
        scaling = InputScaling(columns, *(a[f"scaling.{name}"] for name in _VECTORS["scaling"]))
        spread = ErrorSpread(*(a[f"spread.{name}"] for name in _VECTORS["spread"]))
        line, share, r2 = LogLine(a["weights"], a["at"]), a["share"], a["r2"]
    own = {path: data for path, data in files.items() if path != _ARRAYS}
    return FittedKarma(algorithm, scaling, line, learner_from_files(algorithm, params, own), share, spread, r2)
