"""Learners of the residual that a line in logarithms leaves: forest, MLP or LSTM (K10).

Each is a small ensemble: the mean of its members is the answer, and how far they disagree says how sure it is. All
components are learned at once, from inputs of shape (n, columns) and, for the LSTM, from the laps before.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, get_args

import numpy as np

from conf.arrays import Float32Array, FloatArray

Algorithm = Literal["random_forest", "mlp", "lstm"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
Files = dict[str, bytes]


@dataclass(frozen=True)
class LearnerParams:
    """Settings of the three.

    Attributes:
        trees: Of the forest.
        leaf: Fewest laps in a leaf.
        members: Networks that an answer is the mean of.
        hidden: Width of the networks.
        epochs: Most passes over the laps.
        learning_rate: Of the networks.
        decay: Weight decay of the networks.
    """

    trees: int = 120
    leaf: int = 3
    members: int = 4
    hidden: int = 24
    epochs: int = 120
    learning_rate: float = 0.005
    decay: float = 0.02


class Learner(Protocol):
    """An ensemble that has been trained or is to be."""

    def fit(self, inputs: FloatArray, before: FloatArray, targets: FloatArray, seed: int) -> None:
        """Learn.

        Args:
            inputs: Laps, shape (n, columns).
            before: The same laps with those before, shape (n, laps, columns), NaN where there was none.
            targets: Shape (n, components).
            seed: Of everything random.
        """

    def predict(self, inputs: FloatArray, before: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and spread of the members, each of shape (n, components)."""

    def to_files(self) -> Files:
        """What :func:`learner_from_files` needs to make it again."""

    def read(self, files: Mapping[str, bytes]) -> None:
        """Take up what :meth:`to_files` gave."""


def new_learner(algorithm: Algorithm, params: LearnerParams) -> Learner:
    """Create an untrained learner."""
    if algorithm == "random_forest":
        return ForestLearner(params)
    return MlpLearner(params) if algorithm == "mlp" else LstmLearner(params)


def learner_from_files(algorithm: Algorithm, params: LearnerParams, files: Mapping[str, bytes]) -> Learner:
    """One from its files; they are read as data, never as code."""
    made = new_learner(algorithm, params)
    made.read(files)
    return made


_SKOPS: Final = "estimators.skops"
# Trees, and what networks keep of their training; anything else in a file is refused.
_TRUSTED: Final = ("sklearn.tree._tree.Tree", "sklearn.neural_network._stochastic_optimizers.AdamOptimizer")


@dataclass
class _Sklearn:
    """Members from scikit-learn, kept by skops."""

    params: LearnerParams
    estimators: list[Any] = field(default_factory=list)

    def to_files(self) -> Files:
        """Estimators as skops writes them."""
        from skops.io import dumps

        return {_SKOPS: dumps(self.estimators)}

    def read(self, files: Mapping[str, bytes]) -> None:
        """Take up estimators."""
        from skops.io import loads

        self.estimators = loads(files[_SKOPS], trusted=list(_TRUSTED))


