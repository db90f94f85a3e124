"""``python -m benchmarks.realism`` (row 9): can generated windows be told from real ones, and are they of use?

Sources are held against the same held-out windows, split by lap: our ghost, our ghost that is told nothing of the
stretch, TimeGAN (tsgm, trained on the same windows with the same seed), and real windows of laps that were learned
from: the control, and what a generator that only remembers would score. Scores are TimeGAN's own: how far from a coin
toss a recurrent judge is (0 to 0.5), and the error on real windows of a forecaster that learned from generated ones.
Windows are of simulated laps, or of a training's data set (``--data``: ``exports/ghost/…`` in a home).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from analysis.segmentation.zones import TYPES, ZoneType
from benchmarks.machine import describe
from conf.arrays import Float32Array, IntArray
from ml.ghost.dataset import load_zone_windows
from ml.ghost.evaluation import match_window_counts
from ml.ghost.networks import Generator
from ml.ghost.scores import (
    WIDTHS,
    SeededScore,
    discriminative_score,
    measure_memorisation,
    predictive_score,
    split_laps,
)
from ml.ghost.train_worker import train_zone_share
from ml.ghost.training import WEIGHTS, TrainingParams, generate_windows
from ml.ghost.windows import GhostWindows

Parts = dict[ZoneType, tuple[GhostWindows, GhostWindows]]  # to learn from, kept aside

SOURCES = {
    "ghost": "ghost",
    "blind": "ghost, told nothing of the stretch",
    "timegan": "TimeGAN (tsgm)",
    "real": "real laps, learned from",
}
RESULTS = Path(__file__).parent / "results"
REPO = Path(__file__).resolve().parents[1]
GOAL = 0.05
PEER = ("tsgm==0.1.0", "pandas<3", "tensorflow-cpu==2.21.0", "tf-keras==2.21.0", "tensorflow-probability==0.25.0")


@dataclass(frozen=True)
class Drawn:
    """Windows of a source, shape (n, steps, channels), and the lap of each: the judge's halves are split by it."""

    values: Float32Array
    laps: IntArray
    train_s: float = 0.0


@dataclass(frozen=True)
class Source:
    """Figures of one source.

    Attributes:
        discriminative: By width of the judge: mean, least and most over its seeds.
        memory_ratio: Distance to the nearest training window, over that of held-out windows.
        train_s: Seconds of training, all zone types; zero for real laps.
    """

    name: str
    discriminative: dict[int, SeededScore]
    predictive: SeededScore
    memory_ratio: float
    train_s: float


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realism", description="Ghost windows beside TimeGAN's.")
    parser.add_argument("--data", type=Path, help="a training's data set; default: simulated laps")
    parser.add_argument("--name", default="simulated", help="what to call the data set in the result file")
    parser.add_argument("--cars", type=int, default=14, help="simulated drivers")
    parser.add_argument("--laps", type=int, default=8, help="laps of each")
    parser.add_argument("--steps", type=int, default=TrainingParams().steps, help="training steps of ours")
    parser.add_argument("--iterations", type=int, default=2000, help="of TimeGAN, in each of its three phases")
    parser.add_argument("--sources", type=_names, default=list(SOURCES), help=f"default: {','.join(SOURCES)}")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in SOURCES]:
        raise argparse.ArgumentTypeError(f"no source {unknown[0]}: there are {', '.join(SOURCES)}")
    return names


