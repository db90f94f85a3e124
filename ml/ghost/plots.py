"""Pictures of a training: losses, and generated beside real passages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.segmentation.zones import ZoneType
from conf.arrays import Float32Array
from ml.ghost.scaler import Scaler
from ml.ghost.search.human_laps import STEPS
from ml.ghost.windows import GhostWindows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ml.ghost.training import TrainedZone

_REAL, _DRAWN, _CRITIC = "#0072B2", "#D55E00", "#009E73"
_SHOWN, _LAPS = 4, 30
_AXES = ("Speed, km/h", "Throttle, %", "Front brake, bar", "Steering, deg")


def loss_figure(trained: Mapping[ZoneType, TrainedZone]) -> Figure:
    """Losses and distance from held-out laps over the steps, a column a zone type."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(trained), 6.4), layout="constrained")
    axes = figure.subplots(3, len(trained), sharex=True, squeeze=False)
    for column, (kind, zone) in enumerate(trained.items()):
        steps = [e.step for e in zone.history]
        top, middle, bottom = axes[:, column]
        top.plot(steps, [e.reconstruction for e in zone.history], color=_REAL)
        top.set_title(f"{kind}: {zone.seconds:,.0f} s on {zone.device}", loc="left", fontsize=10)
        middle.plot(steps, [e.generator_loss for e in zone.history], color=_DRAWN, label="generator")
        middle.plot(steps, [e.critic_loss for e in zone.history], color=_CRITIC, label="critic")
        bottom.plot(steps, [e.distance for e in zone.history], color=_REAL)
        bottom.axvline(zone.best_step, color="0.6", linewidth=1)
        bottom.annotate(f" kept: step {zone.best_step:,}", (zone.best_step, bottom.get_ylim()[1]), va="top", fontsize=8)
        bottom.set_xlabel("Step")
    for ax, label in zip(axes[:, 0], ("Reconstruction loss", "Adversarial loss", "Distance, held out"), strict=True):
        ax.set_ylabel(label)
    axes[1, 0].legend(frameon=False, fontsize=8)
    for ax in axes.flat:
        _plain_axes(ax)
    for ax in axes[(0, 2), :].flat:
        ax.set_ylim(bottom=0)
    return figure


def sample_figure(kind: str, real: GhostWindows, drawn: Float32Array, scaler: Scaler) -> Figure:
    """Generated beside real passages of a few stretches, in physical units."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    places = np.unique(real.place)
    shown = places[np.linspace(0, len(places) - 1, min(_SHOWN, len(places))).round().astype(int)]
    figure = Figure(figsize=(3.4 * len(shown), 8.0), layout="constrained")
    axes = figure.subplots(4, len(shown), sharex=True, squeeze=False)
    along = np.linspace(0.0, 100.0, STEPS)
    for column, place in enumerate(shown):
        own = np.flatnonzero(real.place == place)[:_LAPS]
        for values, colour in ((real.values[own], _REAL), (drawn[own], _DRAWN)):
            physical = scaler.physical(values.astype(np.float64))
            for row in range(4):
                axes[row, column].plot(along, physical[:, :, row].T, color=colour, linewidth=0.6, alpha=0.5)
        axes[0, column].set_title(f"Stretch {place}", loc="left", fontsize=10)
        axes[3, column].set_xlabel("Share of the stretch, %")
    for ax, label in zip(axes[:, 0], _AXES, strict=True):
        ax.set_ylabel(label)
    for ax in axes.flat:
        _plain_axes(ax)
    handles = [Line2D([], [], color=_REAL, label="laps kept aside"), Line2D([], [], color=_DRAWN, label="generated")]
    figure.legend(handles=handles, loc="outside upper right", ncols=2, frameon=False)
    figure.suptitle(f"{kind}: generated and real passages", x=0.01, ha="left")
    return figure


def _plain_axes(ax: Any) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)
