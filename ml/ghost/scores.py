"""Quality of generated windows: distinguishable from real ones, useful to learn from, and not memorised.

Discriminative and predictive score are TimeGAN's (Yoon, Jarrett and van der Schaar, NeurIPS 2019): a two-layer
recurrent network trained afterwards. All splits are by lap. Read this module only where torch is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss

from conf.arrays import Float32Array, IntArray
from conf.errors import InputError

WIDTHS = (2, 24)  # TimeGAN's own (half the channels), and one that looks harder
_STEPS, _BATCH, _RATE = 1000, 128, 3e-3


@dataclass(frozen=True)
class SeededScore:
    """A score over several seeds.

    Attributes:
        value: Mean.
        low: Least.
        high: Most.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class WindowHalves:
    """Windows of two sets of laps, to train and to test the discriminator, shape (n, steps, 4) each."""

    train: Float32Array
    test: Float32Array


def split_laps(values: Float32Array, laps: IntArray, seed: int = 0) -> WindowHalves:
    """Split windows by lap.

    Raises:
        InputError: If they are of one lap only.
    """
    known = np.unique(laps)
    if len(known) < 2:
        raise InputError(f"{len(known)} lap cannot be split in two: hold out more laps")
    chosen = np.random.default_rng(seed).permutation(known)[: len(known) // 2]
    first = np.isin(laps, chosen)
    return WindowHalves(values[first], values[~first])


def discriminative_score(
    real: WindowHalves, other: WindowHalves, width: int, seeds: Sequence[int] = (0, 1, 2), device: str = "cpu"
) -> SeededScore:
    """Compute ``|0.5 - accuracy|`` of a discriminator: 0 is indistinguishable, 0.5 fully distinguishable.

    Args:
        real: Real windows.
        other: Windows to tell from them.
        width: Of the judge's layers.
        seeds: One judge each.
        device: Where to train it.
    """
    return _over_seeds(seeds, lambda seed: _train_discriminator(real, other, width, seed, device))


def predictive_score(
    train: Float32Array, real: Float32Array, seeds: Sequence[int] = (0, 1, 2), device: str = "cpu"
) -> SeededScore:
    """Mean absolute error, on real windows, of a forecaster of the next step that was trained on others.

    Args:
        train: What it learns from, shape (n, steps, 4), normalised.
        real: What it is tested on.
        seeds: One forecaster each.
        device: Where to train it.
    """
    return _over_seeds(seeds, lambda seed: _train_forecaster(train, real, seed, device))


@dataclass(frozen=True)
class MemorisationTest:
    """Whether a generator reproduces its training windows.

    Attributes:
        ratio: Median distance of generated windows to the nearest training window, over that of held-out windows; well
            below 1 is learning by heart.
        copies: Share of generated windows nearer to a training window than all but one percent of held-out ones; 0.01
            is what real laps do.
    """

    ratio: float
    copies: float


def measure_memorisation(train: Float32Array, held_out: Float32Array, drawn: Float32Array) -> MemorisationTest:
    """Nearest-neighbour test against memorising, in the space of whole windows."""
    spread = np.maximum(train.reshape(-1, train.shape[2]).std(axis=0), 1e-6)
    tree = cKDTree((train / spread).reshape(len(train), -1))
    far, near = (np.asarray(tree.query((w / spread).reshape(len(w), -1))[0]) for w in (held_out, drawn))
    middle = max(float(np.median(far)), 1e-9)
    return MemorisationTest(float(np.median(near)) / middle, float(np.mean(near < np.quantile(far, 0.01))))


class _Recurrent(nn.Module):
    def __init__(self, channels: int, width: int, out: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, width, num_layers=2, batch_first=True)
        self.head = nn.Linear(width, out)

    def forward(self, windows: Tensor) -> Tensor:
        found: Tensor = self.head(self.lstm(windows)[0])
        return found


def _train_discriminator(real: WindowHalves, other: WindowHalves, width: int, seed: int, device: str) -> float:
    torch.manual_seed(seed)
    judge = _Recurrent(real.train.shape[2], width, 1).to(device)
    ours, theirs = (torch.from_numpy(w).to(device) for w in (real.train, other.train))
    answers = torch.cat([torch.ones(_BATCH), torch.zeros(_BATCH)]).to(device)

    def loss() -> Tensor:
        both = torch.cat([_sample_rows(ours), _sample_rows(theirs)])
        return binary_cross_entropy_with_logits(judge(both)[:, -1, 0], answers)

    _fit(judge, loss)
    with torch.no_grad():
        right = [
            float(((judge(torch.from_numpy(w).to(device))[:, -1, 0] > 0) == is_real).float().mean())
            for w, is_real in ((real.test, True), (other.test, False))
        ]
    return abs(0.5 - sum(right) / 2.0)


def _train_forecaster(train: Float32Array, real: Float32Array, seed: int, device: str) -> float:
    torch.manual_seed(seed)
    network = _Recurrent(train.shape[2], 24, train.shape[2]).to(device)
    given, asked = torch.from_numpy(train).to(device), torch.from_numpy(real).to(device)

    def loss() -> Tensor:
        some = _sample_rows(given)
        return l1_loss(network(some[:, :-1]), some[:, 1:])

    _fit(network, loss)
    with torch.no_grad():
        return float(l1_loss(network(asked[:, :-1]), asked[:, 1:]))


def _sample_rows(windows: Tensor) -> Tensor:
    return windows[torch.randint(len(windows), (_BATCH,)).to(windows.device)]


def _fit(network: nn.Module, loss: Callable[[], Tensor]) -> None:
    optimiser = torch.optim.Adam(network.parameters(), lr=_RATE)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small only wait for each other on several
    try:
        for _ in range(_STEPS):
            optimiser.zero_grad()
            value = loss()
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    finally:
        torch.set_num_threads(threads)


def _over_seeds(seeds: Sequence[int], one: Callable[[int], float]) -> SeededScore:
    found = [one(seed) for seed in seeds]
    return SeededScore(float(np.mean(found)), min(found), max(found))