@dataclass
class ForestLearner(_Sklearn):
    """A random forest a component, for wear of one says nothing of another's (Breiman, 2001)."""

    def fit(self, inputs: FloatArray, before: FloatArray, targets: FloatArray, seed: int) -> None:  # noqa: ARG002 - looks at one lap
        """Learn."""
        from sklearn.ensemble import RandomForestRegressor

        def grown(target: FloatArray) -> Any:
            forest = RandomForestRegressor(
                n_estimators=self.params.trees,
                min_samples_leaf=self.params.leaf,
                max_features=0.4,
                random_state=seed,
                n_jobs=-1,
            )
            return forest.fit(inputs, target)

        self.estimators = [grown(target) for target in targets.T]

    def predict(self, inputs: FloatArray, before: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: ARG002
        """Mean and spread of the trees."""
        single = np.ascontiguousarray(inputs, dtype=np.float32)
        # Past the checks that scikit-learn makes for each tree: they take four times as long as the trees.
        trees = np.stack(
            [[tree.tree_.predict(single)[:, 0] for tree in forest.estimators_] for forest in self.estimators], axis=-1
        )
        return trees.mean(axis=0), trees.std(axis=0)


@dataclass
class MlpLearner(_Sklearn):
    """Networks of one hidden layer, each on laps drawn with replacement."""

    def fit(self, inputs: FloatArray, before: FloatArray, targets: FloatArray, seed: int) -> None:  # noqa: ARG002
        """Learn."""
        from sklearn.neural_network import MLPRegressor

        rng = np.random.default_rng(seed)
        self.estimators = []
        for member in range(self.params.members):
            drawn = rng.integers(0, len(inputs), len(inputs))
            network = MLPRegressor(
                hidden_layer_sizes=(self.params.hidden,),
                activation="tanh",
                alpha=self.params.decay * len(inputs) / 10,
                learning_rate_init=self.params.learning_rate,
                max_iter=self.params.epochs,
                early_stopping=False,
                random_state=seed + member,
                tol=0.0,
                n_iter_no_change=self.params.epochs,
            )
            self.estimators.append(_quietly(network, inputs[drawn], targets[drawn]))

    def predict(self, inputs: FloatArray, before: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: ARG002
        """Mean and spread of the networks."""
        members = np.stack([network.predict(inputs).reshape(len(inputs), -1) for network in self.estimators])
        return members.mean(axis=0), members.std(axis=0)


def _quietly(network: Any, inputs: FloatArray, targets: FloatArray) -> Any:
    """Fit for as many passes as were asked for; that it could go on is no news."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return network.fit(inputs, targets)


_WEIGHTS, _SHAPE = "weights.pt", "shape.json"
_BATCH: Final = 256


@dataclass
class LstmLearner:
    """LSTMs over a lap and those before it (Hochreiter, Schmidhuber, 1997): heat stays from one lap to the next."""

    params: LearnerParams
    members: list[Any] = field(default_factory=list)

    def fit(self, inputs: FloatArray, before: FloatArray, targets: FloatArray, seed: int) -> None:  # noqa: ARG002
        """Learn."""
        import torch

        x, y = torch.from_numpy(_fill_missing_laps(before)), torch.from_numpy(targets.astype(np.float32))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the networks are small: threads would wait for each other
        try:
            self.members = [self._trained(x, y, seed + member) for member in range(self.params.members)]
        finally:
            torch.set_num_threads(threads)

    def _trained(self, x: Any, y: Any, seed: int) -> Any:
        import torch

        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _network(x.shape[2], self.params.hidden, y.shape[1])
            optimiser = torch.optim.AdamW(
                network.parameters(), lr=self.params.learning_rate, weight_decay=self.params.decay
            )
            drawn = torch.randint(0, len(x), (len(x),), generator=generator)
            for _ in range(self.params.epochs):
                for batch in drawn[torch.randperm(len(x), generator=generator)].split(_BATCH):  # type: ignore[no-untyped-call]
                    optimiser.zero_grad()
                    loss = torch.nn.functional.huber_loss(network(x[batch]), y[batch], delta=0.3)
                    loss.backward()  # type: ignore[no-untyped-call]
                    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                    optimiser.step()
        return network.eval()

    def predict(self, inputs: FloatArray, before: FloatArray) -> tuple[FloatArray, FloatArray]:  # noqa: ARG002
        """Mean and spread of the networks."""
        import torch

        with torch.no_grad():
            x = torch.from_numpy(_fill_missing_laps(before))
            members = torch.stack([network(x) for network in self.members]).double().numpy()
        return members.mean(axis=0), members.std(axis=0)

    def to_files(self) -> Files:
        """Weights as tensors."""
        import torch

        buffer = io.BytesIO()
        torch.save([network.state_dict() for network in self.members], buffer)
        first = self.members[0]
        shape = {"columns": first.columns, "hidden": first.hidden, "components": first.components}
        return {_WEIGHTS: buffer.getvalue(), _SHAPE: json.dumps(shape).encode()}

    def read(self, files: Mapping[str, bytes]) -> None:
        """Take up weights."""
        import torch

        shape = json.loads(files[_SHAPE])
        self.members = []
        for weights in torch.load(io.BytesIO(files[_WEIGHTS]), weights_only=True):
            network = _network(**shape)
            network.load_state_dict(weights)
            self.members.append(network.eval())


def _fill_missing_laps(before: FloatArray) -> Float32Array:
    """Laps that were not driven as zeros, the middle of what training saw, and marked as such in a last column."""
    known = np.isfinite(before).all(axis=2, keepdims=True)
    return np.concatenate([np.where(known, before, 0.0), known], axis=2).astype(np.float32)


def _network(columns: int, hidden: int, components: int) -> Any:
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.columns, self.hidden, self.components = columns, hidden, components
            self.lstm = torch.nn.LSTM(columns, hidden, batch_first=True)
            self.head = torch.nn.Sequential(torch.nn.Dropout(0.1), torch.nn.Linear(hidden, components))

        def forward(self, laps: torch.Tensor) -> torch.Tensor:
            states, _ = self.lstm(laps)
            return self.head(states[:, -1])  # type: ignore[no-any-return]

    return Network()
