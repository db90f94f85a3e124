"""Training of one zone type: warm up by reconstruction, then against the critic.

The generator first learns as the decoder of a variational autoencoder (Kingma and Welling, ICLR 2014), which gets it
near the laps in seconds; then it is trained as a GAN on points of the prior, reconstruction going on beside it (Larsen
et al., ICML 2016). The adversarial loss is the relativistic pairing loss with zero-centred gradient penalties on real
and generated windows, which converges where older losses cycle (Huang et al., "The GAN is dead; long live the GAN!",
NeurIPS 2024). The penalties are taken by finite differences in a random direction, which needs no second derivative of
an LSTM: the same code runs on CPU and GPU.

Every ``evaluate_every`` steps the generator is held against laps it never saw, and all that training needs to go on is
put aside: killed and started again, it ends where it would have ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from conf.errors import SlipstreamError
from ml.ghost.distance import distribution_distance
from ml.ghost.networks import Critic, Encoder, Generator, NetworkShape
from ml.ghost.windows import GhostWindows

CHECKPOINT: Final = "checkpoint.pt"
WEIGHTS: Final = "generator.pt"
HISTORY: Final = "history.json"
_WEIGHT_OF_CHANNELS: Final = (30.0, 1.0, 1.0, 2.0)  # speed moves little over a stretch, and time hangs on it
_AT_ONCE: Final = 4096
_BEYOND: Final = 0.1  # of the loss where a pedal is at its end and the network beyond it


class TrainingError(SlipstreamError):
    """Training diverged or cannot continue; the message says where and what to do."""


@dataclass(frozen=True)
class TrainingParams:
    """Settings of a training.

    Attributes:
        steps: Most steps.
        warm_share: Share of them before the critic joins in.
        batch: Windows a step.
        learning_rate: Highest, of a cycle that rises for a tenth of the steps and falls after.
        kl_weight: Of the latent space's distance from the prior.
        adversarial_weight: Of the critic's verdict beside reconstruction.
        penalty: Of the critic's gradient.
        penalty_step: Of the finite difference.
        clip_norm: Most norm of a gradient.
        evaluate_every: Steps between evaluations and checkpoints.
        patience: Evaluations without gain, once the critic is in, after which training ends.
        seed: Of weights, batches and latent points.
    """

    steps: int = 3000
    warm_share: float = 0.5
    batch: int = 128
    learning_rate: float = 4e-3
    kl_weight: float = 1e-3
    adversarial_weight: float = 0.1
    penalty: float = 0.05
    penalty_step: float = 0.02
    clip_norm: float = 1.0
    evaluate_every: int = 250
    patience: int = 6
    seed: int = 0
    shape: NetworkShape = field(default_factory=NetworkShape)


@dataclass(frozen=True)
class EvaluationPoint:
    """Figures at one evaluation, means since the one before.

    Attributes:
        distance: From held-out windows, see :func:`~ml.ghost.distance.distribution_distance`.
        generator_loss: Adversarial; NaN before the critic joins in.
        critic_loss: NaN before.
    """

    step: int
    seconds: float
    reconstruction: float
    divergence: float
    generator_loss: float
    critic_loss: float
    distance: float


@dataclass(frozen=True)
class TrainedZone:
    """Outcome for one zone type.

    Attributes:
        best_step: Step whose weights were kept.
        history: Figures at every evaluation.
        stopped_early: Whether patience ended it.
        device: What it ran on.
        seconds: Time spent training, over all starts.
    """

    best_step: int
    history: tuple[EvaluationPoint, ...]
    stopped_early: bool
    device: str
    seconds: float


def has_gpu() -> bool:
    """Whether torch finds a GPU here."""
    return bool(torch.cuda.is_available())


def train_zone(
    kind: str,
    train: GhostWindows,
    held_out: GhostWindows,
    folder: Path,
    params: TrainingParams,
    device: str = "cpu",
    on_evaluated: Callable[[EvaluationPoint], None] | None = None,
) -> TrainedZone:
    """Train generator and critic of one zone type, or go on where a killed training left off.

    Leaves ``generator.pt`` (the weights that came nearest to the held-out laps) and ``history.json`` in ``folder``.

    Args:
        kind: Zone type, for messages.
        train: Windows to learn from.
        held_out: Windows of other laps.
        folder: For checkpoints and weights.
        params: Settings.
        device: ``cpu`` or ``cuda``; on a GPU with mixed precision.
        on_evaluated: Called after every evaluation.

    Raises:
        TrainingError: If a loss is not a number any more, or the checkpoint is of another training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trainer = _Trainer(kind, train, held_out, params, device)
    checkpoint = folder / CHECKPOINT
    if checkpoint.is_file():
        trainer.resume(checkpoint)
        if trainer.is_done and (folder / HISTORY).is_file():
            return read_trained_zone(folder)
    while not trainer.is_done:
        found = trainer.advance()
        _write_atomically(folder / WEIGHTS, trainer.best)
        _write_atomically(checkpoint, trainer.state())
        if on_evaluated:
            on_evaluated(found)
    done = TrainedZone(
        trainer.best_step, tuple(trainer.history), trainer.stopped_early, device, trainer.history[-1].seconds
    )
    partial = (folder / HISTORY).with_suffix(".partial")
    partial.write_text(json.dumps(asdict(done), indent=1), encoding="utf-8")
    partial.replace(folder / HISTORY)
    return done