def main(argv: Sequence[str] | None = None) -> int:
    """Train, draw, score, print a table, write ``benchmarks/results/realism-<name>.json``."""
    given, console = arguments().parse_args(argv), Console(stderr=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory(prefix="slipstream-realism-") as scratch:
        folder = Path(scratch)
        data = given.data or _simulated(folder / "data", given)
        parts: Parts = {kind: load_zone_windows(data, kind) for kind in TYPES}
        params = TrainingParams(steps=given.steps, seed=given.seed)
        blind = replace(params, shape=replace(params.shape, is_conditional=False))
        sources: dict[str, Callable[[], Drawn]] = {
            "ghost": lambda: _ours(parts, data, folder / "ours", params, device),
            "blind": lambda: _ours(parts, data, folder / "blind", blind, device),
            "timegan": lambda: _timegan(parts, folder, given.iterations, given.seed),
            "real": lambda: _real(parts, given.seed),
        }
        found = []
        for name in given.sources:
            drawn = sources[name]()
            found.append(_scored(SOURCES[name], parts, drawn, given.seed, device))
            console.print(f"{name}: trained in {drawn.train_s:,.0f} s, told apart by {found[-1].discriminative}")
    aside = _aside(parts)
    Console().print(to_table(found, len(aside)))
    content = {
        "row": 9,
        "data": given.name,
        "held_out_windows": len(aside),
        "held_out_laps": len(np.unique(aside.lap)),
        "goal_discriminative": GOAL,
        "device": device,
        "arguments": {k: v.name if isinstance(v, Path) else str(v) for k, v in vars(given).items()},
        "sources": [asdict(one) for one in found],
        "machine": describe(),
    }
    (RESULTS / f"realism-{given.name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


def to_table(found: Sequence[Source], windows: int) -> Table:
    """A line a source; least and most over the judge's seeds in brackets."""
    table = Table(title=f"{windows:,} held-out windows; told apart: 0 is a coin toss, 0.5 a giveaway (goal {GOAL:g})")
    table.add_column("windows of")
    for width in WIDTHS:
        table.add_column(f"told apart, {width} wide", justify="right")
    for column in ("forecast error", "nearest", "training, s"):
        table.add_column(column, justify="right")
    for one in found:
        told = [f"{s.value:.3f} ({s.low:.3f}-{s.high:.3f})" for s in one.discriminative.values()]
        table.add_row(one.name, *told, f"{one.predictive.value:.4f}", f"{one.memory_ratio:.2f}", f"{one.train_s:,.0f}")
    return table


def _simulated(folder: Path, given: argparse.Namespace) -> Path:
    from benchmarks.ghost_laps import simulated_dataset

    simulated_dataset(given.cars, given.laps, "three-oaks", given.seed).save(folder)
    return folder


def _joined(parts: Sequence[GhostWindows]) -> GhostWindows:
    fields = ("values", "conditions", "kind", "lap", "place")
    return GhostWindows(*(np.concatenate([getattr(part, field) for part in parts]) for field in fields))


def _ours(parts: Parts, data: Path, folder: Path, params: TrainingParams, device: str) -> Drawn:
    began = time.perf_counter()
    train_zone_share(str(data), str(folder), asdict(params))
    train_s = time.perf_counter() - began
    drawn = []
    for kind in TYPES:
        network = Generator(params.shape).to(device)
        network.load_state_dict(torch.load(folder / kind / WEIGHTS, map_location=device, weights_only=True))
        drawn.append(generate_windows(network, parts[kind][1], params.seed))
    return Drawn(np.concatenate(drawn), _aside(parts).lap, train_s)


def _timegan(parts: Parts, folder: Path, iterations: int, seed: int) -> Drawn:
    """A TimeGAN a zone type, in an environment of its own: what it needs would hold back our own packages."""
    began, drawn = time.perf_counter(), []
    for kind in TYPES:
        train, aside = parts[kind]
        given, made = folder / f"{kind}-in.npz", folder / f"{kind}-out.npz"
        np.savez(given, values=train.values, draw=len(aside))
        asked = [argument for package in PEER for argument in ("--with", package)]
        subprocess.run(
            [
                sys.executable,
                "-m",
                "uv",
                "run",
                "--no-project",
                "--isolated",
                "--python",
                sys.executable,
                *asked,
                "python",
                str(REPO / "benchmarks" / "timegan.py"),
                str(given),
                str(made),
                str(iterations),
                str(seed),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        )
        with np.load(made, allow_pickle=False) as found:
            drawn.append(found["values"])
    return Drawn(np.concatenate(drawn), _aside(parts).lap, time.perf_counter() - began)


def _real(parts: Parts, seed: int) -> Drawn:
    """Windows that were learned from, as many of each zone type as were kept aside or as there are."""
    some = match_window_counts(_joined([parts[kind][0] for kind in TYPES]), _aside(parts), seed)
    return Drawn(some.values, some.lap)


def _aside(parts: Parts) -> GhostWindows:
    return _joined([parts[kind][1] for kind in TYPES])


def _scored(name: str, parts: Parts, drawn: Drawn, seed: int, device: str) -> Source:
    aside = _aside(parts)
    learned = np.concatenate([parts[kind][0].values for kind in TYPES])
    real, made = split_laps(aside.values, aside.lap, seed), split_laps(drawn.values, drawn.laps, seed)
    return Source(
        name,
        {width: discriminative_score(real, made, width, device=device) for width in WIDTHS},
        predictive_score(made.train, real.test, device=device),
        measure_memorisation(learned, aside.values, drawn.values).ratio,
        drawn.train_s,
    )


if __name__ == "__main__":
    raise SystemExit(main())
