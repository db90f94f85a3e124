"""The networks: an LSTM generator, an LSTM critic, and the encoder used in the reconstruction phase.

The generator drives a stretch: from the conditions, the speed at its start and a point of a latent space it gives
speed and pedals at every step. Speed is the start's plus increments, added to those of the limit lap, so the first step
is the entry speed itself. Read this module only where torch is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from ml.ghost.windows import CONDITIONS, LIMIT

CHANNELS = 4
_INCREMENT = 0.05
_APART = 5.0  # differences of speed are small: brought to about one
_SLOPES = (20.0, 3.0, 3.0, 3.0)


@dataclass(frozen=True)
class NetworkShape:
    """Sizes of the networks.

    Attributes:
        hidden: Width of the LSTMs.
        latent: Dimensions of the latent space.
        is_conditional: Whether the networks are told of the stretch; without, only the entry speed (for the ablation).
    """

    hidden: int = 64
    latent: int = 8
    is_conditional: bool = True


class Generator(nn.Module):
    """Latent point, entry speed and conditions to a window."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.lstm = nn.LSTM(len(CONDITIONS) + 2 + shape.latent, shape.hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(shape.hidden, shape.hidden), nn.SiLU(), nn.Linear(shape.hidden, CHANNELS))

    def forward(self, conditions: Tensor, entry: Tensor, latent: Tensor, is_free: bool = False) -> Tensor:
        """Generate windows.

        Args:
            conditions: Shape (b, steps, conditions).
            entry: Normalised speed at the first step, shape (b,).
            latent: Shape (b, latent).
            is_free: Let pedals go beyond their ends (for the loss, which is blind to a clamp).

        Returns:
            Normalised channels, shape (b, steps, 4).
        """
        told = _join_conditions(conditions, self.shape)
        b, n, _ = told.shape
        limit = told[:, :, LIMIT]
        start = entry[:, None, None].expand(b, n, 1)
        given = [told, _APART * (start - limit[:, :1, None]), start, latent[:, None].expand(b, n, latent.shape[1])]
        out = self.head(self.lstm(torch.cat(given, dim=2))[0])
        gained = torch.cumsum(_INCREMENT * out[:, :-1, :1], dim=1)
        gained = torch.cat([torch.zeros_like(gained[:, :1]), gained], dim=1)
        speed = start + gained + (limit - limit[:, :1])[:, :, None]
        pedals = out[:, :, 1:3] + 0.5
        return torch.cat([speed, pedals if is_free else pedals.clamp(0.0, 1.0), out[:, :, 3:] + 0.5], dim=2)


class Critic(nn.Module):
    """Rate how realistic a window looks given its conditions, shape (b,)."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.reader = _WindowReader(shape, 1)

    def forward(self, window: Tensor, conditions: Tensor) -> Tensor:
        """Rate windows of shape (b, steps, 4)."""
        return cast("Tensor", self.reader(window, conditions))[:, 0]


class Encoder(nn.Module):
    """Window and conditions to a Gaussian in the latent space: mean and log variance, shape (b, latent) each."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.reader = _WindowReader(shape, 2 * shape.latent)

    def forward(self, window: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
        """Encode windows of shape (b, steps, 4)."""
        mean, log_variance = cast("Tensor", self.reader(window, conditions)).chunk(2, dim=1)
        return mean, log_variance


class _WindowReader(nn.Module):
    """An LSTM over a window, its slopes and the conditions, read off at the end and on average."""

    def __init__(self, shape: NetworkShape, out: int) -> None:
        super().__init__()
        self.shape = shape
        self.lstm = nn.LSTM(len(CONDITIONS) + 2 * CHANNELS, shape.hidden, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(2 * shape.hidden, shape.hidden), nn.LeakyReLU(0.2), nn.Linear(shape.hidden, out)
        )
        self.register_buffer("slopes", torch.tensor(_SLOPES), persistent=False)

    def forward(self, window: Tensor, conditions: Tensor) -> Tensor:
        told = _join_conditions(conditions, self.shape)
        slopes = torch.diff(window, dim=1, prepend=window[:, :1]) * cast("Tensor", self.slopes)
        apart = _APART * (window[:, :, :1] - told[:, :, LIMIT : LIMIT + 1])
        seen = self.lstm(torch.cat([apart, window[:, :, 1:], slopes, told], dim=2))[0]
        return cast("Tensor", self.head(torch.cat([seen.mean(dim=1), seen[:, -1]], dim=1)))


def _join_conditions(conditions: Tensor, shape: NetworkShape) -> Tensor:
    return conditions if shape.is_conditional else torch.zeros_like(conditions)
