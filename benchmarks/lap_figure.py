"""``python -m benchmarks.lap_figure``: draw row 11's result file: what one more lap costs over the size of the lake."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from serving.charts.style import GAINED, INK, LAP, SKY, draw_light_grid, figure_style, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULT = Path(__file__).parent / "results" / "row-11.json"
_JOBS = {"bronze": SKY, "silver": LAP, "gold": GAINED}


def figure(results: Sequence[Mapping[str, Any]]) -> Figure:
    """Seconds of our jobs and of the peer, and processor seconds of both; every measured lap a dot.

    Args:
        results: One a size, ascending, as the result file has them.
    """
    at = [r["facts"]["samples"] for r in results]
    with figure_style():
        drawn = new_figure(9.0, 3.6)
        left, right = drawn.subplots(1, 2)
        below = [0.0] * len(at)
        for job, colour in _JOBS.items():
            above = [b + median(r["ours"]["costs"][f"{job}_s"]) for b, r in zip(below, results, strict=True)]
            left.fill_between(at, below, above, color=colour, alpha=0.75, lw=0, label=job)
            below = above
        _draw_laps(left, at, [r["ours"]["seconds"] for r in results])
        _draw_laps(left, at, [r["peer"]["seconds"] for r in results], "--", label="peer")
        _draw_laps(right, at, [r["ours"]["costs"]["cpu_s"] for r in results], label="ours")
        _draw_laps(right, at, [r["peer"]["costs"]["cpu_s"] for r in results], "--", label="peer")
        for axes, unit in ((left, "s"), (right, "processor s")):
            axes.set_xscale("log")
            axes.set_ylim(0.0, 1.35 * axes.get_ylim()[1])
            axes.set_xlabel("Samples in silver.telemetry")
            axes.set_ylabel(f"One more lap, {unit}")
            axes.legend(loc="upper left", ncols=4)
            draw_light_grid(axes)
    return drawn


def _draw_laps(axes: Any, at: Sequence[float], each: Sequence[Sequence[float]], line: str = "-", **named: str) -> None:
    axes.plot(at, [median(values) for values in each], line, color=INK, lw=1, **named)
    for place, values in zip(at, each, strict=True):
        axes.plot([place] * len(values), values, "o", color=INK, ms=4)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the figure beside its file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lap_figure", description="Draw row 11.")
    parser.add_argument("file", nargs="?", type=Path, default=RESULT, help=f"result file (default: {RESULT.name})")
    path = parser.parse_args(argv).file
    results = json.loads(path.read_text(encoding="utf-8"))["results"]
    save_figure(figure([r for r in results if "of_smallest" in r["facts"]]), path.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
