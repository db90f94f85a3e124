"""``python -m benchmarks.karma``: how much of simulated wear a model sees, on cars and tracks that it never saw.

Beside each other: a line through one feature (the rule), the three algorithms on what a simulated car sends and on what
a GR Cup car sends, and the oracle: the same on every channel, 50 times a second and without noise. What the oracle
lacks is what nobody can see from outside: how parts of the same kind differ. Then each mishap of conf/wear.yaml, with
and without, on a track never seen. Writes ``benchmarks/results/karma.json`` and ``karma.png``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track as bar
from rich.table import Table

from benchmarks.karma_laps import VIEWS, session
from benchmarks.machine import describe
from conf.arrays import FloatArray
from conf.karma import KarmaRules, load_karma_rules
from conf.wear import COMPONENTS, load_wear_rules
from ml.karma.dataset import TRAIN, KarmaDataset, build_karma_dataset
from ml.karma.evaluation import KarmaEvaluation, evaluate_karma
from ml.karma.fitting import FitParams, FittedKarma, fit_karma
from ml.karma.learners import ALGORITHMS, Algorithm
from producers.simulator.config import CarFault

RESULTS = Path(__file__).parent / "results"
OWN = ("three-oaks", "alder-ridge", "harbour-mile")
ORACLE = ("perfect", "everything")
CASES = (ORACLE, ("simulated", "everything"), ("race_car", "race_car"), ("race_car", "chassis"))
WHERE = {"dragging_brake": 0.0, "missed_downshift": 600.0, "kerb_strike": 500.0, "over_rev": 0.0}
GOAL = 0.9


@dataclass(frozen=True)
class Line:
    """One algorithm on one case."""

    view: str
    inputs: str
    algorithm: Algorithm
    found: KarmaEvaluation
    fitted: FittedKarma

    def record(self, oracle: FloatArray) -> dict[str, Any]:
        per = {
            "r2": self.found.r2,
            "share_of_oracle": self.found.r2 / oracle,
            "coverage": self.found.coverage,
            "mae_log": self.found.mae,
            "r2_rule": self.found.r2_rule,
        }
        return {
            "view": self.view,
            "inputs": self.inputs,
            "algorithm": self.algorithm,
            "cars": self.found.cars,
            "laps": len(self.found.true),
            **{name: dict(zip(COMPONENTS, np.round(values, 4).tolist(), strict=True)) for name, values in per.items()},
        }


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.karma", description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=24, help="the simulator's three, then drawn ones")
    parser.add_argument("--cars", type=int, default=8)
    parser.add_argument("--laps", type=int, default=5)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--mishap-track", default="drawn-2", help="never seen in training")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    given, rules = arguments().parse_args(argv), load_karma_rules()
    names = (*OWN, *(f"drawn-{i}" for i in range(1, given.tracks)))[: given.tracks]
    sessions = [
        session(name, given.seed + i, given.cars, given.laps)
        for i, name in bar(list(enumerate(names)), "simulating", console=Console(stderr=True))
    ]
    truth = pd.concat([found for _, found in sessions], ignore_index=True)
    views = {view: pd.concat([found[view] for found, _ in sessions], ignore_index=True) for view in VIEWS}
    lines = [
        _line(views, truth, rules, view, inputs, algorithm)
        for (view, inputs), algorithm in bar(
            [(case, algorithm) for case in CASES for algorithm in ALGORITHMS], "fitting", console=Console(stderr=True)
        )
    ]
    oracle = np.max([line.found.r2 for line in lines if (line.view, line.inputs) == ORACLE], axis=0)
    moves = _mishaps(lines, rules, given.mishap_track)
    Console().print(_table(lines, oracle))
    Console().print(_moves_table(moves))
    content = {
        "arguments": vars(given),
        "goal_share_of_oracle": GOAL,
        "tracks": list(names),
        "oracle_r2": dict(zip(COMPONENTS, np.round(oracle, 4).tolist(), strict=True)),
        "lines": [line.record(oracle) for line in lines],
        "mishaps": moves,
        "machine": describe(),
    }
    (RESULTS / "karma.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    _draw(lines)
    return 0


def _line(
    views: dict[str, pd.DataFrame], truth: pd.DataFrame, rules: KarmaRules, view: str, inputs: str, algorithm: Algorithm
) -> Line:
    data: KarmaDataset = build_karma_dataset(views[view], truth, rules.columns(inputs), rules.least_coverage)
    laps, damage = data.part(TRAIN)
    params = FitParams(interval=rules.interval, sequence_laps=rules.sequence_laps)
    fitted = fit_karma(laps, damage, rules.columns(inputs), algorithm, params)
    return Line(
        view, inputs, algorithm, evaluate_karma(fitted, data, _rule_of(rules, inputs), rules.sequence_laps), fitted
    )


def _rule_of(rules: KarmaRules, inputs: str) -> KarmaRules:
    """The rule, where the inputs have its features; the nearest that they have else."""
    columns = rules.columns(inputs)
    rule = {c: name if name in columns else "speed_mean" for c, name in rules.rule.items()}
    return rules.model_copy(update={"rule": rule})


def _mishaps(lines: Sequence[Line], rules: KarmaRules, where: str) -> list[dict[str, Any]]:
    """Change of the damage that forests see over the lap of a mishap and the next, least and most over the cars."""
    found, cars = [], 4
    before, _ = session(where, 77, cars, 3, ())
    forests = [line for line in lines if line.algorithm == "random_forest" and line.inputs != "chassis"]
    for kind, row in load_wear_rules().car_faults.matrix.items():
        planted = [CarFault(kind=kind, at_m=WHERE[kind], size=row.size, car=car, lap=2) for car in range(1, cars + 1)]
        after, _ = session(where, 77, cars, 3, planted)
        for line in forests:
            with_it, without = (_damage(line, laps[line.view], rules) for laps in (after, before))
            change = 100.0 * (with_it / without - 1.0)
            found.append(
                {
                    "mishap": kind,
                    "view": line.view,
                    "inputs": line.inputs,
                    "wears": row.wears,
                    "strains": row.strains,
                    **{
                        c: [round(float(v), 1) for v in (change[:, i].min(), change[:, i].max())]
                        for i, c in enumerate(COMPONENTS)
                    },
                }
            )
    return found


def _damage(line: Line, laps: pd.DataFrame, rules: KarmaRules) -> FloatArray:
    """Damage of each car from lap 2 on, shape (cars, components)."""
    laps = laps.sort_values(["vehicle_id", "lap_number"]).reset_index(drop=True)
    per_km = np.exp(line.fitted.predict(laps, rules.sequence_laps)[0])
    damage = pd.DataFrame(per_km * laps["distance_km"].to_numpy()[:, None]).assign(car=laps["vehicle_id"])
    return damage[laps["lap_number"] >= 2].groupby("car").sum().to_numpy()


def _table(lines: Sequence[Line], oracle: FloatArray) -> Table:
    laps = lines[0].found
    table = Table(
        title=f"R2 of log damage per km (share of laps in the 90 % interval): {len(laps.true)} laps of {laps.cars} "
        f"cars on tracks never seen; goal {GOAL:.0%} of the oracle"
    )
    table.add_column("as sent by")
    table.add_column("inputs")
    table.add_column("algorithm")
    for component in COMPONENTS:
        table.add_column(component, justify="right")
    table.add_row("", "", "one feature alone", *(f"{v:.3f}" for v in lines[-1].found.r2_rule))
    for line in lines:
        cells = [f"{r2:.3f} ({c:.0%})" for r2, c in zip(line.found.r2, line.found.coverage, strict=True)]
        name = "oracle" if (line.view, line.inputs) == ORACLE else line.view
        table.add_row(name, line.inputs, line.algorithm, *cells)
    table.add_row("", "", f"{GOAL:.0%} of the oracle", *(f"{GOAL * v:.3f}" for v in oracle))
    return table


def _moves_table(moves: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="Damage seen over the lap of a mishap and the next, % more than without; wears *, strains +")
    for column in ("mishap", "inputs", *COMPONENTS):
        table.add_column(column, justify="right" if column in COMPONENTS else "left")
    for move in moves:
        marks = {c: "*" if c in move["wears"] else "+" if c in move["strains"] else "" for c in COMPONENTS}
        cells = [f"{move[c][0]:+.0f} to {move[c][1]:+.0f}{marks[c]}" for c in COMPONENTS]
        table.add_row(move["mishap"], f"{move['view']}, {move['inputs']}", *cells)
    return table


def _draw(lines: Sequence[Line]) -> None:
    from ml.karma.plots import predicted_figure

    line = next(one for one in lines if one.inputs == "race_car" and one.algorithm == "random_forest")
    title = f"What a GR Cup car's channels tell: {line.found.cars} simulated cars on tracks never seen"
    predicted_figure(line.found, title).savefig(RESULTS / "karma.png")


if __name__ == "__main__":
    raise SystemExit(main())
