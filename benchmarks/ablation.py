"""``python -m benchmarks.ablation --session … [--blind VERSION]``: what each part of the ghost buys.

Reads the lake and the model in use of ``$SLIPSTREAM_HOME`` and writes nothing there. The same search, with the same
seeds, is run whole and with one part left out: the conditioning (a model trained with ``slipstream train ghost
--unconditional``), the chaining, the smoothing; and with resampled human stretches in the network's place.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe
from conf.settings import get_settings
from jobs.ghost_inputs import GhostInputs, SourceKind, load_ghost_inputs, open_source
from jobs.job import RunContext
from ml.ghost.search.chain import ChainError
from ml.ghost.search.search import SearchResult, search_ghost
from ml.tracking import Tracker

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Variant:
    """One way to search."""

    name: str
    kind: SourceKind = "gan"
    version: str | None = None
    is_chained: bool = True
    is_smoothed: bool = True


@dataclass(frozen=True)
class Figures:
    """Figures over the seeds; a search that found no lap counts in ``failed`` alone.

    Attributes:
        lap_time_s: Mean.
        spread_s: Standard deviation over the seeds, zero where there is one.
        feasible: Searches whose lap a car could drive.
        junction_gap_kmh: Largest jump of speed where stretches meet.
        envelope_excess_mps2: Farthest outside what the cars showed.
        notes: Why the first lap that no car could drive was refused.
    """

    name: str
    searches: int
    failed: int
    feasible: int
    lap_time_s: float
    spread_s: float
    junction_gap_kmh: float
    envelope_excess_mps2: float
    notes: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Search, print a table, write ``benchmarks/results/ablation-<track>.json``."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablation", description="What each part of the ghost buys."
    )
    parser.add_argument("--session", required=True)
    parser.add_argument("--model", help="version of ghost-gan; default: the one in use")
    parser.add_argument("--blind", help="version of ghost-gan that was trained with --unconditional")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=4)
    given, console = parser.parse_args(argv), Console(stderr=True)
    lake, tracker = RunContext(get_settings(), "slipstream-ablation").open_lake_and_tracker()
    inputs = load_ghost_inputs(lake, tracker, given.session)
    found = []
    for variant in variants(given.model, given.blind):
        found.append(_searched(tracker, inputs, variant, given.seeds, given.rounds))
        console.print(found[-1])
    Console().print(to_table(found, inputs))
    content: dict[str, Any] = {
        "session": given.session,
        "track": inputs.circuit.track_id,
        "limit_s": inputs.seen.lap.lap_time_s,
        "stitched_s": inputs.stitched_s,
        "best_human_s": inputs.traces[0].lap_time_s,
        "seeds": given.seeds,
        "rounds": given.rounds,
        "variants": [asdict(one) for one in found],
        "machine": describe(),
    }
    path = RESULTS / f"ablation-{inputs.circuit.track_id}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


def variants(model: str | None, blind: str | None) -> list[Variant]:
    """The whole, and the whole less one part."""
    found = [
        Variant("whole", version=model),
        Variant("not chained", version=model, is_chained=False),
        Variant("not smoothed", version=model, is_smoothed=False),
        Variant("resampled human stretches", kind="bootstrap"),
    ]
    return [*found, Variant("told nothing of the stretch", version=blind)] if blind else found


def to_table(found: Sequence[Figures], inputs: GhostInputs) -> Table:
    """A line a variant."""
    best_s = inputs.traces[0].lap_time_s
    table = Table(
        title=f"{inputs.circuit.track_id}: limit {inputs.seen.lap.lap_time_s:.3f} s, best human {best_s:.3f} s, "
        f"best zones stitched {inputs.stitched_s:.3f} s"
    )
    table.add_column("search")
    for column in ("lap, s", "to the best human, s", "drivable", "largest jump, km/h", "outside, m/s²"):
        table.add_column(column, justify="right")
    for one in found:
        table.add_row(
            one.name,
            f"{one.lap_time_s:.3f} ± {one.spread_s:.3f}",
            f"{one.lap_time_s - best_s:+.3f}",
            f"{one.feasible} of {one.searches}",
            f"{one.junction_gap_kmh:.2f}",
            f"{one.envelope_excess_mps2:.2f}",
        )
    return table


def _searched(tracker: Tracker, inputs: GhostInputs, variant: Variant, seeds: int, rounds: int) -> Figures:
    done: list[SearchResult] = []
    for seed in range(seeds):
        source, _ = open_source(tracker, inputs, variant.kind, variant.version)
        try:
            found = search_ghost(
                source,
                inputs.parts,
                inputs.laps,
                inputs.limits,
                inputs.rules,
                seed=100 * seed,
                rounds=rounds,
                is_chained=variant.is_chained,
                is_smoothed=variant.is_smoothed,
            )
        except ChainError as error:
            Console(stderr=True).print(f"{variant.name}, seed {seed}: {error}")
            continue
        done.append(found)
    return _summed_up(variant.name, seeds, done)


def _summed_up(name: str, searches: int, done: Sequence[SearchResult]) -> Figures:
    if not done:
        nothing = float("nan")
        return Figures(name, searches, searches, 0, nothing, nothing, nothing, nothing, ())
    times = [one.ghost.lap_time_s for one in done]
    figures = [one.verdict.figures for one in done]
    refused = [one.verdict.notes for one in done if not one.verdict.feasible]
    return Figures(
        name=name,
        searches=searches,
        failed=searches - len(done),
        feasible=len(done) - len(refused),
        lap_time_s=mean(times),
        spread_s=stdev(times) if len(times) > 1 else 0.0,
        junction_gap_kmh=max(one["max_junction_speed_gap_kmh"] for one in figures),
        envelope_excess_mps2=max(one["envelope_excess_mps2"] for one in figures),
        notes=refused[0] if refused else (),
    )


if __name__ == "__main__":
    raise SystemExit(main())