def read_trained_zone(folder: Path) -> TrainedZone:
    """Read the result of a finished training from its folder."""
    done = json.loads((folder / HISTORY).read_text(encoding="utf-8"))
    history = tuple(EvaluationPoint(**e) for e in done.pop("history"))
    return TrainedZone(history=history, **done)


class _Trainer:
    """The mutable state of a training."""

    def __init__(
        self, kind: str, train: GhostWindows, held_out: GhostWindows, params: TrainingParams, device: str
    ) -> None:
        torch.manual_seed(params.seed)
        self.kind, self.params, self.device = kind, params, device
        self.is_mixed = device.startswith("cuda")
        self.real = torch.from_numpy(train.values).to(device)
        self.told = torch.from_numpy(train.conditions).to(device)
        self.held_out = held_out
        self.generator, self.encoder, self.critic = (n(params.shape).to(device) for n in (Generator, Encoder, Critic))
        self.ours = [*self.generator.parameters(), *self.encoder.parameters()]
        rate = params.learning_rate
        self.learner = torch.optim.Adam(self.ours, lr=rate / 2, betas=(0.5, 0.99))
        self.judge = torch.optim.Adam(self.critic.parameters(), lr=rate / 4, betas=(0.0, 0.99))
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.learner, rate, total_steps=params.steps, pct_start=0.1)
        self.average = {name: value.clone() for name, value in self.generator.state_dict().items()}
        self.weights = torch.tensor(_WEIGHT_OF_CHANNELS, device=device)
        self.step, self.seconds = 0, 0.0
        self.best, self.best_step, self.best_distance = self.average, 0, float("inf")
        self.history: list[EvaluationPoint] = []
        self.stopped_early = False

    @property
    def is_done(self) -> bool:
        return self.stopped_early or self.step >= self.params.steps

    @property
    def is_adversarial(self) -> bool:
        return self.step >= self.params.warm_share * self.params.steps

    def advance(self) -> EvaluationPoint:
        """Train up to the next evaluation, and evaluate."""
        began = time.perf_counter()
        sums: dict[str, list[Tensor]] = {}
        until = min(self.step + self.params.evaluate_every, self.params.steps)
        while self.step < until:
            for name, value in self._one_step().items():
                sums.setdefault(name, []).append(value.detach())
            self.step += 1
        means = {name: float(torch.stack(values).mean()) for name, values in sums.items()}
        self._require_finite(means)
        distance = self._distance()
        self.seconds += time.perf_counter() - began
        found = EvaluationPoint(
            self.step,
            self.seconds,
            means["reconstruction"],
            means["divergence"],
            means.get("generator", float("nan")),
            means.get("critic", float("nan")),
            distance,
        )
        self.history.append(found)
        if distance < self.best_distance:
            self.best_distance, self.best_step = distance, self.step
            self.best = {name: value.clone() for name, value in self.average.items()}
        since = sum(e.step > max(self.best_step, self.params.warm_share * self.params.steps) for e in self.history)
        self.stopped_early = since >= self.params.patience
        return found

    def _one_step(self) -> dict[str, Tensor]:
        chosen = torch.randint(len(self.real), (self.params.batch,)).to(self.device)
        real, told = self.real[chosen], self.told[chosen]
        losses: dict[str, Tensor] = {}
        with torch.autocast(self.real.device.type, dtype=torch.bfloat16, enabled=self.is_mixed):
            if self.is_adversarial:
                losses["critic"] = self._critic_loss(real, told)
                self._descend(losses["critic"], self.judge, list(self.critic.parameters()))
            losses["reconstruction"], losses["divergence"] = self._reconstruction(real, told)
            total = losses["reconstruction"] + self.params.kl_weight * losses["divergence"]
            if self.is_adversarial:
                drawn = self.generator(told, real[:, 0, 0], self._prior(len(real)))
                losses["generator"] = softplus(self.critic(real, told).detach() - self.critic(drawn, told)).mean()
                total = total + self.params.adversarial_weight * losses["generator"]
        self._descend(total, self.learner, self.ours)
        self.schedule.step()
        with torch.no_grad():
            for name, value in self.generator.state_dict().items():
                self.average[name].lerp_(value, 0.02)
        return losses

    def _critic_loss(self, real: Tensor, told: Tensor) -> Tensor:
        with torch.no_grad():
            drawn = self.generator(told, real[:, 0, 0], self._prior(len(real)))
        of_real, of_drawn = self.critic(real, told), self.critic(drawn, told)
        h = self.params.penalty_step
        away = h * torch.randn(real.shape).to(self.device)
        slope = (self.critic(real + away, told) - of_real) ** 2 + (self.critic(drawn + away, told) - of_drawn) ** 2
        loss: Tensor = softplus(of_drawn - of_real).mean() + 0.5 * self.params.penalty * slope.mean() / h**2
        return loss

    def _reconstruction(self, real: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.encoder(real, told)
        latent = mean + torch.randn(mean.shape).to(self.device) * (0.5 * log_variance).exp()
        drawn = self.generator(told, real[:, 0, 0], latent, is_free=True)
        off = drawn - real
        beyond = ((drawn > 1.0) & (real >= 1.0)) | ((drawn < 0.0) & (real <= 0.0))
        beyond[:, :, [0, 3]] = False
        off = torch.where(beyond, _BEYOND * off.clamp(-0.5, 0.5), off)
        divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1.0).sum(dim=1).mean()
        return (off.abs() * self.weights).mean(), divergence

    def _descend(self, loss: Tensor, optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, self.params.clip_norm)
        optimiser.step()

    def _prior(self, n: int) -> Tensor:
        return torch.randn(n, self.params.shape.latent).to(self.device)

    def _distance(self) -> float:
        drawn = generate_windows(self._averaged(), self.held_out, seed=self.params.seed)
        return distribution_distance(self.held_out.values, drawn, seed=self.params.seed)

    def _averaged(self) -> Generator:
        network = Generator(self.params.shape).to(self.device)
        network.load_state_dict(self.average)
        return network

    def _require_finite(self, means: dict[str, float]) -> None:
        bad = [name for name, value in means.items() if not np.isfinite(value)]
        if bad:
            raise TrainingError(
                f"{self.kind}: the {' and '.join(bad)} loss is not a number any more, between step "
                f"{self.step - self.params.evaluate_every} and {self.step}: lower the learning rate (--learning-rate), "
                "or start anew with another --seed; nothing was registered"
            )

    def state(self) -> dict[str, Any]:
        """All that is needed to go on."""
        return {
            "params": json.dumps(asdict(self.params)),
            "generator": self.generator.state_dict(),
            "encoder": self.encoder.state_dict(),
            "critic": self.critic.state_dict(),
            "learner": self.learner.state_dict(),
            "judge": self.judge.state_dict(),
            "schedule": self.schedule.state_dict(),
            "average": self.average,
            "best": self.best,
            "best_step": self.best_step,
            "best_distance": self.best_distance,
            "step": self.step,
            "seconds": self.seconds,
            "stopped_early": self.stopped_early,
            "history": [asdict(e) for e in self.history],
            "random": torch.get_rng_state(),
        }

    def resume(self, path: Path) -> None:
        """Restore a checkpoint.

        Raises:
            TrainingError: If it is of another training.
        """
        found = torch.load(path, map_location=self.device, weights_only=True)
        if found["params"] != json.dumps(asdict(self.params)):
            raise TrainingError(
                f"{path} is of a training with other settings: give the same ones to go on with it, or --rebuild"
            )
        for name in ("generator", "encoder", "critic", "learner", "judge", "schedule"):
            getattr(self, name).load_state_dict(found[name])
        for name in ("average", "best", "best_step", "best_distance", "step", "seconds", "stopped_early"):
            setattr(self, name, found[name])
        self.history = [EvaluationPoint(**e) for e in found["history"]]
        torch.set_rng_state(found["random"].cpu())


def generate_windows(generator: Generator, like: GhostWindows, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A window for the conditions and entry speed of each window given, shape (n, STEPS, 4)."""
    device = next(generator.parameters()).device
    source = torch.Generator().manual_seed(seed)
    latent = torch.randn(len(like), generator.shape.latent, generator=source).to(device)
    told, entry = torch.from_numpy(like.conditions).to(device), torch.from_numpy(like.values[:, 0, 0]).to(device)
    with torch.no_grad():
        parts = [slice(k, k + _AT_ONCE) for k in range(0, len(told), _AT_ONCE)]
        drawn = torch.cat([generator(told[part], entry[part], latent[part]) for part in parts])
    return np.asarray(drawn.float().cpu().numpy())


def _write_atomically(path: Path, content: Any) -> None:
    """Write a file whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)
